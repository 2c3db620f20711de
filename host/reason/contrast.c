#include "host/reason/contrast.h"

#include "host/base/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct sides {
    tt_contrast_pair *chosen; // .rejected unused
    int *rejected, *pool;     // pool: the teacher's texts that may be drawn
    int n_chosen, n_rejected, n_pool;
} sides;

static bool has(const tt_contrast_run *runs, int n, const char *text, bool right) {
    for (int i = 0; i < n; ++i)
        if (runs[i].right == right && strcmp(runs[i].text, text) == 0) return true;
    return false;
}

static void divide(const tt_contrast_run *runs, int n, sides *s) {
    for (int i = 0; i < n; ++i) {
        if (has(runs, i, runs[i].text, runs[i].right) || has(runs, n, runs[i].text, !runs[i].right)) continue;
        if (runs[i].right)
            s->chosen[s->n_chosen++] = (tt_contrast_pair){.source = TT_FROM_RUN, .chosen = i};
        else
            s->rejected[s->n_rejected++] = i;
    }
}

static void draw_rejected(sides *s, tt_rng *rng) {
    int *drawn = s->pool; // as long as the chosen
    for (int i = 0; i < s->n_chosen; ++i) drawn[i] = s->rejected[tt_rng_below(rng, (uint32_t)s->n_rejected)];
    memcpy(s->rejected, drawn, (size_t)s->n_chosen * sizeof *drawn);
    s->n_rejected = s->n_chosen;
}

static void add_chosen(
    const tt_contrast_run *runs, int n, const char *const *teacher, int n_teacher, tt_rng *rng, sides *s) {
    for (int t = 0; t < n_teacher; ++t)
        if (!has(runs, n, teacher[t], false)) s->pool[s->n_pool++] = t;
    const bool enough = s->n_pool >= s->n_rejected - s->n_chosen;
    while (s->n_pool && s->n_chosen < s->n_rejected) {
        const int at = (int)tt_rng_below(rng, (uint32_t)s->n_pool);
        s->chosen[s->n_chosen++] = (tt_contrast_pair){.source = TT_FROM_TEACHER, .chosen = s->pool[at]};
        if (enough) s->pool[at] = s->pool[--s->n_pool];
    }
    if (s->n_rejected > s->n_chosen) s->n_rejected = s->n_chosen;
}

tt_status tt_contrast(const tt_contrast_run *runs, int n, const char *const *teacher, int n_teacher,
    const char *fallback, tt_rng *rng, tt_contrast_pair *pairs, int *n_pairs) {
    sides s = {.chosen = pairs};
    *n_pairs = 0;
    if (n == 0) return TT_OK;
    const size_t room = (size_t)n + (size_t)n_teacher;
    TT_TRY(tt_alloc(&s.rejected, (size_t)n + room, sizeof *s.rejected, "pairs"));
    s.pool = s.rejected + n;
    divide(runs, n, &s);
    if (s.n_rejected) {
        if (s.n_chosen == 0 && fallback)
            s.chosen[s.n_chosen++] = (tt_contrast_pair){.source = TT_FROM_FALLBACK};
        if (s.n_chosen > s.n_rejected)
            draw_rejected(&s, rng);
        else if (s.n_chosen < s.n_rejected)
            add_chosen(runs, n, teacher, n_teacher, rng, &s);
        for (int i = 0; i < s.n_chosen; ++i) pairs[i].rejected = s.rejected[i];
        *n_pairs = s.n_chosen;
    }
    free(s.rejected);
    return TT_OK;
}
