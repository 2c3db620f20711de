// Reads a sweep file and lists its runs. The file (tests/e2e/pages.sh parses this example):
//
//   name: betas                         # name of the sweep: its runs go to <output>/<name>/
//   base: ../configs/everyday.yaml      # configuration that every run begins with, relative to this file
//   set: {acquisition.steps: 1500}      # settings of every run
//   seeds: [1, 2, 3]                    # default: the seed of the base
//   axes:                               # every combination of their values
//     stages: [all, no_recall]
//     reflection.beta: [0.1, 0.5]
//   variants:                           # named settings; beside axes, every variant with every combination
//     small: {acquisition.batch_size: 8}
//     large: {acquisition.batch_size: 32}
//   exclude:                            # leaves out the combinations that have all settings of an entry
//     - {stages: no_recall, reflection.beta: 0.5}
//   ranks_per_run: 2                    # under mpirun: how many ranks share a run; default: so that all have work
//   output: runs                        # default: the output of the base
//
// `until: {interval: 2 %, seeds: 10}` adds seeds to the list, up to so many, of which a variant runs as many as its
// interval needs (tt_sweep_enough).
//
// A run's name is <number>-<variant>-s<seed>, e.g. 00-small-all-beta0.1-s1 (names.h). `name` and `base` are required.
#ifndef TT_LAB_SWEEP_PLAN_H
#define TT_LAB_SWEEP_PLAN_H

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_SWEEP_SETTINGS = 64, TT_SWEEP_RUNS = 10000 };

typedef struct tt_sweep tt_sweep;

typedef struct tt_sweep_run {
    const tt_sweep *sweep;
    int number;          // the same for ever once the sweep has been started with the run
    const char *key;     // its settings but for those of all runs, as canonical text
    const char *variant; // "no_recall", or "all-beta0.1", or "base"
    const char *named;   // the variant's name in the file; "": it has none, only axes
    const char *earlier; // what versions up to 0.1.0 called it: "stages=all,beta=0.1"
    const char *name;    // of its directory: "07-all-beta0.1-s1"
    int line;            // of the file: where its variant or the first axis is
    int64_t seed;
    const char **overrides; // [n] of "key=value": what the file and --set say, then seed, name and output
    int n, n_said;          // n_said: without those of its own
    char path[TT_PATH_MAX]; // its directory
    bool over;              // it belongs to the start-over sweep->generation (fresh.h)
    uint64_t failure;       // stamp of its failed.txt when the command began (notes.h); 0: there was none
} tt_sweep_run;

enum { TT_SWEEP_GENERATION = 24 };

struct tt_sweep {
    const char *file, *name, *output;
    char base[TT_PATH_MAX];
    int ranks_per_run;     // 0: the sweep does not say
    double until_interval; // what is enough to each side of the mean over seeds, as a share; 0: all seeds run
    tt_sweep_run *runs;    // [n], in the order of the file, the seeds of a combination together
    int n;
    char generation[TT_SWEEP_GENERATION]; // a start-over that is not finished; empty: none
    char over_from[32];                   // the phase that it begins with; empty: the first
    tt_arena memory;
};

// Reads the file and checks the configuration of every run. `overrides` ("key=value") apply to every run and take
// precedence over the file. Runs point to *out, which is not to be moved. tt_sweep_close frees *out; on failure there
// is nothing to free. Errors: TT_ERR_CONFIG as file:line for unknown words and keys (with the nearest known one), bad
// values, values or seeds listed twice, an empty list, a variant with more settings than fit, a name that is none of a
// folder, two runs of one name, no run left; TT_ERR_USAGE for an override of seed, name or output.
tt_status tt_sweep_open(
    tt_sweep *out, const char *path, const char *const *overrides, int n_overrides) TT_MUST_CHECK;
void tt_sweep_close(tt_sweep *sweep);
// Writes names.json into the sweep's folder, so that numbers and names of runs stay (names.h). To be called before any
// run begins, or is told of. Errors: TT_ERR_IO, TT_ERR_NOMEM.
tt_status tt_sweep_remember(const tt_sweep *sweep) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
