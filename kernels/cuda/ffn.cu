// The feed-forward's activation with its dropout, by eight elements at once: those of a byte of ReLU's mask. gelu_new as
// in kernels/cpu/ffn.c.
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

// Eight elements as they are in memory, with zeros behind the n-th: several are under way before the first is converted.
// `whole`: all are there, and rows begin at multiples of eight.
template <class T> struct eight;
template <> struct eight<float> { float4 half[2]; };
template <> struct eight<bf16> { uint4 pairs; };
enum { EIGHT = 8 };

__device__ __forceinline__ void load_eight(eight<float> *out, const float *p, bool whole, int n) {
    if (whole) {
        out->half[0] = reinterpret_cast<const float4 *>(p)[0];
        out->half[1] = reinterpret_cast<const float4 *>(p)[1];
        return;
    }
    float v[EIGHT];
    for (int i = 0; i < EIGHT; ++i) v[i] = i < n ? p[i] : 0;
    out->half[0] = make_float4(v[0], v[1], v[2], v[3]);
    out->half[1] = make_float4(v[4], v[5], v[6], v[7]);
}
__device__ __forceinline__ void load_eight(eight<bf16> *out, const bf16 *p, bool whole, int n) {
    if (whole) {
        out->pairs = *reinterpret_cast<const uint4 *>(p);
        return;
    }
    uint32_t v[EIGHT];
    for (int i = 0; i < EIGHT; ++i) v[i] = i < n ? __bfloat16_as_ushort(p[i]) : 0;
    out->pairs = make_uint4(v[0] | v[1] << 16, v[2] | v[3] << 16, v[4] | v[5] << 16, v[6] | v[7] << 16);
}

__device__ __forceinline__ void widen(float4x out[2], const eight<float> &x) {
#pragma unroll
    for (int k = 0; k < 2; ++k) out[k] = {{x.half[k].x, x.half[k].y, x.half[k].z, x.half[k].w}};
}
__device__ __forceinline__ void widen(float4x out[2], const eight<bf16> &x) {
    const uint32_t pairs[4] = {x.pairs.x, x.pairs.y, x.pairs.z, x.pairs.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        out[i / 2].v[2 * (i % 2)] = __uint_as_float(pairs[i] << 16);
        out[i / 2].v[2 * (i % 2) + 1] = __uint_as_float(pairs[i] & 0xffff0000u);
    }
}

__device__ __forceinline__ void store_eight(float *p, const float4x x[2], bool whole, int n) {
    store4(p, x[0], whole, n);
    store4(p + 4, x[1], whole, n - 4);
}
__device__ __forceinline__ void store_eight(bf16 *p, const float4x x[2], bool whole, int n) {
    store_piece(p, piece<bf16>{{x[0], x[1]}}, whole, n);
}

// A warp has a stretch of a row: U times EIGHT elements a lane, WARP * EIGHT apart from each other.
template <int U> struct place {
    static constexpr int step = WARP * EIGHT, stretch = U * step;
    int row, c;
    bool whole;
};
template <int U> __device__ __forceinline__ bool find_place(int rows, int f, place<U> *out) {
    const uint32_t stretches = static_cast<uint32_t>(f + out->stretch - 1) / out->stretch;
    const uint32_t i = (blockIdx.x * THREADS + threadIdx.x) / WARP,
                   row = i / stretches; // fits: see check_ffn
    if (row >= static_cast<uint32_t>(rows)) return false;
    out->row = static_cast<int>(row);
    out->c = static_cast<int>((i - row * stretches) * out->stretch + threadIdx.x % WARP * EIGHT);
    out->whole = f % EIGHT == 0;
    return true;
}

// Eights of a lane. ReLU's forward pass takes more, so that the keys of Philox's rounds are made once for all.
enum { OF_RELU = 4, OF_OTHERS = 1 };

__device__ __forceinline__ void drop8(
    const dropout_plan &drop, const dropout_token &token, int c, float4x x[2]) {
    if (!drop.threshold) return;
#pragma unroll
    for (int k = 0; k < 2; ++k) drop4(drop, token, c / 4 + k, &x[k]);
}

template <class T> __global__ void forward_relu(tt_ffn p, dropout_plan drop, int mask_bytes) {
    place<OF_RELU> here;
    if (!find_place(p.rows, p.f, &here)) return;
    const int64_t row = here.row, offset = row * p.f;
    eight<T> h[OF_RELU];
#pragma unroll
    for (int u = 0; u < OF_RELU; ++u) {
        const int c = here.c + here.step * u;
        if (c < p.f) load_eight(&h[u], static_cast<const T *>(p.h) + offset + c, here.whole, p.f - c);
    }
    const dropout_token token = token_of(drop, row);
#pragma unroll
    for (int u = 0; u < OF_RELU; ++u) {
        const int c = here.c + here.step * u;
        if (c >= p.f) break;
        float4x x[2];
        widen(x, h[u]);
#pragma unroll
        for (int i = 0; i < EIGHT; ++i) {
            float *at = &x[i / 4].v[i % 4];
            *at = *at < 0 ? 0 : *at; // NaN passes
        }
        drop8(drop, token, c, x);
        store_eight(static_cast<T *>(p.a) + offset + c, x, here.whole, p.f - c);
        if (!p.mask) continue;
        uint32_t bits = 0;
#pragma unroll
        for (int i = 0; i < EIGHT; ++i)
            if (!(x[i / 4].v[i % 4] <= 0)) bits |= 1u << i;
        p.mask[row * mask_bytes + c / 8] = static_cast<uint8_t>(bits);
    }
}

