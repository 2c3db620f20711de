// AdamW over the flat buffers, with the copy for matrix products written on the way. Formula and its source:
// kernels/cpu/adamw.c.
#include "kernels/cuda/kernel.cuh"

namespace {

enum { THREADS = 256 };

struct factors {
    float beta1, rest1, beta2, rest2, eps, keep, step_size, root2;
};

// By one thread of a block. 0: the gradient is not finite.
__device__ float clip_factor(const double *squares, double clip) {
    if (!squares) return 1;
    const double norm = sqrt(*squares);
    if (!isfinite(norm)) return 0;
    return clip > 0 && clip < norm + 1e-6 ? static_cast<float>(clip / (norm + 1e-6)) : 1;
}

__global__ void update(tt_adamw p, factors k) {
    TT_SHARED(float, scale, 1);
    if (threadIdx.x == 0) *scale = clip_factor(p.squares, p.clip);
    __syncthreads();
    const float g_scale = *scale;
    const int64_t i = 4 * (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x);
    if (i >= p.n || !(g_scale > 0)) return;
    const bool whole = i + 4 <= p.n;
    const int n = whole ? 4 : static_cast<int>(p.n - i);
    float4x w = load4(p.w + i, whole, n), m = load4(p.m + i, whole, n), v = load4(p.v + i, whole, n);
    const float4x g = load4(p.g + i, whole, n);
    for (int j = 0; j < 4; ++j) {
        const float gj = g_scale * g.v[j];
        m.v[j] = k.beta1 * m.v[j] + k.rest1 * gj;
        v.v[j] = k.beta2 * v.v[j] + k.rest2 * gj * gj;
        w.v[j] = w.v[j] * k.keep - k.step_size * m.v[j] / (sqrtf(v.v[j]) * k.root2 + k.eps);
    }
    store4(p.w + i, w, whole, n);
    store4(p.m + i, m, whole, n);
    store4(p.v + i, v, whole, n);
    if (p.copy) store4(static_cast<bf16 *>(p.copy) + i, w, whole, n);
}

} // namespace

tt_status tt_cuda_adamw(tt_device *device, const tt_adamw *p) {
    if (p->n < 0 || p->step < 1)
        return tt_fail(TT_ERR_INPUT, "adamw: n %lld, step %lld, expected n >= 0 and step >= 1",
            static_cast<long long>(p->n), static_cast<long long>(p->step));
    if (!(p->beta1 >= 0 && p->beta1 < 1 && p->beta2 >= 0 && p->beta2 < 1 && p->eps > 0))
        return tt_fail(TT_ERR_INPUT, "adamw: beta1 %g, beta2 %g, eps %g, expected 0 <= beta < 1 and eps > 0",
            static_cast<double>(p->beta1), static_cast<double>(p->beta2), static_cast<double>(p->eps));
    if (p->n == 0) return TT_OK;
    const double step = static_cast<double>(p->step);
    const double correction1 = 1 - pow(static_cast<double>(p->beta1), step),
                 correction2 = 1 - pow(static_cast<double>(p->beta2), step);
    const factors k = {
        .beta1 = p->beta1,
        .rest1 = 1 - p->beta1,
        .beta2 = p->beta2,
        .rest2 = 1 - p->beta2,
        .eps = p->eps,
        .keep = static_cast<float>(1 - static_cast<double>(p->lr) * static_cast<double>(p->weight_decay)),
        .step_size = static_cast<float>(static_cast<double>(p->lr) / correction1),
        .root2 = static_cast<float>(1 / sqrt(correction2)),
    };
    TT_CUDA(TT_LAUNCH(update, tt_ceil_div(p->n, 4 * THREADS), THREADS, 0, tt_stream(device), *p, k), "adamw");
    return TT_OK;
}
