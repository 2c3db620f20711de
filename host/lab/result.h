// What a run came to: result.json, and a table for people.
#ifndef TT_LAB_RESULT_H
#define TT_LAB_RESULT_H

#include "host/data/corpus.h"
#include "host/reason/evaluate.h"
#include "host/train/phase.h"

typedef struct tt_result {
    const char *name, *stages;
    bool scored[TT_SPLITS], voted[TT_SPLITS];
    tt_evaluation greedy[TT_SPLITS], self_consistency[TT_SPLITS];
    int samples;
    bool pretrained, acquired;
    tt_phase_result pretraining, acquisition;
    double wall_seconds; // of all starts of the run
} tt_result;

// Tokens trained on a second, over both phases; 0 if nothing was trained.
double tt_result_speed(const tt_result *result);
// {"name", "stages", "test": {"greedy": {"accuracy", "n", "ci95": [lo, hi]}, "self_consistency": {...}}, ...}
tt_status tt_result_write(const tt_result *result, const char *path) TT_MUST_CHECK;
void tt_result_print(const tt_result *result, FILE *out);

#endif
