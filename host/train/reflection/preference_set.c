#include "host/train/reflection/preference_set.h"

#include "host/base/memory.h"
#include "host/text/limit.h"
#include "host/train/reading_tasks.h"

#include <stdlib.h>
#include <string.h>

static tt_status add(tt_preference_set *set, const tt_preference_texts *t, const tt_tokenizer *tokenizer,
    int max_input, int max_target, int32_t *buffers[3], size_t capacities[3]) {
    const char *const texts[3] = {t->prompt, t->chosen, t->rejected};
    int n[3];
    bool cut[3];
    tt_dataset *d = &set->dataset;
    for (int i = 0; i < 3; ++i)
        TT_TRY(tt_limit_encode(tokenizer, texts[i], i == 0 ? max_input : max_target, &buffers[i],
            &capacities[i], &n[i], &cut[i]));
    d->cut_inputs += cut[0];
    d->cut_targets += cut[1] || cut[2];
    TT_TRY(tt_grow(&buffers[1], &capacities[1], (size_t)(n[1] + n[2]), sizeof *buffers[1], "pair"));
    memcpy(buffers[1] + n[1], buffers[2], (size_t)n[2] * sizeof *buffers[2]);
    set->pairs[d->n] = (tt_preference_pair){n[1], n[2], t->reference_chosen, t->reference_rejected};
    return tt_pairs_add_ids(d, buffers[0], n[0], buffers[1], n[1] + n[2]);
}

tt_status tt_preference_set_build(tt_preference_set *out, const tt_preferences *preferences, tt_stage stage,
    const tt_tokenizer *tokenizer, int max_input, int max_target) {
    int32_t *buffers[3] = {0};
    size_t capacities[3] = {0};
    const int n = tt_preferences_count(preferences, stage);
    out->dataset.name = tt_stage_name(stage);
    tt_status status = tt_alloc(&out->pairs, (size_t)n, sizeof *out->pairs, "preference pairs");
    for (size_t i = 0; i < preferences->n && status == TT_OK; ++i)
        if (preferences->items[i].stage == stage)
            status = add(out, &preferences->items[i], tokenizer, max_input, max_target, buffers, capacities);
    for (int i = 0; i < 3; ++i) free(buffers[i]);
    return status;
}

void tt_preference_set_close(tt_preference_set *set) {
    tt_dataset_close(&set->dataset);
    free(set->pairs);
    *set = (tt_preference_set){0};
}
