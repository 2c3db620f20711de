// A run as a report sees it: its directory, read leniently. Runs of other versions, unfinished runs and
// damaged lines cause warnings, not errors; a missing number is NaN.
#ifndef TT_REPORT_RUNS_RUN_H
#define TT_REPORT_RUNS_RUN_H

#include "host/base/fs.h"
#include "host/base/status.h"
#include "host/lab/outcomes.h"
#include "host/text/stages.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TT_REPORT_NAME = 128,
    TT_REPORT_STAGES = 12, // most stage names of a report: recall, analyze, ...
    TT_REPORT_PHASES = 32, // most phases of a run
    TT_REPORT_EXAMPLES = 3 // shown examples of each kind
};

// Larger step numbers are damage; sums of numbers up to it do not overflow.
#define TT_REPORT_LAST_STEP 1e15

typedef struct tt_report_score {
    double accuracy, low, high; // with its 95 % interval (Wilson)
    int64_t n, unanswered;      // n 0: there is no score; unanswered -1: not known
} tt_report_score;

// word, split and member in result.json, heading. The last one comes from metrics.jsonl: the validation that
// selected the last phase's checkpoint.
#define TT_REPORT_SCORE_MAP(X)                                                                               \
    X(TEST, "test", "greedy", "test, greedy")                                                                \
    X(TEST_VOTED, "test", "self_consistency", "test, self-consistency")                                      \
    X(CONTROL, "control", "greedy", "control, greedy")                                                       \
    X(CONTROL_VOTED, "control", "self_consistency", "control, self-consistency")                             \
    X(VALIDATION, "validation", "greedy", "validation, greedy")                                              \
    X(VALIDATION_VOTED, "validation", "self_consistency", "validation, self-consistency")                    \
    X(TRAIN, "train", "greedy", "train, greedy")                                                             \
    X(TRAIN_VOTED, "train", "self_consistency", "train, self-consistency")                                   \
    X(BEST, "validation", "best", "best validation")

typedef enum tt_report_score_kind {
#define TT_REPORT_SCORE_ENUM(word, split, how, heading) TT_REPORT_##word,
    TT_REPORT_SCORE_MAP(TT_REPORT_SCORE_ENUM)
#undef TT_REPORT_SCORE_ENUM
        TT_REPORT_SCORES
} tt_report_score_kind;

// Numbers in a line of metrics.jsonl: word, key.
#define TT_REPORT_METRIC_MAP(X)                                                                              \
    X(LOSS, "loss")                                                                                          \
    X(CHOSEN, "rewards/chosen")                                                                              \
    X(REJECTED, "rewards/rejected")                                                                          \
    X(MARGINS, "rewards/margins")                                                                            \
    X(ACCURACIES, "rewards/accuracies")                                                                      \
    X(NLL, "nll_loss")

typedef enum tt_report_metric {
#define TT_REPORT_METRIC_ENUM(word, key) TT_REPORT_METRIC_##word,
    TT_REPORT_METRIC_MAP(TT_REPORT_METRIC_ENUM)
#undef TT_REPORT_METRIC_ENUM
        TT_REPORT_METRICS
} tt_report_metric;

typedef struct tt_report_step {
    int phase, stage; // indices into run->phases and the report's stage names
    int64_t step;     // within its phase
    double value[TT_REPORT_METRICS];
} tt_report_step;

typedef struct tt_report_validation {
    int phase;
    int64_t step;
    bool best; // the best one so far
    tt_report_score score;
    double tokens[TT_REPORT_STAGES], unended[TT_REPORT_STAGES]; // by stage name; NaN where it has none
} tt_report_validation;

typedef struct tt_report_phase {
    char name[TT_REPORT_NAME];
    bool preference; // reflection: trained on pairs
    int64_t offset;  // its beginning on the axis of steps that all runs of a report share
    int64_t last;    // the last known step
    int64_t best_step;
    double best_validation, tokens, seconds;
    tt_report_score test, best;
    bool unvalidated;     // its validations had no questions to score
    bool skipped;         // an iteration that found no pairs
    bool kept_reference;  // an iteration that did no better than the student it began with, which it kept
    const json_t *pairs;  // counts of result.json, or NULL
    tt_outcomes outcomes; // greedy answers to the test questions after it; empty for the last phase, whose
                          // answers are outcomes[TT_REPORT_TEST] of the run
} tt_report_phase;

typedef enum tt_report_state { TT_REPORT_FINISHED, TT_REPORT_UNFINISHED, TT_REPORT_DAMAGED } tt_report_state;

// Answers to the questions of one split, decoded greedily.
typedef struct tt_report_answers {
    char split[TT_REPORT_NAME];
    int options;                                       // most options of a question
    int64_t n;                                         // questions
    double chance;                                     // mean of 1 / options; NaN where n is 0
    int64_t table[TT_MAX_OPTIONS][TT_MAX_OPTIONS + 1]; // right option x answer; the last column: unreadable
    json_t *examples[2][TT_REPORT_EXAMPLES];           // [right or not], lines of predictions.jsonl, or NULL
    uint64_t order[2][TT_REPORT_EXAMPLES];             // hashes of their ids, of which the smallest are kept
} tt_report_answers;

