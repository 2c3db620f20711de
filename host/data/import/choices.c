// CommonsenseQA and OpenBookQA. Both are JSONL, one question a line:
//   {"id", "question": {"stem", "choices": [{"label", "text"}]}, "answerKey"}
#include "host/base/fs.h"
#include "host/base/philox.h"
#include "host/data/import/import.h"
#include "host/text/stages.h"

#include <stdlib.h>
#include <string.h>

// Where a file's questions go.
typedef struct target {
    tt_corpus *corpus;
    tt_split split;
} target;

static tt_status add_choices(void *context, const json_t *object, const char *file_line) {
    const target *to = context;
    const char *options[TT_MAX_OPTIONS], *key;
    char where[TT_PATH_MAX + 160];
    tt_question q = {.options = options, .split = to->split, .gold = -1};
    const json_t *question = json_object_get(object, "question"),
                 *choices = json_object_get(question, "choices");
    TT_TRY(tt_json_text(object, "id", file_line, &q.id));
    snprintf(where, sizeof where, "%s: question %.100s", file_line, q.id);
    TT_TRY(tt_json_text(question, "stem", where, &q.text));
    TT_TRY(tt_json_text(object, "answerKey", where, &key));
    const size_t n = json_array_size(choices);
    if (n < TT_MIN_OPTIONS || n > TT_MAX_OPTIONS)
        return tt_fail(TT_ERR_INPUT, "%s: has %zu options, allowed are %d to %d", where, n, TT_MIN_OPTIONS,
            TT_MAX_OPTIONS);
    for (size_t i = 0; i < n; ++i) {
        const json_t *choice = json_array_get(choices, i);
        const char *label;
        TT_TRY(tt_json_text(choice, "text", where, &options[i]));
        TT_TRY(tt_json_text(choice, "label", where, &label));
        if (strcmp(label, key) == 0) q.gold = (int)i;
    }
    q.n_options = (int)n;
    if (q.gold < 0) return tt_fail(TT_ERR_INPUT, "%s: gold answer '%s' is not among the options", where, key);
    tt_status status = tt_corpus_add_question(to->corpus, &q);
    return status == TT_OK ? TT_OK : tt_context(status, "%s", file_line);
}

tt_status tt_import_csqa(tt_corpus *corpus, const char *train, const char *dev, uint64_t seed) {
    const size_t first = corpus->n_questions;
    TT_TRY(tt_read_jsonl(train, add_choices, &(target){.corpus = corpus, .split = TT_TRAIN}));
    const int n = (int)(corpus->n_questions - first);
    TT_TRY(tt_read_jsonl(dev, add_choices, &(target){.corpus = corpus, .split = TT_TEST}));
    const int held = (int)(corpus->n_questions - first) - n;
    if (held >= n)
        return tt_fail(TT_ERR_INPUT,
            "%s: has %d questions, but validation needs %d of them, as many as %s has", train, n, held, dev);
    int32_t *order;
    TT_TRY(tt_alloc(&order, (size_t)n, sizeof *order, "order"));
    for (int i = 0; i < n; ++i) order[i] = i;
    tt_rng rng;
    tt_rng_open(&rng, seed, TT_FOR_SPLIT, 0, 0);
    tt_rng_shuffle(&rng, order, n);
    for (int i = 0; i < held; ++i) corpus->questions[first + (size_t)order[i]].split = TT_VALIDATION;
    free(order);
    corpus->name = "csqa";
    return TT_OK;
}

tt_status tt_import_obqa(tt_corpus *corpus, const char *train, const char *dev, const char *test) {
    TT_TRY(tt_read_jsonl(train, add_choices, &(target){.corpus = corpus, .split = TT_TRAIN}));
    TT_TRY(tt_read_jsonl(dev, add_choices, &(target){.corpus = corpus, .split = TT_VALIDATION}));
    TT_TRY(tt_read_jsonl(test, add_choices, &(target){.corpus = corpus, .split = TT_TEST}));
    corpus->name = "obqa";
    return TT_OK;
}
