// The result of a run: result.json, and a table for people.
#ifndef TT_LAB_RESULT_H
#define TT_LAB_RESULT_H

#include "host/data/corpus.h"
#include "host/lab/phase_identity.h"
#include "host/reason/evaluate.h"
#include "host/train/phase.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_phase_outcome {
    char name[TT_PHASE_NAME]; // "pretraining", "acquisition", "reflection_1", ...
    bool done;
    tt_phase_result result;
    int iteration;                                             // of reflection; 0: a supervised phase
    int recall_pairs, analyze_pairs, questions, without_pairs; // of reflection
    bool scored; // whether `test` has the score of its best student on the test split
    tt_evaluation test;
} tt_phase_outcome;

// Whether no validation of an iteration of reflection was better than the student it began with, which it
// then keeps as its best.
bool tt_phase_kept_reference(const tt_phase_outcome *phase);

enum { TT_MAX_PHASES = 102 };

typedef struct tt_result {
    const char *name, *stages;
    bool scored[TT_SPLITS], voted[TT_SPLITS];
    tt_evaluation greedy[TT_SPLITS], self_consistency[TT_SPLITS];
    int samples;
    int beams; // of the texts that are called greedy: above 1 they come from beam search
    tt_phase_outcome phases[TT_MAX_PHASES]; // in order
    int n_phases;
    double wall_seconds; // of all starts of the run together
} tt_result;

// Tokens trained on per second, over all phases; 0 if nothing was trained.
double tt_result_speed(const tt_result *result);
// Writes result.json:
// {"name", "stages", "beams" (above 1 alone),
//  "test": {"greedy": {"accuracy", "n", "ci95": [lo, hi]}, "self_consistency": {...}}, ...,
//  "phases": [{"name", "steps", "best_step", ..., "test": {...}, "pairs": {...}}, ...]}
tt_status tt_result_write(const tt_result *result, const char *path) TT_MUST_CHECK;
// Prints the table.
void tt_result_print(const tt_result *result, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
