// What a run will need, counted by going through it on a device that only counts (kernels/counting.h): the run's own
// code forms its batches, trains, validates and generates; nothing is computed or written.
//
// Counted is rank 0; in steps, every rank. What a student will write is not known: its texts have the teacher's mean
// length, and reflection has as many pairs as an earlier run had, or a number that is assumed.
#ifndef TT_LAB_NEEDS_H
#define TT_LAB_NEEDS_H

#include "host/config/config.h"
#include "host/data/corpus.h"
#include "host/lab/result.h"
#include "kernels/device.h"

#ifdef __cplusplus
extern "C" {
#endif

// On what the run is to compute.
typedef struct tt_needs_machine {
    bool cuda;              // else the CPU device
    tt_precision precision; // TT_FP32 or TT_BF16
    int ranks;
    int threads; // of the CPU device
    // Directories of runs, or NULL, to learn from how many pairs reflection has (known_pairs.h).
    const char *runs[2];
    const char *tokens_path; // a file for tokenised texts, so that a later count need not make them again
} tt_needs_machine;

// What the run would get here: one rank on the device that its configuration names, with the precision and threads that
// it asks for, `auto` resolved. `gpu`: plan for one whether or not there is one here. Errors: TT_ERR_USAGE for a
// precision that is none.
tt_status tt_needs_machine_here(tt_needs_machine *out, const tt_config *config, bool gpu) TT_MUST_CHECK;

typedef struct tt_need {
    char name[40];      // "acquisition", "acquisition, validation", "reflection_1, pairs", "evaluation"
    int phase;          // index in tt_needs.phases, -1: the final evaluation
    bool generates;     // it is the peak of generating texts, else of training
    tt_memory_use peak; // of a rank's device
} tt_need;

typedef struct tt_needs_phase {
    char name[32];
    char section[32]; // of the configuration: "pretraining", "acquisition", "reflection"
    int64_t steps, largest_batch;
    double tokens; // input and target tokens of all steps
    // Of reflection: pairs that a question gives, and the one of machine.runs that says so; NULL: they are assumed.
    double recall_pairs, analyze_pairs;
    const char *pairs_of;
} tt_needs_phase;

enum { TT_MOST_NEEDS = 3 * TT_MAX_PHASES + 1 };
typedef struct tt_needs {
    size_t parameters;
    tt_need items[TT_MOST_NEEDS];
    int n;
    tt_needs_phase phases[TT_MAX_PHASES];
    int n_phases;
} tt_needs;

// The item with the highest peak; NULL where there is nothing to do.
const tt_need *tt_needs_largest(const tt_needs *needs);

// Loads the run's corpus, or makes it of its world in memory; *has receives whether the configuration names one. The caller
// closes it. Errors: as tt_corpus_load and tt_world_corpus.
tt_status tt_needs_corpus(tt_corpus *out, bool *has, const tt_config *config) TT_MUST_CHECK;
// `corpus` NULL: there is none. Iterations of reflection after the first need the memory that the first does.
// Errors: those of the phases; TT_ERR_CONFIG, TT_ERR_IO, TT_ERR_FORMAT for a configuration that could not run.
tt_status tt_needs_count(tt_needs *out, const tt_config *config, const tt_corpus *corpus,
    const tt_needs_machine *machine) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
