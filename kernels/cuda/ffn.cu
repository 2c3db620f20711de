// The feed-forward's activation with its dropout, by fours. gelu_new as in kernels/cpu/ffn.c.
#include "kernels/cuda/dropout.cuh"

namespace {

enum { THREADS = 256 };

struct gelu {
    float value, slope;
};

// x sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), and its derivative.
__device__ __forceinline__ gelu gelu_at(float x) {
    const float c = 1.5957691216f, a = 0.044715f;
    const float s = 1.0f / (1.0f + expf(-c * x * (1.0f + a * x * x)));
    return {x * s, s + x * s * (1.0f - s) * c * (1.0f + 3.0f * a * x * x)};
}

// Fours of a row: where the i-th of the launch's threads is.
struct place {
    int row, c;
    bool whole;
};
__device__ __forceinline__ bool place_of(int rows, int f, place *out) {
    const int fours = (f + 3) / 4;
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= static_cast<int64_t>(rows) * fours) return false;
    out->row = static_cast<int>(i / fours);
    out->c = 4 * static_cast<int>(i % fours);
    out->whole = f % 4 == 0;
    return true;
}

template <class T, bool GATED> __global__ void forward(tt_ffn p, dropout_plan drop) {
    place at;
    if (!place_of(p.rows, p.f, &at)) return;
    const int n = p.f - at.c;
    const T *h = static_cast<const T *>(p.h) + static_cast<int64_t>(at.row) * (GATED ? 2 : 1) * p.f + at.c;
    float4x x = load4(h, at.whole, n);
    if (GATED) {
        const float4x linear = load4(h + p.f, at.whole, n);
        for (int i = 0; i < 4; ++i) x.v[i] = gelu_at(x.v[i]).value * linear.v[i];
    } else {
        for (int i = 0; i < 4; ++i) x.v[i] = x.v[i] < 0 ? 0 : x.v[i]; // NaN passes
    }
    drop4(drop, at.row, at.c / 4, &x);
    store4(static_cast<T *>(p.a) + static_cast<int64_t>(at.row) * p.f + at.c, x, at.whole, n);
}

template <class T, bool GATED> __global__ void backward(tt_ffn p, dropout_plan drop) {
    place at;
    if (!place_of(p.rows, p.f, &at)) return;
    const int n = p.f - at.c;
    const int64_t offset = static_cast<int64_t>(at.row) * (GATED ? 2 : 1) * p.f + at.c;
    const T *h = static_cast<const T *>(p.h) + offset;
    T *dh = static_cast<T *>(p.dh) + offset;
    float4x g = load4(static_cast<const T *>(p.da) + static_cast<int64_t>(at.row) * p.f + at.c, at.whole, n);
    drop4(drop, at.row, at.c / 4, &g);
    const float4x x = load4(h, at.whole, n);
    if (GATED) {
        const float4x linear = load4(h + p.f, at.whole, n);
        float4x dlinear;
        for (int i = 0; i < 4; ++i) {
            const gelu y = gelu_at(x.v[i]);
            dlinear.v[i] = g.v[i] * y.value;
            g.v[i] *= linear.v[i] * y.slope;
        }
        store4(dh + p.f, dlinear, at.whole, n);
    } else {
        for (int i = 0; i < 4; ++i) g.v[i] = x.v[i] <= 0 ? 0 : g.v[i];
    }
    store4(dh, g, at.whole, n);
}

tt_status check(const tt_ffn *p, const char *op) {
    if (p->rows < 0 || p->f < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d, expected rows >= 0 and f >= 1", op, p->rows, p->f);
    if (p->kind != TT_RELU && p->kind != TT_GATED_GELU)
        return tt_fail(TT_ERR_INPUT, "%s: unknown activation %d", op, static_cast<int>(p->kind));
    return check_dropout(&p->drop, op);
}

int blocks_of(const tt_ffn *p) {
    return tt_ceil_div(static_cast<int64_t>(p->rows) * ((p->f + 3) / 4), THREADS);
}

template <class T> tt_status run_forward(tt_device *device, const tt_ffn *p) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan drop = plan_dropout(&p->drop);
    if (p->kind == TT_RELU)
        TT_CUDA(TT_LAUNCH((forward<T, false>), blocks_of(p), THREADS, 0, stream, *p, drop), "ffn_fwd");
    else
        TT_CUDA(TT_LAUNCH((forward<T, true>), blocks_of(p), THREADS, 0, stream, *p, drop), "ffn_fwd");
    return TT_OK;
}

template <class T> tt_status run_backward(tt_device *device, const tt_ffn *p) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan drop = plan_dropout(&p->drop);
    if (p->kind == TT_RELU)
        TT_CUDA(TT_LAUNCH((backward<T, false>), blocks_of(p), THREADS, 0, stream, *p, drop), "ffn_bwd");
    else
        TT_CUDA(TT_LAUNCH((backward<T, true>), blocks_of(p), THREADS, 0, stream, *p, drop), "ffn_bwd");
    return TT_OK;
}

} // namespace

tt_status tt_cuda_ffn_fwd(tt_device *device, const tt_ffn *p) {
    TT_TRY(check(p, "ffn_fwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_forward, device, p);
}

tt_status tt_cuda_ffn_bwd(tt_device *device, const tt_ffn *p) {
    TT_TRY(check(p, "ffn_bwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_backward, device, p);
}
