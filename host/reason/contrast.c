#include "host/reason/contrast.h"

#include "host/base/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct sides {
    tt_contrast_pair *chosen; // .rejected unused
    int *rejected, *pool;     // pool: texts from elsewhere that may be drawn
    int n_chosen, n_rejected, n_pool;
} sides;

static bool contains_text(const tt_contrast_run *runs, int n, const char *text, bool right) {
    for (int i = 0; i < n; ++i)
        if (runs[i].right == right && strcmp(runs[i].text, text) == 0) return true;
    return false;
}

static void divide_runs(const tt_contrast_run *runs, int n, sides *s) {
    for (int i = 0; i < n; ++i) {
        if (contains_text(runs, i, runs[i].text, runs[i].right) ||
            contains_text(runs, n, runs[i].text, !runs[i].right))
            continue;
        if (runs[i].right)
            s->chosen[s->n_chosen++] = (tt_contrast_pair){.source = TT_FROM_RUN, .chosen = i};
        else
            s->rejected[s->n_rejected++] = i;
    }
}

static void draw_rejected(sides *s, tt_rng *rng) {
    int *drawn = s->pool; // not used as the pool here; large enough for the chosen
    for (int i = 0; i < s->n_chosen; ++i) drawn[i] = s->rejected[tt_rng_below(rng, (uint32_t)s->n_rejected)];
    memcpy(s->rejected, drawn, (size_t)s->n_chosen * sizeof *drawn);
    s->n_rejected = s->n_chosen;
}

static void list_pool(int n_pool, sides *s) {
    for (int t = 0; t < n_pool; ++t) s->pool[s->n_pool++] = t;
}

static void add_from_pool(tt_rng *rng, bool replace, sides *s) {
    while (s->n_pool && s->n_chosen < s->n_rejected) {
        const int drawn = (int)tt_rng_below(rng, (uint32_t)s->n_pool);
        s->chosen[s->n_chosen++] = (tt_contrast_pair){.source = TT_FROM_POOL, .chosen = s->pool[drawn]};
        if (!replace) s->pool[drawn] = s->pool[--s->n_pool];
    }
}

static void draw_again(tt_rng *rng, sides *s) {
    const uint32_t right = (uint32_t)s->n_chosen;
    while (s->n_chosen < s->n_rejected) s->chosen[s->n_chosen++] = s->chosen[tt_rng_below(rng, right)];
}

static void add_chosen(tt_contrast_rule rule, tt_rng *rng, sides *s) {
    if (rule == TT_ADD_FROM_POOL)
        add_from_pool(rng, s->n_pool < s->n_rejected - s->n_chosen, s);
    else if (s->n_chosen == 0)
        add_from_pool(rng, true, s);
    else
        draw_again(rng, s);
    if (s->n_rejected > s->n_chosen) s->n_rejected = s->n_chosen;
}

tt_status tt_contrast(const tt_contrast_case *c, tt_rng *rng, tt_contrast_pair *pairs, int *n_pairs) {
    sides s = {.chosen = pairs};
    *n_pairs = 0;
    if (c->n == 0) return TT_OK;
    const size_t n = (size_t)c->n, capacity = n + (size_t)c->n_pool; // of the pool
    TT_TRY(tt_alloc(&s.rejected, n + capacity, sizeof *s.rejected, "pairs"));
    s.pool = s.rejected + n;
    divide_runs(c->runs, c->n, &s);
    if (s.n_rejected && s.n_chosen > s.n_rejected) draw_rejected(&s, rng);
    if (s.n_chosen < s.n_rejected) {
        list_pool(c->n_pool, &s);
        add_chosen(c->rule, rng, &s);
    }
    if (s.n_rejected) *n_pairs = s.n_chosen;
    for (int i = 0; i < *n_pairs; ++i) pairs[i].rejected = s.rejected[i];
    free(s.rejected);
    return TT_OK;
}
