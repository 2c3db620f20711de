#include "host/data/corpus_tokens.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/data/stage_dataset.h"

#include <stdlib.h>
#include <string.h>

void tt_corpus_tokens_close(tt_corpus *corpus) {
    if (!corpus->tokens) return;
    for (int s = 0; s < TT_STAGES; ++s) tt_dataset_close(&corpus->tokens->stages[s]);
    free(corpus->tokens);
    corpus->tokens = NULL;
}

void tt_corpus_tokens_show(const tt_corpus *corpus, FILE *out) {
    const struct tt_corpus_tokens *t = corpus->tokens;
    if (!t) return;
    fprintf(out, "tokenised for stages %s with tokenizer %016llx:", tt_stage_set_name(t->set),
        (unsigned long long)t->tokenizer);
    for (int s = 0; s < TT_STAGES; ++s) {
        const tt_dataset *d = &t->stages[s];
        if (d->n)
            tt_print(out, " %s %d examples of %.1f tokens%s", tt_stage_name((tt_stage)s), d->n,
                (double)d->tokens / d->n, s == TT_SUMMARIZE ? "" : ",");
    }
    fprintf(out, "\n");
}

tt_status tt_stage_tokens_write(const tt_h5 *h, const tt_dataset *d, tt_stage stage) {
    char name[64];
    if (d->n == 0) return TT_OK;
    snprintf(name, sizeof name, "/stages/%s/ids", tt_stage_name(stage));
    TT_TRY(tt_h5_write(h, name, (tt_h5_layout){H5T_NATIVE_INT32, (size_t)d->tokens, 0}, d->ids));
    snprintf(name, sizeof name, "/stages/%s/offsets", tt_stage_name(stage));
    TT_TRY(tt_h5_write(h, name, (tt_h5_layout){H5T_NATIVE_INT64, 2 * (size_t)d->n + 1, 0}, d->offsets));
    snprintf(name, sizeof name, "/stages/%s", tt_stage_name(stage));
    TT_TRY(tt_h5_put_i64(h, name, "cut_inputs", d->cut_inputs));
    TT_TRY(tt_h5_put_i64(h, name, "cut_targets", d->cut_targets));
    return tt_h5_put_i64(h, name, "unknown", d->unknown);
}

tt_status tt_corpus_tokens_write(const tt_h5 *h, const tt_corpus *corpus) {
    const struct tt_corpus_tokens *t = corpus->tokens;
    if (!t) return TT_OK;
    TT_TRY(tt_h5_group(h, "/stages"));
    TT_TRY(tt_h5_put_i64(h, "/stages", "rules", TT_TOKEN_RULES));
    TT_TRY(tt_h5_put_text(h, "/stages", "set", tt_stage_set_name(t->set)));
    TT_TRY(tt_h5_put_i64(h, "/stages", "tokenizer_hash", (int64_t)t->tokenizer));
    TT_TRY(tt_h5_put_i64(h, "/stages", "max_input", t->max_input));
    TT_TRY(tt_h5_put_i64(h, "/stages", "max_target", t->max_target));
    for (int s = 0; s < TT_STAGES; ++s) TT_TRY(tt_stage_tokens_write(h, &t->stages[s], (tt_stage)s));
    return TT_OK;
}

// Offsets rise from 0 to the number of ids, no input or target is empty, ids are not negative.
static tt_status check_stage(const tt_h5 *h, const char *name, const tt_dataset *d, size_t n_offsets) {
    bool good =
        n_offsets >= 3 && n_offsets % 2 == 1 && d->offsets[0] == 0 && d->offsets[n_offsets - 1] == d->tokens;
    for (size_t i = 0; i + 1 < n_offsets && good; ++i) good = d->offsets[i + 1] > d->offsets[i];
    for (int64_t i = 0; i < d->tokens && good; ++i) good = d->ids[i] >= 0;
    return good ? TT_OK : tt_fail(TT_ERR_FORMAT, "%s: %s is damaged; build the corpus again", h->path, name);
}

