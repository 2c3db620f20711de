// A sweep file to a list of runs.
//
//   name: stages                        # of the sweep: its runs go to <output>/<name>/
//   base: ../configs/everyday.yaml      # relative to the sweep file; all runs begin with it
//   set: {acquisition.steps: 1500}      # for all runs
//   seeds: [1, 2, 3]                    # default: the base's
//   axes:                               # every combination
//     stages: [all, no_recall]
//     reflection.beta: [0.1, 0.5]
//   variants:                           # named settings; with axes as well: every variant with every
//   combination
//     small: {acquisition.batch_size: 8}
//   exclude: [{stages: no_recall, reflection.beta: 0.5}]   # combinations that match all of an entry's
//   settings ranks_per_run: 1                    # under mpirun output: runs                        #
//   default: the base's
#ifndef TT_LAB_SWEEP_PLAN_H
#define TT_LAB_SWEEP_PLAN_H

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_SWEEP_SETTINGS = 64, TT_SWEEP_RUNS = 10000 };

typedef struct tt_sweep_run {
    const char *variant; // "no_recall", or "stages=all,beta=0.1", or "base"
    const char *name;    // variant-sSEED: of its directory
    int64_t seed;
    const char **overrides; // "key=value" [n]: name, output and seed among them
    int n;
    char path[TT_PATH_MAX]; // of its directory
} tt_sweep_run;

typedef struct tt_sweep {
    const char *file, *name, *output;
    char base[TT_PATH_MAX];
    int ranks_per_run;
    tt_sweep_run *runs; // variants in order, the seeds of each together
    int n;
    tt_arena memory;
} tt_sweep;

// Reads the file and checks the configuration of every run. `overrides` ("key=value") go to all runs, over
// the file's. Errors: TT_ERR_CONFIG as file:line: unknown words, keys (the nearest known is named) and
// values, an empty list or nothing left to run, two runs of one name.
tt_status tt_sweep_open(
    tt_sweep *out, const char *path, const char *const *overrides, int n_overrides) TT_MUST_CHECK;
void tt_sweep_close(tt_sweep *sweep);

#ifdef __cplusplus
}
#endif

#endif
