#include "host/train/reflection/preference_set.h"

#include "host/base/memory.h"
#include "host/text/limit.h"

#include <stdlib.h>
#include <string.h>

enum { PROMPT, CHOSEN, REJECTED, TEXTS };

// Token ids of a pair's texts, reused from pair to pair.
typedef struct pair_encoder {
    const tt_tokenizer *tokenizer;
    int limits[TEXTS];
    tt_ids ids[TEXTS];
} pair_encoder;

static tt_status add_pair(tt_preference_set *set, pair_encoder *e, const tt_preference_texts *t) {
    const char *const texts[TEXTS] = {t->prompt, t->chosen, t->rejected};
    bool cut[TEXTS];
    tt_dataset *d = &set->dataset;
    for (int i = 0; i < TEXTS; ++i)
        TT_TRY(tt_limit_encode(e->tokenizer, texts[i], e->limits[i], &e->ids[i], &cut[i]));
    const tt_ids *prompt = &e->ids[PROMPT], *rejected = &e->ids[REJECTED];
    tt_ids *chosen = &e->ids[CHOSEN];
    const int target = chosen->n + rejected->n;
    TT_TRY(tt_grow(&chosen->items, &chosen->capacity, (size_t)target, sizeof *chosen->items, "pair"));
    memcpy(chosen->items + chosen->n, rejected->items, (size_t)rejected->n * sizeof *chosen->items);
    d->cut_inputs += cut[PROMPT];
    d->cut_targets += cut[CHOSEN] || cut[REJECTED];
    set->pairs[d->n] = (tt_preference_pair){.chosen_tokens = chosen->n,
        .rejected_tokens = rejected->n,
        .reference_chosen = t->reference_chosen,
        .reference_rejected = t->reference_rejected};
    return tt_dataset_add_ids(d, prompt->items, prompt->n, chosen->items, target);
}

tt_status tt_preference_set_build(tt_preference_set *out, const tt_preferences *preferences, tt_stage stage,
    const tt_tokenizer *tokenizer, const tt_training_config *limits) {
    const int max_input = (int)limits->max_input, max_target = (int)limits->max_target;
    pair_encoder e = {.tokenizer = tokenizer, .limits = {max_input, max_target, max_target}};
    const int n = tt_preferences_count(preferences, stage);
    out->dataset.name = tt_stage_name(stage);
    tt_status status = tt_alloc(&out->pairs, (size_t)n, sizeof *out->pairs, "preference pairs");
    for (size_t i = 0; i < preferences->n && status == TT_OK; ++i)
        if (preferences->items[i].stage == stage) status = add_pair(out, &e, &preferences->items[i]);
    for (int i = 0; i < TEXTS; ++i) free(e.ids[i].items);
    return status;
}

void tt_preference_set_close(tt_preference_set *set) {
    tt_dataset_close(&set->dataset);
    free(set->pairs);
    *set = (tt_preference_set){0};
}
