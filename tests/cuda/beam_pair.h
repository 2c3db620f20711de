// The end of a step of beam search on both devices, for the sizes of several tests.
#ifndef TT_TESTS_BEAM_PAIR_H
#define TT_TESTS_BEAM_PAIR_H

#include "tests/cuda/pair.h"

// Prompts of n beams, with ties, ends and, where n is odd, empty places; the second prompt waits.
static inline void beam_step_pair(const pair *p, int n) {
    const int k = 2 * n, prompts = n > 9 ? 2 : 3, rows = prompts * n;
    const size_t all = (size_t)(rows * k), found = (size_t)(prompts * k);
    float *score = (float *)twin_alloc(all, sizeof *score);
    double *total = (double *)twin_alloc((size_t)rows, sizeof *total), *moved;
    int32_t *choice = (int32_t *)twin_alloc(all, 4), *numbers = (int32_t *)twin_alloc(6 * (size_t)rows, 4),
            *at;
    tt_beam_candidate *best = (tt_beam_candidate *)twin_alloc(2 * found, sizeof *best);
    twin_random(score, all, 9, 3);
    for (int i = 0; i < rows * k; ++i) {
        score[i] = roundf(score[i] * 8) / 8 - 3;
        for (int place = i; place % k && score[place] > score[place - 1]; --place) { // best first
            const float other = score[place - 1];
            score[place - 1] = score[place], score[place] = other;
        }
        choice[i] = (i % k + 5 * (i / k)) % (k + 1); // each once in a text
    }
    for (int i = 0; i < rows; ++i) {
        total[i] = n % 2 && i % n ? -INFINITY : -(i % 3) / 4.0;
        numbers[i] = i / n == 1 ? 0 : 1;          // left
        numbers[rows + i] = 5;                    // token
        numbers[2 * rows + i] = 40 * i + 6;       // row
        numbers[3 * rows + i] = 40 * i;           // start
        numbers[4 * rows + i] = 7;                // length
        numbers[5 * rows + i] = 40 * (i / n * n); // parent
    }
    at = pair_ints(p, numbers, 6 * (size_t)rows);
    tt_beam_step op = {.prompts = prompts,
        .beams = n,
        .end = 1,
        .choice = pair_ints(p, choice, all),
        .score = (float *)pair_upload(p, score, all, 4),
        .left = at,
        .total = (double *)pair_upload(p, total, (size_t)rows, sizeof *total),
        .token = at + rows,
        .row = at + 2 * rows,
        .start = at + 3 * rows,
        .length = at + 4 * rows,
        .parent = at + 5 * rows,
        .best = (tt_beam_candidate *)pair_upload(p, best, found, sizeof *best)};
    const tt_beam_step gpu = op;
    twin_ok(p->gpu->ops->beam_step(p->gpu, &op));
    int32_t *after = (int32_t *)twin_alloc(6 * (size_t)rows, 4);
    moved = (double *)twin_alloc((size_t)rows, sizeof *moved);
    twin_ok(tt_device_download(p->gpu, after, at, 6 * (size_t)rows * 4));
    twin_ok(tt_device_download(p->gpu, moved, op.total, (size_t)rows * sizeof *moved));
    twin_ok(tt_device_download(p->gpu, best + found, op.best, found * sizeof *best));
    op.choice = choice, op.score = score, op.left = numbers, op.total = total, op.token = numbers + rows;
    op.row = numbers + 2 * rows, op.start = numbers + 3 * rows, op.length = numbers + 4 * rows;
    op.parent = numbers + 5 * rows, op.best = best;
    twin_ok(p->cpu->ops->beam_step(p->cpu, &op));
    twin_same_bits("best continuations", best + found, best, found, sizeof *best);
    twin_same_bits("numbers of the next step", after, numbers, 6 * (size_t)rows, 4);
    twin_same_bits("sums of the next step", moved, total, (size_t)rows, sizeof *moved);
    assert_int_equal(after[2 * rows + n], 40 * n + 6); // the second prompt waits
    assert_int_equal(after[4 * rows], 8);
    tt_device_free(p->gpu, at), tt_device_free(p->gpu, (void *)gpu.choice);
    tt_device_free(p->gpu, (void *)gpu.score), tt_device_free(p->gpu, gpu.total),
        tt_device_free(p->gpu, gpu.best);
    free(score), free(total), free(choice), free(numbers), free(best), free(after), free(moved);
}

#endif
