#include "host/reason/portions.h"

#include "host/base/memory.h"

#include <stdlib.h>

enum { CPU_TEXTS = 64, WAVES = 4 };

int tt_portion_texts(tt_device *device, int slots) {
    return tt_device_records(device) ? WAVES * slots : CPU_TEXTS;
}

int tt_widest_stage(tt_stage_set set, int runs, const tt_question *question) {
    const int texts = tt_stage_set_has(set, TT_ANALYZE) ? question->n_options : 1;
    return (runs > 1 ? runs : 1) * (texts > 1 ? texts : 1);
}

tt_status tt_portions_cut(tt_portions *out, const int *texts, int n, int piece) {
    int64_t all = 0, before = 0;
    for (int i = 0; i < n; ++i) all += texts[i];
    const int64_t wanted = all / piece < 1 ? 1 : all / piece;
    *out = (tt_portions){0};
    TT_TRY(tt_alloc(&out->ends, (size_t)n, sizeof *out->ends, "pieces"));
    for (int i = 0; i < n; ++i) {
        before += texts[i];
        if (i == n - 1 || before >= (out->n + 1) * all / wanted) out->ends[out->n++] = i + 1;
    }
    return TT_OK;
}

void tt_portions_close(tt_portions *portions) {
    free(portions->ends);
    *portions = (tt_portions){0};
}

int tt_portion_begin(const tt_portions *portions, int64_t piece) {
    return piece ? portions->ends[piece - 1] : 0;
}
