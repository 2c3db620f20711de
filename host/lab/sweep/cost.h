// What the runs of sweeps will take: steps, tokens, device memory, and time where a speed is known. Private to
// host/lab/sweep.
//
// Runs that differ only in what does not matter here, as seeds and learning rates, are counted once (needs.h). Of a
// large corpus a part is counted and multiplied.
#ifndef TT_LAB_SWEEP_COST_H
#define TT_LAB_SWEEP_COST_H

#include "host/lab/needs.h"
#include "host/lab/sweep/graph.h"
#include "host/lab/sweep/speed.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TT_COST_QUESTIONS = 128, // training questions of a corpus that are counted, if it has more
    TT_COST_SCORED = 256     // the same of each other split
};

typedef struct tt_sweep_cost {
    bool known;           // else the run's files cannot be read
    double steps, tokens; // of training
    double seconds;       // of training at the measured speed; NaN: no speed is known
} tt_sweep_cost;

typedef struct tt_sweep_costs {
    tt_sweep_cost *runs;   // [sweeps->n]: as if each trained all its phases
    tt_sweep_cost *phases; // [graph->n]
    double *memory;        // [sweeps->n], bytes of a rank's device at the peak
    char **why;            // [sweeps->n]: why it is not known; NULL: it is
    int n;                 // sweeps->n
    bool cuda;             // the device that was counted for; else the CPU
    bool part;             // of a corpus, only a part was counted
} tt_sweep_costs;

// tt_sweep_costs_close frees *out. Errors: TT_ERR_NOMEM. A configuration that cannot be counted is not known, and why.
tt_status tt_sweep_costs_open(
    tt_sweep_costs *out, const tt_sweep_graph *graph, tt_speeds *speeds) TT_MUST_CHECK;
void tt_sweep_costs_close(tt_sweep_costs *costs);

#ifdef __cplusplus
}
#endif

#endif
