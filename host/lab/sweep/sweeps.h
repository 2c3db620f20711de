// Several sweep files that are run as one queue, in which no phase is trained twice.
#ifndef TT_LAB_SWEEP_SWEEPS_H
#define TT_LAB_SWEEP_SWEEPS_H

#include "host/dist/comm.h"
#include "host/lab/sweep/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_sweeps {
    tt_sweep *items; // [n_items], in the order given
    int n_items;
    const tt_sweep_run **runs; // [n], those of all sweeps, one sweep behind the other
    int n;
    const char *output; // of all: runs take phases from each other below it
} tt_sweeps;

// tt_sweeps_close frees *out; on failure there is nothing to free. Errors: those of tt_sweep_open; TT_ERR_CONFIG for two
// sweeps of one name, and for different outputs.
tt_status tt_sweeps_open(tt_sweeps *out, const char *const *paths, int n, const char *const *overrides,
    int n_overrides) TT_MUST_CHECK;
void tt_sweeps_close(tt_sweeps *sweeps);
// One of them alone; borrowed from `sweeps`.
tt_sweeps tt_sweeps_only(const tt_sweeps *sweeps, int i);
// What messages call them: the name of the only one, or "3 sweeps".
const char *tt_sweeps_name(const tt_sweeps *sweeps, char out[32]);

#ifdef __cplusplus
}
#endif

#endif