tt_status tt_stage_tokens_read(const tt_h5 *h, tt_dataset *d, tt_stage stage) {
    char name[64], ids[80], offsets[80];
    size_t n_ids, n_offsets, columns;
    snprintf(name, sizeof name, "/stages/%s", tt_stage_name(stage));
    if (!tt_h5_has(h, name)) return TT_OK;
    snprintf(ids, sizeof ids, "%s/ids", name);
    snprintf(offsets, sizeof offsets, "%s/offsets", name);
    TT_TRY(tt_h5_shape(h, ids, &n_ids, &columns));
    TT_TRY(tt_h5_shape(h, offsets, &n_offsets, &columns));
    TT_TRY(tt_alloc(&d->ids, n_ids + 1, sizeof *d->ids, ids)); // just as much, since none are added
    d->ids_capacity = n_ids + 1;
    TT_TRY(tt_alloc(&d->offsets, n_offsets + 1, sizeof *d->offsets, offsets));
    d->offsets_capacity = n_offsets + 1;
    TT_TRY(tt_h5_read(h, ids, (tt_h5_layout){H5T_NATIVE_INT32, n_ids, 0}, d->ids));
    TT_TRY(tt_h5_read(h, offsets, (tt_h5_layout){H5T_NATIVE_INT64, n_offsets, 0}, d->offsets));
    TT_TRY(tt_h5_get_i64(h, name, "cut_inputs", &d->cut_inputs));
    TT_TRY(tt_h5_get_i64(h, name, "cut_targets", &d->cut_targets));
    TT_TRY(tt_h5_get_i64(h, name, "unknown", &d->unknown));
    d->tokens = (int64_t)n_ids;
    d->n = (int)(n_offsets / 2);
    d->name = tt_stage_name(stage);
    return check_stage(h, name, d, n_offsets);
}

tt_status tt_corpus_tokens_read(const tt_h5 *h, tt_corpus *corpus) {
    int64_t hash, max_input, max_target, rules;
    char *set;
    if (!tt_h5_has(h, "/stages")) return TT_OK;
    rules = 0;
    if (tt_h5_has_attribute(h, "/stages", "rules")) TT_TRY(tt_h5_get_i64(h, "/stages", "rules", &rules));
    if (rules != TT_TOKEN_RULES) {
        tt_warn("%s: its tokens were made by another version; its texts are tokenised again", h->path);
        return TT_OK;
    }
    TT_TRY(tt_alloc(&corpus->tokens, 1, sizeof *corpus->tokens, "tokens"));
    struct tt_corpus_tokens *t = corpus->tokens;
    TT_TRY(tt_h5_get_i64(h, "/stages", "tokenizer_hash", &hash));
    TT_TRY(tt_h5_get_i64(h, "/stages", "max_input", &max_input));
    TT_TRY(tt_h5_get_i64(h, "/stages", "max_target", &max_target));
    TT_TRY(tt_h5_get_text(h, "/stages", "set", &set));
    tt_status status = tt_stage_set_parse(&t->set, set);
    free(set);
    if (status != TT_OK) return tt_context(TT_ERR_FORMAT, "%s", h->path);
    t->tokenizer = (uint64_t)hash;
    t->max_input = (int)max_input;
    t->max_target = (int)max_target;
    for (int s = 0; s < TT_STAGES; ++s) TT_TRY(tt_stage_tokens_read(h, &t->stages[s], (tt_stage)s));
    return TT_OK;
}

bool tt_corpus_tokens_fit(const tt_corpus *corpus, const tt_stage_options *o) {
    const struct tt_corpus_tokens *t = corpus->tokens;
    return t && o->split == TT_TRAIN && o->set == t->set && o->max_input == t->max_input &&
           o->max_target == t->max_target;
}

tt_status tt_corpus_tokens_lend(
    tt_dataset *dataset, const tt_corpus *corpus, const tt_stage_options *o, bool *lent) {
    const struct tt_corpus_tokens *t = corpus->tokens;
    *lent = false;
    if (!t) return TT_OK;
    if (t->tokenizer != tt_tokenizer_hash(o->tokenizer))
        return tt_fail(TT_ERR_INPUT,
            "corpus %s was tokenised with tokenizer %016llx, the student has %016llx; build the corpus again "
            "with the student's (--tokenizer), or without --tokenizer",
            corpus->name, (unsigned long long)t->tokenizer,
            (unsigned long long)tt_tokenizer_hash(o->tokenizer));
    const tt_dataset *from = &t->stages[o->stage];
    if (!tt_corpus_tokens_fit(corpus, o) || from->n == 0) return TT_OK;
    const int size = tt_tokenizer_size(o->tokenizer);
    for (int64_t i = 0; i < from->tokens; ++i)
        if (from->ids[i] >= size)
            return tt_fail(TT_ERR_FORMAT,
                "corpus %s: /stages/%s contains token %d, its tokenizer has %d; build the corpus again",
                corpus->name, tt_stage_name(o->stage), from->ids[i], size);
    const char *name = dataset->name;
    *dataset = *from;
    dataset->name = name;
    dataset->lent = *lent = true;
    return TT_OK;
}
