// Which recordings a real run would make and replay (host/model/pass_replay.c), for several ways to round a batch's
// rows, sizes of the table and numbers of sights: the whole program, but for training steps, of which only the
// shape is looked at. Prints its table after a phase's last step and ends.
//
//   cusim_recordings run configs/everyday.yaml --set output=DIR --set acquisition.validate_every=0
//
// Columns: rows are rounded up to the next multiple of a power of two that is at least `least` and at most 1 / `share` of
// them; the table has `shapes` entries, of which the least recently used goes; a shape is recorded at its `sight`th
// sight. Then shares of all steps: replayed, recorded, recordings that had to go; and filler to all rows.
#include "host/train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHAPES = 1024, SPACE = 64 };

typedef struct rows {
    int tokens, seqs, longest;
} rows;

typedef struct entry {
    rows encoder, decoder;
    long used, sights;
} entry;

typedef struct way {
    int least, share, shapes, sight;
    entry table[MOST_SHAPES];
    long clock, replayed, recorded, lost, filler, rows;
} way;

static way *ways;
static int n_ways;

static int space_of(const way *w, int tokens) {
    int space = w->least;
    while (2 * space * w->share <= tokens) space *= 2;
    return space;
}

static rows filled(way *w, int tokens, int seqs, const int32_t *offsets) {
    const int space = space_of(w, tokens), up = tokens / space * space + space;
    int longest = space;
    for (int i = 0; i < seqs; ++i)
        if (offsets[i + 1] - offsets[i] > longest) longest = offsets[i + 1] - offsets[i];
    w->filler += up - tokens;
    w->rows += up;
    return (rows){up, seqs + 1, (longest + SPACE - 1) / SPACE * SPACE};
}

static void see(way *w, const tt_batch *b) {
    entry new = {.encoder = filled(w, b->enc_tokens, b->enc_seqs, b->enc_offsets),
        .decoder = filled(w, b->dec_tokens, b->dec_seqs, b->dec_offsets)};
    entry *found = NULL, *oldest = w->table;
    for (entry *e = w->table; e < w->table + w->shapes && !found; ++e) {
        if (e->used && memcmp(&e->encoder, &new.encoder, sizeof e->encoder) == 0 &&
            memcmp(&e->decoder, &new.decoder, sizeof e->decoder) == 0)
            found = e;
        if (e->used < oldest->used) oldest = e;
    }
    if (!found) {
        if (oldest->sights >= w->sight) ++w->lost;
        *oldest = new;
        found = oldest;
    }
    found->used = ++w->clock;
    found->sights++;
    if (found->sights > w->sight) ++w->replayed;
    if (found->sights == w->sight) ++w->recorded;
}

static void open_ways(void) {
    static const int least[] = {16, 32, 64, 128, 256}, shares[] = {32, 16}, shapes[] = {64, 256, 1024};
    ways = calloc(sizeof least / sizeof *least * 2 * 3 * 2, sizeof *ways);
    if (!ways) abort();
    for (size_t l = 0; l < sizeof least / sizeof *least; ++l)
        for (int share = 0; share < 2; ++share)
            for (int n = 0; n < 3; ++n)
                for (int sight = 2; sight <= 3; ++sight) {
                    way *w = &ways[n_ways++];
                    w->least = least[l], w->share = shares[share], w->shapes = shapes[n], w->sight = sight;
                }
}

static void print_ways(const char *stage, int64_t steps) {
    printf("%lld steps, the last one %s\n%6s %6s %7s %6s %9s %9s %6s %7s\n", (long long)steps, stage, "least",
        "share", "shapes", "sight", "replayed", "recorded", "lost", "filler");
    for (const way *w = ways; w < ways + n_ways; ++w) {
        const double all = (double)w->clock / 100;
        printf("%6d %6d %7d %6d %8.1f%% %8.1f%% %5.1f%% %6.1f%%\n", w->least, w->share, w->shapes, w->sight,
            (double)w->replayed / all, (double)w->recorded / all, (double)w->lost / all,
            100 * (double)w->filler / (double)w->rows);
    }
}

tt_status __wrap_tt_trainer_step(tt_trainer *t, const tt_global_batch *global, tt_step_report *out);
tt_status __wrap_tt_trainer_step(tt_trainer *t, const tt_global_batch *global, tt_step_report *out) {
    static tt_batch batch;
    tt_batch_clear(&batch);
    if (!ways) open_ways();
    if (global->preference)
        TT_TRY(tt_preference_pack(
            global->dataset, global->preference->pairs, global->examples, global->n, &batch));
    else
        TT_TRY(tt_dataset_pack(global->dataset, global->examples, global->n, 0, &batch));
    for (way *w = ways; w < ways + n_ways; ++w) see(w, &batch);
    *out = (tt_step_report){.loss = 1, .norm = 1};
    if (++t->step < t->schedule.total) return TT_OK;
    print_ways(global->stage, t->step);
    exit(0);
}
