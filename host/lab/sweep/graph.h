// The phases of all runs of one sweep or several, each once, and which of them are trained.
#ifndef TT_LAB_SWEEP_GRAPH_H
#define TT_LAB_SWEEP_GRAPH_H

#include "host/base/str.h"
#include "host/lab/phase_identity.h"
#include "host/lab/sweep/sweeps.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_sweep_phase {
    char name[TT_PHASE_NAME], hash[TT_PHASE_HASH];
    tt_str identity;
    const char *generation; // that it is to be trained in (fresh.h); empty: any
    int before;             // the phase that it begins from; -1: the run's start
    bool done;              // found in a run directory by tt_sweep_graph_look
} tt_sweep_phase;

typedef struct tt_sweep_graph {
    const tt_sweeps *sweeps;
    tt_sweep_phase *phases; // [n], each behind the one that it begins from
    int n;
    size_t capacity;
    int *last;  // [sweeps->n]: the last phase of each run; -1: it has none, or they are not known
    char **why; // [sweeps->n]: why its phases are not known; NULL: they are
} tt_sweep_graph;

// Reads the configurations of all runs and the files that they name. The phases of a run whose files cannot be read are
// not known: it says itself what is missing. tt_sweep_graph_close frees *out. Errors: TT_ERR_NOMEM.
tt_status tt_sweep_graph_open(tt_sweep_graph *out, const tt_sweeps *sweeps) TT_MUST_CHECK;
void tt_sweep_graph_close(tt_sweep_graph *graph);

// Looks into the run directories for phases that have been trained since the last time.
void tt_sweep_graph_look(tt_sweep_graph *graph);
// The same of the directory of one run.
void tt_sweep_graph_look_into(tt_sweep_graph *graph, int run);
// How many phases of a run are still to be trained.
int tt_sweep_graph_left(const tt_sweep_graph *graph, int run);
// Whether run a waits for what run b, which is going on, is training: a phase of both that is not done.
bool tt_sweep_graph_waits(const tt_sweep_graph *graph, int a, int b);

#ifdef __cplusplus
}
#endif

#endif
