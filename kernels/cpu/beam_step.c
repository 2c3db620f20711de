// The end of a step of beam search: a few candidates for each prompt.
#include "kernels/cpu/cpu.h"

#include <string.h>

enum { MOVES = -2 }; // goes on in a slot that is not known yet

// Merges the texts' lists.
static void find_best(const tt_beam_step *t, int first, tt_beam_candidate *best) {
    const int k = 2 * t->beams;
    int head[TT_MOST_BEAMS] = {0}; // of each list: what is not among the best yet
    for (int rank = 0; rank < k; ++rank) {
        tt_beam_candidate *next = &best[rank];
        *next = (tt_beam_candidate){.parent = -1, .slot = -1};
        for (int text = 0; text < t->beams; ++text) {
            if (head[text] == k) continue;
            const size_t at = (size_t)(first + text) * (size_t)k + (size_t)head[text];
            const double score = t->total[first + text] + (double)t->score[at];
            if (next->parent >= 0 && !(score > next->score)) continue;
            next->score = score;
            next->parent = text;
            next->token = t->choice[at];
        }
        ++head[next->parent];
    }
}

static void choose_slots(const tt_beam_step *t, tt_beam_candidate *best) {
    tt_beam_candidate *const end = best + 2 * t->beams;
    bool goes_on[TT_MOST_BEAMS] = {false};
    int kept = 0, childless = 0;
    for (tt_beam_candidate *c = best; c < end && kept < t->beams; ++c) {
        if (c->token == t->end) continue;
        ++kept;
        c->slot = goes_on[c->parent] ? MOVES : c->parent;
        goes_on[c->parent] = true;
    }
    for (tt_beam_candidate *c = best; c < end; ++c) {
        if (c->slot != MOVES) continue;
        while (goes_on[childless]) ++childless;
        c->slot = childless++;
    }
}

static void continue_texts(const tt_beam_step *t, int first, const tt_beam_candidate *best) {
    const int length = t->length[first];
    int32_t start[TT_MOST_BEAMS];
    memcpy(start, t->start + first, (size_t)t->beams * sizeof *start);
    for (int i = 0, next = first; i < 2 * t->beams; ++i) {
        const tt_beam_candidate *c = &best[i];
        if (c->slot < 0) continue;
        t->total[next] = c->score;
        t->token[next] = c->token;
        t->row[next] = start[c->slot] + length;
        t->start[next] = start[c->slot];
        t->length[next] = length + 1;
        t->parent[next] = start[c->parent];
        ++next;
    }
}

tt_status tt_cpu_beam_step(tt_device *device, const tt_beam_step *t) {
    (void)device;
    if (t->prompts < 1 || t->beams < 2 || t->beams > TT_MOST_BEAMS)
        return tt_fail(TT_ERR_INPUT,
            "beam_step: %d prompts of %d beams; expected prompts >= 1 and 2 to %d beams", t->prompts,
            t->beams, (int)TT_MOST_BEAMS);
    for (int p = 0; p < t->prompts; ++p) {
        if (t->left[p * t->beams] == 0) continue;
        tt_beam_candidate *best = t->best + 2 * (size_t)p * (size_t)t->beams;
        find_best(t, p * t->beams, best);
        choose_slots(t, best);
        continue_texts(t, p * t->beams, best);
    }
    return TT_OK;
}
