#include "host/train/schedule.h"

#include <math.h>

tt_status tt_schedule_open(tt_schedule *out, const tt_schedule_options *options) {
    static const char *const names[] = {TT_SCHEDULE_MAP(TT_WORD_TEXT)};
    static const tt_words words = {
        .what = "schedule", .words = names, .n = TT_SCHEDULES, .error = TT_ERR_CONFIG};
    int index;
    TT_TRY(tt_word_parse(&words, options->kind, &index));
    *out = (tt_schedule){.kind = (tt_schedule_kind)index,
        .peak = options->peak,
        .floor = options->floor,
        .warmup = (int64_t)llround(options->warmup * (double)options->total),
        .total = options->total};
    return TT_OK;
}

double tt_schedule_rate(const tt_schedule *s, int64_t step) {
    if (step < s->warmup) return s->peak * (double)(step + 1) / (double)s->warmup;
    if (s->kind == TT_CONSTANT || s->total <= s->warmup) return s->peak;
    double x = (double)(step - s->warmup) / (double)(s->total - s->warmup), left = 1;
    if (x > 1) x = 1;
    switch (s->kind) {
    case TT_COSINE:
        left = 0.5 * (1 + cos(3.141592653589793 * x));
        break;
    case TT_LINEAR:
        left = 1 - x;
        break;
    case TT_CONSTANT:
    case TT_SCHEDULES:
        break;
    }
    return s->peak * (s->floor + (1 - s->floor) * left);
}
