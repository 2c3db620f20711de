// A file of preference pairs, damaged and edited (hdf5_changes.h).
#include "tests/fuzz/hdf5_changes.h"

#include "host/base/str.h"
#include "host/data/preferences.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fuzz_h5 original;
static uint64_t original_content;

static void mix(uint64_t *hash, const void *bytes, size_t n) {
    const uint64_t both[2] = {*hash, tt_hash(bytes, n)};
    *hash = tt_hash(both, sizeof both);
}

static uint64_t content_of(const tt_preferences *p) {
    const int64_t counts[] = {
        (int64_t)p->n, p->questions, p->without_pairs, p->rules, p->scored, (int64_t)p->reference};
    uint64_t hash = 0;
    mix(&hash, counts, sizeof counts);
    for (size_t i = 0; i < p->n; ++i) {
        const tt_preference_texts *t = &p->items[i];
        const int64_t numbers[] = {
            t->stage, t->question, t->option, t->source, t->chosen_run, t->rejected_run, t->n_came_with};
        const double scores[] = {t->reference_chosen, t->reference_rejected};
        const char *texts[] = {t->prompt, t->chosen, t->rejected};
        mix(&hash, numbers, sizeof numbers);
        mix(&hash, scores, sizeof scores);
        for (int k = 0; k < 3; ++k) mix(&hash, texts[k], strlen(texts[k]));
        for (int k = 0; k < t->n_came_with; ++k) mix(&hash, t->came_with[k], strlen(t->came_with[k]));
    }
    return hash;
}

static void use_pairs(const tt_preferences *pairs) {
    char *shown = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&shown, &n);
    fuzz_require(out != NULL, "no memory");
    tt_preferences_show(pairs, 2, out);
    fclose(out);
    free(shown);
    tt_preferences again = {0};
    fuzz_must(tt_preferences_save(pairs, "again.h5"), "accepted pairs are not saved");
    fuzz_must(tt_preferences_load(&again, "again.h5"), "saved pairs are refused");
    fuzz_require(content_of(&again) == content_of(pairs), "saved pairs read as others");
    tt_preferences_close(&again);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    static const char *const came_with[] = {"red fits.", "blue does not fit."};
    tt_preferences pairs = {
        .questions = 3, .without_pairs = 1, .rules = TT_PREFERENCE_RULES, .scored = true, .reference = 7};
    fuzz_begin(NULL, 0);
    for (int i = 0; i < 4; ++i) {
        const tt_preference_texts texts = {.stage = i % 2 ? TT_ANALYZE : TT_RECALL,
            .question = i,
            .option = i % 2,
            .source = i % TT_PAIR_SOURCES,
            .chosen_run = i,
            .rejected_run = 3 - i,
            .came_with = i % 2 ? NULL : came_with,
            .n_came_with = i % 2 ? 0 : 2,
            .prompt = "What colour is the balo?",
            .chosen = "It is red.",
            .rejected = i < 2 ? "It is blue." : "",
            .reference_chosen = -1.5,
            .reference_rejected = -2.5};
        fuzz_must(tt_preferences_add(&pairs, &texts), "no pair");
    }
    fuzz_must(tt_preferences_save(&pairs, "pairs.h5"), "no pairs");
    original_content = content_of(&pairs);
    fuzz_h5_open(&original, "pairs.h5");
    tt_preferences_close(&pairs);
    return fuzz_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_preferences pairs = {0};
    fuzz_begin(data, size);
    const fuzz_h5_change change = fuzz_h5_write(&original, "pairs.h5", data, size);
    if (fuzz_accepted(tt_preferences_load(&pairs, "pairs.h5"))) {
        fuzz_require(change == FUZZ_H5_EDITED || content_of(&pairs) == original_content,
            "damaged pairs are read as others");
        use_pairs(&pairs);
    } else
        fuzz_require(change != FUZZ_H5_SAME, "good pairs are refused");
    tt_preferences_close(&pairs);
    return fuzz_end();
}
