#include "host/reason/portions.h"

#include "host/base/memory.h"

#include <stdlib.h>

enum { CPU_TEXTS = 64, LEAST_WAVES = 4, MOST_WAVES = 8, PIECES = 32 };

int64_t tt_portion_texts(const tt_device *device, int slots, int64_t all) {
    if (!tt_device_records(device)) return CPU_TEXTS;
    const int64_t least = (int64_t)LEAST_WAVES * slots, most = (int64_t)MOST_WAVES * slots,
                  share = all / PIECES;
    return share < least ? least : share > most ? most : share;
}

int tt_widest_stage(tt_stage_set set, int runs, const tt_question *question) {
    const int texts = tt_stage_set_has(set, TT_ANALYZE) ? question->n_options : 1;
    return (runs > 1 ? runs : 1) * (texts > 1 ? texts : 1);
}

tt_status tt_portions_cut(tt_portions *out, const int *texts, int n, const tt_device *device, int slots) {
    int64_t all = 0, before = 0;
    for (int i = 0; i < n; ++i) all += texts[i];
    const int64_t piece = tt_portion_texts(device, slots, all),
                  wanted = piece < 1 || all < piece ? 1 : all / piece;
    *out = (tt_portions){0};
    TT_TRY(tt_alloc(&out->ends, (size_t)n, sizeof *out->ends, "pieces"));
    for (int i = 0; i < n; ++i) {
        before += texts[i];
        if (i == n - 1 || before * wanted >= (out->n + 1) * all) out->ends[out->n++] = i + 1;
    }
    return TT_OK;
}

tt_status tt_portions_whole(tt_portions *out, int n) {
    *out = (tt_portions){.n = 1};
    TT_TRY(tt_alloc(&out->ends, 1, sizeof *out->ends, "pieces"));
    out->ends[0] = n;
    return TT_OK;
}

void tt_portions_join(tt_portions *portions, int pieces, int questions) {
    int n = 0, begin = 0;
    for (int first = 0, i = 0; i < portions->n; ++i) {
        if (i < portions->n - 1 && (i - first + 1 < pieces || portions->ends[i] - begin < questions))
            continue;
        first = i + 1;
        begin = portions->ends[n++] = portions->ends[i];
    }
    portions->n = n;
}

void tt_portions_close(tt_portions *portions) {
    free(portions->ends);
    *portions = (tt_portions){0};
}

int tt_portion_begin(const tt_portions *portions, int64_t piece) {
    return piece ? portions->ends[piece - 1] : 0;
}
