// AdamW (Loshchilov, Hutter 2019) as PyTorch has it: decay decoupled from the gradient, both moments
// corrected for their bias, eps added after the correction. One pass over the four buffers: bound by memory.
#include "kernels/bf16.h"
#include "kernels/cpu/cpu.h"

#include <math.h>

typedef struct factors {
    float g_scale, beta1, rest1, beta2, rest2, eps, keep, step_size, root2;
} factors;

TT_MULTIVERSION(void, update_part,
    (int64_t n, float *restrict w, float *restrict m, float *restrict v, const float *restrict g,
        const factors *by),
    (n, w, m, v, g, by)) {
    const factors k = *by;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
        float gi = k.g_scale * g[i];
        float mi = k.beta1 * m[i] + k.rest1 * gi;
        float vi = k.beta2 * v[i] + k.rest2 * gi * gi;
        m[i] = mi;
        v[i] = vi;
        w[i] = w[i] * k.keep - k.step_size * mi / (sqrtf(vi) * k.root2 + k.eps);
    }
}

// False: the gradient is not finite.
static bool clip_factor(const double *squares, double clip, double *factor) {
    *factor = 1;
    if (!squares) return true;
    const double norm = sqrt(*squares);
    if (clip > 0 && clip < norm + 1e-6) *factor = clip / (norm + 1e-6);
    return isfinite(norm);
}

tt_status tt_cpu_adamw(tt_device *device, const tt_adamw *p) {
    if (p->n < 0 || p->step < 1)
        return tt_fail(TT_ERR_INPUT, "adamw: n %lld, step %lld, expected n >= 0 and step >= 1",
            (long long)p->n, (long long)p->step);
    if (!(p->beta1 >= 0 && p->beta1 < 1 && p->beta2 >= 0 && p->beta2 < 1 && p->eps > 0))
        return tt_fail(TT_ERR_INPUT, "adamw: beta1 %g, beta2 %g, eps %g, expected 0 <= beta < 1 and eps > 0",
            (double)p->beta1, (double)p->beta2, (double)p->eps);
    double g_scale;
    if (!clip_factor(p->squares, p->clip, &g_scale)) return TT_OK;
    const double step = (double)p->step;
    const double correction1 = 1 - pow((double)p->beta1, step), correction2 = 1 - pow((double)p->beta2, step);
    const factors k = {.g_scale = (float)g_scale,
        .beta1 = p->beta1,
        .rest1 = 1 - p->beta1,
        .beta2 = p->beta2,
        .rest2 = 1 - p->beta2,
        .eps = p->eps,
        .keep = (float)(1 - (double)p->lr * p->weight_decay),
        .step_size = (float)(p->lr / correction1),
        .root2 = (float)(1 / sqrt(correction2))};
    const int64_t part = 16384;
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int64_t i = 0; i < p->n; i += part) {
        const int64_t n = p->n - i < part ? p->n - i : part;
        update_part(n, p->w + i, p->m + i, p->v + i, p->g + i, &k);
        if (p->copy) tt_bf16_from_float(n, (uint16_t *)p->copy + i, p->w + i);
    }
    return TT_OK;
}
