#include "host/lab/advice.h"

#include "host/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct trial {
    tt_config *config;
    const tt_corpus *corpus;
    const tt_needs_machine *machine;
    double limit;
    tt_needs *needs, *tried;
    tt_advice_list *out;
} trial;

static bool fits(const trial *t) {
    const tt_need *largest = tt_needs_largest(t->needs);
    return !largest || (double)largest->peak.all <= t->limit;
}

// Counts again with key=value. Where that helps, it is kept and noted.
static tt_status try_setting(trial *t, const char *key, const char *value, bool *helps) {
    const size_t now = tt_needs_largest(t->needs)->peak.all;
    tt_str before = {0};
    *helps = false;
    tt_status status = tt_config_value(t->config, key, &before);
    const bool known = status == TT_OK && before.length > 0 && strcmp(tt_str_text(&before), value) != 0;
    if (known) status = tt_config_set(t->config, key, value);
    if (known && status == TT_OK) status = tt_needs_count(t->tried, t->config, t->corpus, t->machine);
    if (known && status == TT_OK) {
        const size_t all = tt_needs_largest(t->tried)->peak.all;
        *helps = (double)all < 0.99 * (double)now && t->out->n < TT_MOST_ADVICE;
        if (*helps) {
            tt_advice *a = &t->out->items[t->out->n++];
            a->all = all;
            snprintf(a->setting, sizeof a->setting, "%s=%s", key, value);
            *t->needs = *t->tried;
        } else {
            status = tt_config_set(t->config, key, tt_str_text(&before));
        }
    }
    tt_str_close(&before);
    return status;
}

// ---- settings, in the order in which they are tried: what costs no speed first

// A key of the phase that has the largest peak; "" where that is the final evaluation.
static void key_of_phase(const trial *t, const char *name, char *out, size_t size) {
    const tt_need *largest = tt_needs_largest(t->needs);
    if (largest->phase >= 0)
        snprintf(out, size, "%s.%s", t->needs->phases[largest->phase].section, name);
    else
        *out = '\0';
}

// A whole number's value; 0 where the key is unknown.
static tt_status number_of(const trial *t, const char *key, int64_t *out) {
    tt_str text = {0};
    const tt_status status = tt_config_value(t->config, key, &text);
    *out = text.length ? strtoll(tt_str_text(&text), NULL, 10) : 0;
    tt_str_close(&text);
    return status;
}

// Twice as many parts, while each rank has an example for each part.
static tt_status more_parts(trial *t, bool *helps) {
    char key[64], value[32];
    int64_t parts;
    *helps = false;
    key_of_phase(t, "accumulate", key, sizeof key);
    TT_TRY(number_of(t, key, &parts));
    if (parts == 0) return TT_OK;
    const tt_needs_phase *phase = &t->needs->phases[tt_needs_largest(t->needs)->phase];
    if (2 * parts * t->machine->ranks > phase->largest_batch) return TT_OK;
    snprintf(value, sizeof value, "%lld", 2 * (long long)parts);
    return try_setting(t, key, value, helps);
}

static tt_status recompute_layers(trial *t, bool *helps) {
    char key[64];
    *helps = false;
    key_of_phase(t, "recompute", key, sizeof key);
    return *key ? try_setting(t, key, "layers", helps) : TT_OK;
}

static tt_status share_moments(trial *t, bool *helps) {
    char key[64];
    *helps = false;
    key_of_phase(t, "zero", key, sizeof key);
    return *key && t->machine->ranks > 1 ? try_setting(t, key, "1", helps) : TT_OK;
}

// Half as many sequences at a time.
static tt_status fewer_slots(trial *t, bool *helps) {
    enum { LEAST = 8 };
    static const char key[] = "evaluation.slots";
    char value[32];
    int64_t slots;
    *helps = false;
    TT_TRY(number_of(t, key, &slots));
    if (!tt_needs_largest(t->needs)->generates || slots / 2 < LEAST) return TT_OK;
    snprintf(value, sizeof value, "%lld", (long long)(slots / 2));
    return try_setting(t, key, value, helps);
}

tt_status tt_advise(tt_advice_list *out, tt_config *config, const tt_corpus *corpus,
    const tt_needs_machine *machine, double limit, tt_needs *needs) {
    tt_status (*const ways[])(trial *, bool *) = {more_parts, recompute_layers, share_moments, fewer_slots};
    enum { WAYS = sizeof ways / sizeof *ways };
    trial t = {
        .config = config, .corpus = corpus, .machine = machine, .limit = limit, .needs = needs, .out = out};
    *out = (tt_advice_list){0};
    TT_TRY(tt_alloc(&t.tried, 1, sizeof *t.tried, "plan"));
    tt_status status = TT_OK;
    // From the first way again after each that helped, since another part of the run may have the largest peak then.
    for (int way = 0; way < WAYS && status == TT_OK && !fits(&t);) {
        bool helps;
        status = ways[way](&t, &helps);
        way = helps ? 0 : way + 1;
    }
    out->fits = fits(&t);
    free(t.tried);
    return status;
}
