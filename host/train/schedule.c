#include "host/train/schedule.h"

#include <math.h>
#include <string.h>

tt_status tt_schedule_open(
    tt_schedule *out, const char *kind, double peak, double floor, double warmup, int64_t total) {
    static const char *const names[] = {
        [TT_COSINE] = "cosine", [TT_LINEAR] = "linear", [TT_CONSTANT] = "constant"};
    for (int i = 0; i < 3; ++i) {
        if (strcmp(kind, names[i]) != 0) continue;
        *out = (tt_schedule){.kind = (tt_schedule_kind)i, .peak = peak, .floor = floor, .total = total};
        out->warmup = (int64_t)llround(warmup * (double)total);
        return TT_OK;
    }
    return tt_fail(TT_ERR_CONFIG, "schedule '%s' is unknown; allowed are cosine, linear, constant", kind);
}

double tt_schedule_rate(const tt_schedule *s, int64_t step) {
    if (step < s->warmup) return s->peak * (double)(step + 1) / (double)s->warmup;
    if (s->kind == TT_CONSTANT || s->total <= s->warmup) return s->peak;
    double x = (double)(step - s->warmup) / (double)(s->total - s->warmup);
    if (x > 1) x = 1;
    double left = s->kind == TT_LINEAR ? 1 - x : 0.5 * (1 + cos(3.141592653589793 * x));
    return s->peak * (s->floor + (1 - s->floor) * left);
}