typedef struct tt_report_run {
    char path[TT_PATH_MAX];
    char name[TT_REPORT_NAME], stages[TT_REPORT_NAME], sweep[TT_REPORT_NAME], variant[TT_REPORT_NAME];
    char variant_name[TT_REPORT_NAME]; // as the sweep's file names it; "": not known, or not named
    int64_t seed;                      // -1: not known
    tt_report_state state;
    char failure[512]; // why the last attempt of a run without a result failed; "": it did not
    char *config;      // text of config.yaml, or NULL
    char *resolved;    // the same with defaults for keys that its version did not know, or NULL
    json_t *result, *environment;
    tt_report_score scores[TT_REPORT_SCORES];
    double tokens_per_second, wall_seconds, parameters;
    tt_report_phase phases[TT_REPORT_PHASES];
    int n_phases;
    tt_report_step *steps;
    tt_report_validation *validations;
    size_t n_steps, n_validations, steps_capacity, validations_capacity;
    tt_report_answers answers;
    tt_outcomes outcomes[TT_REPORT_BEST]; // answers behind each score
    int damaged_lines;
    int lost_losses; // steps whose loss is not finite
    int group;
    int sweep_number; // which sweep of the report it belongs to; -1: none
    bool old;         // a start-over of its sweep is still to replace it (host/lab/sweep/fresh.h)
    bool unsure;      // whether it is old cannot be said: fresh.json is damaged
    bool repeated;    // another run of its group has the same seed, so that this one is not counted
} tt_report_run;

// Stage names in the order of their first occurrence; shared by the runs of a report.
typedef struct tt_report_names {
    char items[TT_REPORT_STAGES][32];
    int n;
} tt_report_names;

// Reads the run in out->path, which the caller has set in a zeroed struct. Errors: TT_ERR_NOMEM; TT_ERR_IO if
// a file exists and cannot be read. Everything else causes a warning and is noted in out->state.
tt_status tt_report_run_read(tt_report_run *out, tt_report_names *stages) TT_MUST_CHECK;
void tt_report_run_close(tt_report_run *run);

// Parts of tt_report_run_read, one file each. A line that is not JSON causes a warning with file:line and is
// counted.
tt_status tt_report_read_metrics(tt_report_run *run, tt_report_names *stages) TT_MUST_CHECK;
tt_status tt_report_read_predictions(tt_report_run *run) TT_MUST_CHECK;
// Number of parameters in best.h5, found without reading them; NaN if that fails.
double tt_report_count_parameters(const tt_report_run *run);
// A JSONL file of the run directory and what is done with each object in it.
typedef struct tt_report_lines {
    const char *file;
    // A line that contains `mark` is cut at the member `cut`, which begins long texts that are not needed.
    // NULL: none.
    const char *mark, *cut;
    // TT_ERR_INPUT: the line is left out, with a warning that has the message.
    tt_status (*take)(tt_report_run *run, const json_t *object, void *context);
    void *context;
} tt_report_lines;
// Calls lines->take for every JSON object of the file, if it exists. NaN and infinities, which are not JSON,
// are read as null. Errors: TT_ERR_IO; other ones of `take`.
tt_status tt_report_read_lines(tt_report_run *run, const tt_report_lines *lines) TT_MUST_CHECK;

// Whether the run is finished and the only one of its group with its seed.
bool tt_report_counts(const tt_report_run *run);
// Sum of the known steps of its phases.
int64_t tt_report_run_steps(const tt_report_run *run);
double tt_report_run_speed(const tt_report_run *run); // tokens per second; NaN: not known
double tt_report_run_wall(const tt_report_run *run);  // seconds; NaN: not known
// The phase of that name, or NULL.
const tt_report_phase *tt_report_phase_of(const tt_report_run *run, const char *name);
// "test_greedy" and "test, greedy".
const char *tt_report_score_word(tt_report_score_kind kind);
const char *tt_report_score_heading(tt_report_score_kind kind);
// Index of an option's letter, "A" = 0; -1 for null and anything that is not one letter.
int tt_report_option_of(const json_t *letter);
// Index of the phase of that name, which is added if it is new; -1 if there are too many.
int tt_report_phase_index(tt_report_run *run, const char *name);
// Reads {"accuracy", "n", "ci95", "unanswered"}; n is 0 if the object is not a score.
tt_report_score tt_report_score_read(const json_t *object);
// Checks that the members keys[0..n) of an object are numbers, null or missing. Errors: TT_ERR_INPUT naming the first
// that is not.
tt_status tt_report_check_numbers(const json_t *object, const char *const *keys, int n) TT_MUST_CHECK;
// A number in a JSON object; NaN if it is missing or not a number.
double tt_report_number(const json_t *object, const char *key);

// Finds the run directories among `paths` or up to three levels below them, each once, in the order of names.
// *out: zeroed runs with their paths, which the caller frees. Errors: TT_ERR_IO if a path is missing or
// contains no run, with what was looked for.
tt_status tt_report_find(const char *const *paths, int n, tt_report_run **out, size_t *n_runs) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
