#include "host/report/plot/svg.h"

#include <math.h>

int tt_ticks(double low, double high, int wanted, double *out, int *decimals) {
    *decimals = 0;
    if (!isfinite(low) || !isfinite(high) || !(high > low) || wanted < 1) return 0;
    const double rough = (high - low) / wanted, power = pow(10, floor(log10(rough)));
    const double share = rough / power;
    const double unit = share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10;
    double step = unit * power;
    while ((high - low) / step > TT_TICKS - 1) step *= 2;
    if (step < 1) *decimals = (int)ceil(-log10(step) - 1e-9);
    if (*decimals > 9) *decimals = 9;
    int n = 0;
    const double first = ceil(low / step - 1e-9);
    if (!(fabs(first) < 1e15)) return 0;
    for (double k = first; n < TT_TICKS && k * step <= high + step * 1e-9; ++k)
        out[n++] = k == 0 ? 0 : k * step; // never -0
    return n;
}

int tt_ticks_log(double low, double high, double *out) {
    static const double units[] = {1, 2, 5};
    int n = 0;
    if (!(low > 0) || !(high >= low) || !isfinite(high)) return 0;
    const int first = (int)floor(log10(low)), last = (int)ceil(log10(high));
    const int each = last - first <= 3 ? 3 : 1, skip = 1 + (last - first) / TT_TICKS;
    for (int p = first; p <= last; p += skip)
        for (int u = 0; u < each && n < TT_TICKS; ++u) {
            const double tick = units[u] * pow(10, p);
            if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) out[n++] = tick;
        }
    return n;
}