template <class T> __global__ void backward_relu(tt_ffn p, float kept, int mask_bytes) {
    place<OF_OTHERS> here;
    if (!find_place(p.rows, p.f, &here) || here.c >= p.f) return;
    const int64_t row = here.row, offset = row * p.f + here.c;
    const int n = p.f - here.c;
    const uint32_t bits = p.mask[row * mask_bytes + here.c / 8];
    eight<T> da;
    load_eight(&da, static_cast<const T *>(p.da) + offset, here.whole, n);
    float4x g[2];
    widen(g, da);
#pragma unroll
    for (int i = 0; i < EIGHT; ++i) {
        float *at = &g[i / 4].v[i % 4];
        *at = bits >> i & 1 ? *at * kept : 0;
    }
    store_eight(static_cast<T *>(p.dh) + offset, g, here.whole, n);
}

template <class T> __global__ void forward_gated(tt_ffn p, dropout_plan drop) {
    place<OF_OTHERS> here;
    if (!find_place(p.rows, p.f, &here) || here.c >= p.f) return;
    const int64_t row = here.row;
    const int n = p.f - here.c;
    const T *h = static_cast<const T *>(p.h) + 2 * row * p.f + here.c;
    eight<T> gate, linear;
    load_eight(&gate, h, here.whole, n);
    load_eight(&linear, h + p.f, here.whole, n);
    const dropout_token token = token_of(drop, row);
    float4x x[2], y[2];
    widen(x, gate);
    widen(y, linear);
#pragma unroll
    for (int i = 0; i < EIGHT; ++i) {
        float *at = &x[i / 4].v[i % 4];
        *at = gelu_at(*at).value * y[i / 4].v[i % 4];
    }
    drop8(drop, token, here.c, x);
    store_eight(static_cast<T *>(p.a) + row * p.f + here.c, x, here.whole, n);
}

template <class T> __global__ void backward_gated(tt_ffn p, dropout_plan drop) {
    place<OF_OTHERS> here;
    if (!find_place(p.rows, p.f, &here) || here.c >= p.f) return;
    const int64_t row = here.row, offset = 2 * row * p.f + here.c;
    const int n = p.f - here.c;
    const T *h = static_cast<const T *>(p.h) + offset;
    T *dh = static_cast<T *>(p.dh) + offset;
    eight<T> da, gate, linear;
    load_eight(&da, static_cast<const T *>(p.da) + row * p.f + here.c, here.whole, n);
    load_eight(&gate, h, here.whole, n);
    load_eight(&linear, h + p.f, here.whole, n);
    const dropout_token token = token_of(drop, row);
    float4x g[2], x[2], y[2];
    widen(g, da);
    widen(x, gate);
    widen(y, linear);
    drop8(drop, token, here.c, g);
#pragma unroll
    for (int i = 0; i < EIGHT; ++i) {
        float *at = &g[i / 4].v[i % 4], *other = &y[i / 4].v[i % 4];
        const gelu a = gelu_at(x[i / 4].v[i % 4]);
        const float gradient = *at;
        *at = gradient * (*other * a.slope);
        *other = gradient * a.value;
    }
    store_eight(dh + p.f, y, here.whole, n);
    store_eight(dh, g, here.whole, n);
}

tt_status check_ffn(const tt_ffn *p, const char *op) {
    if (p->rows < 0 || p->f < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d, expected rows >= 0 and f >= 1", op, p->rows, p->f);
    if (p->activation != TT_RELU && p->activation != TT_GATED_GELU)
        return tt_fail(TT_ERR_INPUT, "%s: unknown activation %d", op, static_cast<int>(p->activation));
    if (static_cast<int64_t>(p->rows) * tt_ceil_div(p->f, WARP * EIGHT) * WARP > INT32_MAX)
        return tt_fail(TT_ERR_UNSUPPORTED, "%s: %d rows of %d are too many for one call on device cuda", op,
            p->rows, p->f);
    return check_dropout(&p->drop, op);
}

template <int U> int blocks_of(const tt_ffn *p) {
    return tt_ceil_div(static_cast<int64_t>(p->rows) * tt_ceil_div(p->f, place<U>::stretch) * WARP, THREADS);
}

template <class T> tt_status run_forward(tt_device *device, const tt_ffn *p) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan drop = plan_dropout(&p->drop);
    if (p->activation == TT_RELU)
        TT_CUDA(TT_LAUNCH((forward_relu<T>), blocks_of<OF_RELU>(p), THREADS, 0, stream, *p, drop,
                    tt_mask_bytes(p->f)),
            "ffn_fwd");
    else
        TT_CUDA(
            TT_LAUNCH((forward_gated<T>), blocks_of<OF_OTHERS>(p), THREADS, 0, stream, *p, drop), "ffn_fwd");
    return TT_OK;
}

template <class T> tt_status run_backward(tt_device *device, const tt_ffn *p) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan drop = plan_dropout(&p->drop);
    if (p->activation == TT_RELU)
        TT_CUDA(TT_LAUNCH((backward_relu<T>), blocks_of<OF_OTHERS>(p), THREADS, 0, stream, *p, drop.kept,
                    tt_mask_bytes(p->f)),
            "ffn_bwd");
    else
        TT_CUDA(
            TT_LAUNCH((backward_gated<T>), blocks_of<OF_OTHERS>(p), THREADS, 0, stream, *p, drop), "ffn_bwd");
    return TT_OK;
}

} // namespace

tt_status tt_cuda_ffn_fwd(tt_device *device, const tt_ffn *p) {
    TT_TRY(check_ffn(p, "ffn_fwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_forward, device, p);
}

tt_status tt_cuda_ffn_bwd(tt_device *device, const tt_ffn *p) {
    TT_TRY(check_ffn(p, "ffn_bwd"));
    if (p->activation == TT_RELU && !p->mask)
        return tt_fail(TT_ERR_INPUT, "ffn_bwd: ReLU needs the mask that forward wrote");
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_backward, device, p);
}
