// What a teacher wrote, as text and to the JSON schema, and which of several choices are selected. Choices are separated
// by a NUL byte; the first byte says how many options there are.
#include "tests/fuzz/fuzz.h"

#include "host/base/str.h"
#include "host/teacher/selection.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CHOICES = 8, N_AUGMENT = 3 };

static void check_text(const char *text) {
    size_t n = strlen(text);
    fuzz_require(n > 0 && tt_utf8_valid(text, n, NULL), "accepted knowledge is empty or not valid UTF-8");
    const char *trimmed = text;
    tt_trim(&trimmed, &n);
    fuzz_require(n == strlen(text), "accepted knowledge with space around it");
}

static void check_choice(const tt_teacher_choice *c, int n_options) {
    fuzz_require(c->verdict >= 0 && c->verdict < TT_VERDICTS, "an unknown verdict");
    if (c->verdict != TT_CHOICE_KEPT) {
        fuzz_require(!c->general && !c->specific && c->answer < 0, "a refused choice with knowledge");
        return;
    }
    fuzz_require(c->answer >= 0 && c->answer < n_options && c->specific[c->answer], "no right option");
    check_text(c->general);
    for (int i = 0; i < n_options; ++i)
        if (c->specific[i]) check_text(c->specific[i]);
}

static void select_choices(tt_teacher_choice *choices, int n, int n_options) {
    int kept[N_AUGMENT], n_kept;
    const tt_selection_rules rules = {
        .n_options = n_options, .gold = 0, .n_augment = N_AUGMENT, .seed = 1, .question = 1};
    fuzz_must(tt_teacher_select(choices, n, &rules, kept, &n_kept), "no selection");
    fuzz_require(n_kept >= 0 && n_kept <= N_AUGMENT, "more choices than asked for");
    for (int i = 0; i < n_kept; ++i) {
        const tt_teacher_choice *c = &choices[kept[i]];
        fuzz_require(c->verdict == TT_CHOICE_KEPT, "a refused choice is selected");
        for (int o = 0; o < n_options; ++o)
            fuzz_require(c->specific[o] != NULL, "an incomplete choice is selected");
        for (int k = 0; k < i; ++k) fuzz_require(kept[i] != kept[k], "a choice is selected twice");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_arena memory = {0};
    if (size < 1) return 0;
    const int n_options = 2 + data[0] % 25;
    char *text = malloc(size);
    fuzz_require(text != NULL, "no memory");
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    for (int json = 0; json < 2; ++json) {
        tt_teacher_choice choices[MOST_CHOICES];
        int n = 0;
        for (const char *at = text; at < text + size && n < MOST_CHOICES; at += strlen(at) + 1, ++n) {
            const tt_teacher_text source = {.text = at, .json = json};
            fuzz_must(tt_teacher_read(&choices[n], &source, n_options, &memory), "a text is an error");
            check_choice(&choices[n], n_options);
        }
        select_choices(choices, n, n_options);
    }
    free(text);
    tt_arena_close(&memory);
    return 0;
}
