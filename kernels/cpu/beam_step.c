// The end of a step of beam search: a few candidates for each prompt.
#include "kernels/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BEAMS = 256, MOVES = -2 }; // MOVES: goes on in a slot that is not known yet

static int by_score(const void *left, const void *right) {
    const tt_beam_candidate *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->parent != b->parent) return a->parent - b->parent;
    return a->token < b->token ? -1 : a->token > b->token;
}

// `all`: [beams, 2 beams], room for all continuations.
static void find_best(const tt_beam_step *t, int first, tt_beam_candidate *all, tt_beam_candidate *best) {
    const int k = 2 * t->beams;
    tt_beam_candidate *at = all;
    for (int text = 0; text < t->beams; ++text)
        for (int i = 0; i < k; ++i) {
            const size_t from = (size_t)(first + text) * (size_t)k + (size_t)i;
            *at++ = (tt_beam_candidate){.score = t->total[first + text] + (double)t->score[from],
                .parent = text,
                .token = t->choice[from],
                .slot = -1};
        }
    qsort(all, (size_t)(at - all), sizeof *all, by_score);
    memcpy(best, all, (size_t)k * sizeof *best);
}

static void continue_texts(const tt_beam_step *t, int first, tt_beam_candidate *best) {
    const int beams = t->beams, length = t->length[first];
    tt_beam_candidate *const end = best + 2 * beams;
    int32_t start[MOST_BEAMS];
    bool goes_on[MOST_BEAMS] = {false};
    int kept = 0, childless = 0, row = first;
    memcpy(start, t->start + first, (size_t)beams * sizeof *start);
    for (tt_beam_candidate *c = best; c < end && kept < beams; ++c) {
        if (c->token == t->end) continue;
        ++kept;
        c->slot = goes_on[c->parent] ? MOVES : start[c->parent];
        goes_on[c->parent] = true;
    }
    for (tt_beam_candidate *c = best; c < end; ++c) {
        if (c->slot == -1) continue;
        if (c->slot == MOVES) {
            while (goes_on[childless]) ++childless;
            c->slot = start[childless++];
        }
        t->total[row] = c->score;
        t->token[row] = c->token;
        t->row[row] = c->slot + length;
        t->start[row] = c->slot;
        t->length[row] = length + 1;
        t->parent[row] = start[c->parent];
        ++row;
    }
}

tt_status tt_cpu_beam_step(tt_device *device, const tt_beam_step *t) {
    if (t->prompts < 1 || t->beams < 2 || t->beams > MOST_BEAMS)
        return tt_fail(TT_ERR_INPUT,
            "beam_step: %d prompts of %d beams; expected prompts >= 1 and 2 to %d beams", t->prompts,
            t->beams, (int)MOST_BEAMS);
    const size_t k = 2 * (size_t)t->beams;
    tt_beam_candidate *all = tt_device_scratch(device, (size_t)t->beams * k * sizeof *all);
    if (!all) return TT_ERR_NOMEM;
    for (int p = 0; p < t->prompts; ++p) {
        if (t->left[p * t->beams] == 0) continue;
        find_best(t, p * t->beams, all, t->best + (size_t)p * k);
        continue_texts(t, p * t->beams, t->best + (size_t)p * k);
    }
    return TT_OK;
}
