// How far the runs of a sweep are, as their directories say.
#ifndef TT_LAB_SWEEP_STATE_H
#define TT_LAB_SWEEP_STATE_H

#include "host/base/str.h"
#include "host/lab/sweep/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_sweep_state {
    TT_SWEEP_NEW,
    TT_SWEEP_BEGUN, // can be resumed
    TT_SWEEP_FAILED,
    TT_SWEEP_FINISHED,
    TT_SWEEP_OTHER, // finished with settings that differ from the sweep's: neither overwritten nor counted
    TT_SWEEP_OVER   // has files of before, and is to be started over (fresh.h)
} tt_sweep_state;

// The state of a run, read from its directory. A failed run has a file `failed.txt` with the reason; while it is to be
// started over, one of this start-over counts alone. A finished run that differs only in settings of the evaluation is
// TT_SWEEP_BEGUN: resuming it scores it again, unless that was tried and failed.
tt_sweep_state tt_sweep_state_of(const tt_sweep_run *run);
// Appends the settings that differ from those of the run's directory: for each a line break and "  key: value
// there -> value of the sweep". *rescore: whether settings of the evaluation differ, which are not listed.
tt_status tt_sweep_differences(const tt_sweep_run *run, tt_str *out, bool *rescore) TT_MUST_CHECK;
// Whether the run need not begin, since the variant's interval over the seeds that are finished is narrow enough
// (`until`). Choosing when to stop by the interval makes it a little too narrow on average.
bool tt_sweep_enough(const tt_sweep_run *run);
// Whether a sweep has nothing left to do with the run, which is in this state: it is finished, or new and its variant has
// seen enough seeds. `always`: the run was asked for by its number, whatever `until` says.
bool tt_sweep_settled(const tt_sweep_run *run, tt_sweep_state state, bool always);
enum { TT_SWEEP_FEWEST_SEEDS = 3 }; // two that agree by chance have an interval of no width
// "new", "resumable", "failed", "finished", "other settings", "to start over".
const char *tt_sweep_state_name(tt_sweep_state state);
#define TT_SWEEP_NOT_NEEDED "not needed"
// The same of runs[n], those of a variant together, for people and tables: TT_SWEEP_NOT_NEEDED for a run that is new where
// the seeds are enough.
void tt_sweep_state_texts(const tt_sweep_run *const *runs, int n, const char **out);

#ifdef __cplusplus
}
#endif

#endif
