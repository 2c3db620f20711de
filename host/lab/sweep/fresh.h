// Starting over, remembered until it is done. Private to host/lab/sweep, but for tt_sweep_fresh_pretend and
// tt_sweep_run_is_old.
//
// fresh.json in the sweep's folder, {"generation", "from", "runs"}, is written when --fresh or --fresh-from begins, and
// removed when all its runs are finished. A run that belongs to it has started over when phases.json in its directory
// names the same generation; until then its old files stay. So a start-over that was interrupted goes on, by whatever
// command, and neither begins again nor leaves old results among new ones. Its runs take phases from each other, from
// no other run.
#ifndef TT_LAB_SWEEP_FRESH_H
#define TT_LAB_SWEEP_FRESH_H

#include "host/base/lock.h"
#include "host/lab/sweep/sweeps.h"

#ifdef __cplusplus
extern "C" {
#endif

// Fills sweep->generation, over_from and each run's `over` from fresh.json, if there is one. Errors: TT_ERR_FORMAT,
// TT_ERR_IO.
tt_status tt_sweep_fresh_read(tt_sweep *sweep) TT_MUST_CHECK;
// Whether tt_sweep_fresh_begin would refuse that, with its errors.
tt_status tt_sweep_fresh_check(const tt_sweeps *sweeps, int only, const char *from) TT_MUST_CHECK;
// Lets all runs, or number `only` of them (-1: all), start over, or go on with that; `from`: those that have this
// phase, from there; NULL: from the first one. Processes that do so together join in one start-over. Errors:
// TT_ERR_USAGE where no run has the phase, or an unfinished start-over is from another one; TT_ERR_BUSY; TT_ERR_IO.
tt_status tt_sweep_fresh_begin(tt_sweeps *sweeps, int only, const char *from) TT_MUST_CHECK;
// The same in *sweeps alone: nothing is written.
tt_status tt_sweep_fresh_pretend(tt_sweeps *sweeps, int only, const char *from) TT_MUST_CHECK;
// What a child process (children.c) takes part in, whatever fresh.json says by then: `text` is "generation:phase", as
// tt_sweep_fresh_text writes it.
void tt_sweep_fresh_join(tt_sweep *sweep, int number, const char *text);
void tt_sweep_fresh_text(const tt_sweep *sweep, char *out, size_t size);
#define TT_SWEEP_FRESH_VARIABLE "TT_SWEEP_FRESH" // the environment variable that tells a child
// Rank 0's answers of the above to all ranks.
tt_status tt_sweep_fresh_share(tt_sweeps *sweeps, tt_comm *comm) TT_MUST_CHECK;
// Whether the run is still to be started over.
bool tt_sweep_fresh_waits(const tt_sweep_run *run);
// For whoever has only the run's directory: whether fresh.json beside it lists the run, and it has a result from before.
// Errors: TT_ERR_FORMAT, TT_ERR_IO where there is a fresh.json that does not say it; *old is false then.
tt_status tt_sweep_run_is_old(const char *path, bool *old) TT_MUST_CHECK;
// The path of the sweep's fresh.json, and the lock on an output folder under which it is read, chosen and written.
tt_status tt_sweep_fresh_path(const tt_sweep *sweep, char out[TT_PATH_MAX]) TT_MUST_CHECK;
tt_status tt_sweep_fresh_lock(const char *output, tt_lock *lock) TT_MUST_CHECK;

// In fresh_left.c:
// Says what is left of unfinished start-overs.
void tt_sweep_fresh_tell(const tt_sweeps *sweeps);
// Removes fresh.json of sweeps of which all runs that it lists have started over and are finished.
void tt_sweep_fresh_end(tt_sweeps *sweeps);

#ifdef __cplusplus
}
#endif

#endif
