// Preference pairs: two texts for one prompt, where they come from, and their log-probabilities under the reference
// model. In memory, and as an HDF5 file of columns (/pairs/...), readable with h5dump, h5py and
// `tinythinker corpus show`.
#ifndef TT_DATA_PREFERENCES_H
#define TT_DATA_PREFERENCES_H

#include "host/base/memory.h"
#include "host/text/stages.h"

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

// Where a chosen text comes from: constant, word in files (/pairs/source), words for people.
#define TT_PAIR_SOURCE_MAP(X)                                                                                \
    X(TT_PAIR_FROM_RUN, "run", "runs")                                                                       \
    X(TT_PAIR_FROM_TEACHER, "teacher", "of the teacher's")                                                   \
    X(TT_PAIR_CAME_WITH, "came_with", "that came with their recall")                                         \
    X(TT_PAIR_FALLBACK, "fallback", "fallbacks of an earlier version")

typedef enum tt_pair_source {
#define X(source, word, description) source,
    TT_PAIR_SOURCE_MAP(X)
#undef X
        TT_PAIR_SOURCES
} tt_pair_source;

// The word of a source in files.
const char *tt_pair_source_name(tt_pair_source source);

typedef struct tt_preference_texts {
    tt_stage stage;        // TT_RECALL or TT_ANALYZE
    int question;          // index in the corpus
    int option;            // that the texts analyze; 0 for recall
    tt_pair_source source; // of the chosen text
    int chosen_run; // index of the run, of the teacher's reasoning among those of the question that agree,
                    // or of what came with the recall
    int rejected_run;
    const char *const *came_with; // of a recall pair: the analyses that came with the chosen recall, one for
    int n_came_with;              // each option; 0 = none
    const char *prompt, *chosen, *rejected;
    double reference_chosen, reference_rejected; // log-probabilities (sums over tokens) under the reference
} tt_preference_texts;

// Version of the rules by which pairs are chosen.
enum { TT_PREFERENCE_RULES = 2 };

// Zero-initialise; tt_preferences_close releases it. Texts live in `memory`.
typedef struct tt_preferences {
    tt_preference_texts *items;
    size_t n, capacity;
    int questions;      // questions that runs were made for
    int without_pairs;  // of these, questions without a wrong run, or without anything right to pair it with
    int rules;          // TT_PREFERENCE_RULES of the program that made them; 0 = earlier than that number
    bool scored;        // the reference's log-probabilities are known
    uint64_t reference; // hash of the reference checkpoint's weights
    tt_arena memory;
} tt_preferences;

// Appends a copy of the pair and its texts. Errors: TT_ERR_NOMEM.
tt_status tt_preferences_add(tt_preferences *preferences, const tt_preference_texts *texts) TT_MUST_CHECK;
void tt_preferences_close(tt_preferences *preferences);
// Number of pairs of a stage.
int tt_preferences_count(const tt_preferences *preferences, tt_stage stage);

// Errors: TT_ERR_IO; TT_ERR_FORMAT for a damaged or foreign file.
tt_status tt_preferences_save(const tt_preferences *preferences, const char *path) TT_MUST_CHECK;
tt_status tt_preferences_load(tt_preferences *out, const char *path) TT_MUST_CHECK;
// Whether there is a file of preference pairs at `path` (and not a corpus, say).
bool tt_preferences_is_file(const char *path);
// Prints, for people, counts, sources, and the first `examples` pairs of each stage in full.
void tt_preferences_show(const tt_preferences *preferences, int examples, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
