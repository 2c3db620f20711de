// What a report knows of a run: its directory, read leniently. Other versions, unfinished runs and damaged
// lines are told, not refused; a number that is missing is NaN.
#ifndef TT_REPORT_RUNS_RUN_H
#define TT_REPORT_RUNS_RUN_H

#include "host/base/fs.h"
#include "host/base/status.h"
#include "host/lab/outcomes.h"
#include "host/text/stages.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TT_REPORT_NAME = 128,
    TT_REPORT_STAGES = 12, // different stage names of a report: recall, analyze, ...
    TT_REPORT_PHASES = 32, // of a run
    TT_REPORT_EXAMPLES = 3 // of each kind that are shown
};

// Steps beyond it are damage; sums of it fit.
#define TT_REPORT_LAST_STEP 1e15

typedef struct tt_report_score {
    double accuracy, low, high; // with its 95 % interval (Wilson)
    int64_t n, unanswered;      // n = 0: there is none; unanswered -1: not known
} tt_report_score;

// word, split and member of result.json, heading. The last one is of metrics.jsonl: the validation that chose
// the last phase's checkpoint.
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

// Numbers of a line of metrics.jsonl.
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
    int phase, stage; // of run->phases, of the report's stage names
    int64_t step;     // of its phase
    double value[TT_REPORT_METRICS];
} tt_report_step;

typedef struct tt_report_validation {
    int phase;
    int64_t step;
    bool best; // so far
    tt_report_score score;
    double tokens[TT_REPORT_STAGES], unended[TT_REPORT_STAGES]; // by stage name; NaN where it has none
} tt_report_validation;

typedef struct tt_report_phase {
    char name[TT_REPORT_NAME];
    bool preference; // reflection: trained on pairs
    int64_t offset;  // where it begins on the axis of steps that the runs of a report share
    int64_t last;    // last step that is known
    int64_t best_step;
    double best_validation, tokens, seconds;
    tt_report_score test, best;
    bool unvalidated;    // its validations had no questions to score
    bool skipped;        // an iteration that found no pairs
    bool kept_reference; // an iteration that did no better than the student it began with, which it kept
    const json_t *pairs; // counts of result.json, or NULL
    tt_outcomes
        outcomes; // greedy answers to the test questions after it; of the last phase they are the run's
} tt_report_phase;

typedef enum tt_report_state { TT_REPORT_FINISHED, TT_REPORT_UNFINISHED, TT_REPORT_DAMAGED } tt_report_state;

// Answers to the questions of one split, decoded greedily.
typedef struct tt_report_answers {
    char split[TT_REPORT_NAME];
    int options;                                       // of the question that has most of them
    int64_t n;                                         // questions
    double chance;                                     // mean of 1 / options; NaN where n is 0
    int64_t table[TT_MAX_OPTIONS][TT_MAX_OPTIONS + 1]; // gold x answered; the last column: none
    json_t *examples[2][TT_REPORT_EXAMPLES];           // [right], lines of predictions.jsonl, or NULL
    uint64_t order[2][TT_REPORT_EXAMPLES];             // what they were chosen by: smallest hashes of ids
} tt_report_answers;

typedef struct tt_report_run {
    char path[TT_PATH_MAX];
    char name[TT_REPORT_NAME], stages[TT_REPORT_NAME], sweep[TT_REPORT_NAME], variant[TT_REPORT_NAME];
    int64_t seed; // -1: not known
    tt_report_state state;
    char *config;   // text of config.yaml, or NULL
    char *resolved; // the same with the defaults of keys that its version did not know; NULL as above
    json_t *result, *environment;
    tt_report_score scores[TT_REPORT_SCORES];
    double tokens_per_second, wall_seconds, parameters;
    tt_report_phase phases[TT_REPORT_PHASES];
    int n_phases;
    tt_report_step *steps;
    tt_report_validation *validations;
    size_t n_steps, n_validations, steps_room, validations_room;
    tt_report_answers answers;
    tt_outcomes outcomes[TT_REPORT_BEST]; // of the scores that come from answers
    int damaged_lines;
    int lost_losses; // steps whose loss is no number
    int group;
    bool repeated; // another run of its group has the same seed: this one is not counted
} tt_report_run;

// Stage names in the order in which they were met; shared by the runs of a report.
typedef struct tt_report_names {
    char items[TT_REPORT_STAGES][32];
    int n;
} tt_report_names;

// Reads what is in out->path, which the caller has set in a zeroed struct. Errors: TT_ERR_NOMEM; TT_ERR_IO
// where a file is there and cannot be read. All else is a warning, and out->state.
tt_status tt_report_run_read(tt_report_run *out, tt_report_names *stages) TT_MUST_CHECK;
void tt_report_run_close(tt_report_run *run);

// Parts of it, one file each. Lines that are no JSON are warned of as file:line and counted.
tt_status tt_report_read_metrics(tt_report_run *run, tt_report_names *stages) TT_MUST_CHECK;
tt_status tt_report_read_predictions(tt_report_run *run) TT_MUST_CHECK;
// Parameters of best.h5, counted without reading them; NaN where that fails.
double tt_report_count_parameters(const tt_report_run *run);
// Calls `line` for every JSON object of a file of lines; a file that is missing has none. NaN and infinities,
// which JSON does not know, are read as null.
typedef tt_status (*tt_report_line)(tt_report_run *run, const json_t *object, void *context);
// Lines that hold `mark` end at `cut`, a member that is left out with all behind it: long texts that nobody
// asks for. NULL: none.
tt_status tt_report_read_lines(tt_report_run *run, const char *file, const char *mark, const char *cut,
    tt_report_line line, void *context) TT_MUST_CHECK;

// Whether the run is finished and the only one of its group with its seed.
bool tt_report_counts(const tt_report_run *run);
// Steps of all its phases that are known of.
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
// Index of the phase of that name, added if need be; -1 where there are too many.
int tt_report_phase_index(tt_report_run *run, const char *name);
// {"accuracy", "n", "ci95", "unanswered"}; n = 0 where the object is no such thing.
tt_report_score tt_report_score_read(const json_t *object);
// A number of a JSON object; NaN where it is missing or no number.
double tt_report_number(const json_t *object, const char *key);

// The run directories among `paths`, or up to three levels below them, in the order of names; each once, as
// zeroed runs with their path. *out is the caller's. Errors: TT_ERR_IO saying what was looked for where a
// path is missing or holds none.
tt_status tt_report_find(const char *const *paths, int n, tt_report_run **out, size_t *n_runs) TT_MUST_CHECK;

#endif
