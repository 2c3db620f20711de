// The feed-forward's activation with its dropout, by pieces of 16 bytes. gelu_new as in kernels/cpu/ffn.c.
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

// Where the launch's i-th thread is: at SIZE elements of a row.
struct place {
    int row, c;
    bool whole;
};
template <class T, int SIZE = piece<T>::size>
__device__ __forceinline__ bool place_of(int rows, int f, place *out) {
    const uint32_t pieces = static_cast<uint32_t>(f + SIZE - 1) / SIZE;
    const uint32_t i = blockIdx.x * THREADS + threadIdx.x; // fits: see blocks_of
    if (i >= static_cast<uint32_t>(rows) * pieces) return false;
    out->row = static_cast<int>(i / pieces);
    out->c = static_cast<int>(i % pieces) * SIZE;
    out->whole = f % piece<T>::size == 0;
    return true;
}

// A thread makes a byte of the mask.
enum { OF_A_BYTE = 8 };
template <class T> __global__ void forward_relu(tt_ffn p, dropout_plan drop, int ldmask) {
    place here;
    if (!place_of<T, OF_A_BYTE>(p.rows, p.f, &here)) return;
    const int64_t row = here.row, offset = row * p.f;
    const dropout_token token = token_of(drop, here.row);
    uint32_t bits = 0;
#pragma unroll
    for (int part = 0; part < OF_A_BYTE; part += piece<T>::size) {
        const int c = here.c + part, n = p.f - c;
        if (n <= 0) break;
        piece<T> x;
        load_piece(&x, static_cast<const T *>(p.h) + offset + c, here.whole, n);
#pragma unroll
        for (int k = 0; k < piece<T>::fours; ++k) {
            float4x *four = &x.four[k];
            for (int i = 0; i < 4; ++i) four->v[i] = four->v[i] < 0 ? 0 : four->v[i]; // NaN passes
            drop4(drop, token, c / 4 + k, four);
            for (int i = 0; i < 4; ++i)
                if (!(four->v[i] <= 0)) bits |= 1u << (part + 4 * k + i);
        }
        store_piece(static_cast<T *>(p.a) + offset + c, x, here.whole, n);
    }
    if (p.mask) p.mask[(row * ldmask + here.c) / 8] = static_cast<uint8_t>(bits);
}

template <class T> __global__ void forward_gated(tt_ffn p, dropout_plan drop) {
    place here;
    if (!place_of<T>(p.rows, p.f, &here)) return;
    const int n = p.f - here.c;
    const T *h = static_cast<const T *>(p.h) + static_cast<int64_t>(here.row) * 2 * p.f + here.c;
    piece<T> x, linear;
    load_piece(&x, h, here.whole, n);
    load_piece(&linear, h + p.f, here.whole, n);
    const dropout_token token = token_of(drop, here.row);
#pragma unroll
    for (int k = 0; k < piece<T>::fours; ++k) {
        float4x *four = &x.four[k];
        for (int i = 0; i < 4; ++i) four->v[i] = gelu_at(four->v[i]).value * linear.four[k].v[i];
        drop4(drop, token, here.c / 4 + k, four);
    }
    store_piece(static_cast<T *>(p.a) + static_cast<int64_t>(here.row) * p.f + here.c, x, here.whole, n);
}

template <class T> __global__ void backward_gated(tt_ffn p, dropout_plan drop) {
    place here;
    if (!place_of<T>(p.rows, p.f, &here)) return;
    const int n = p.f - here.c;
    const int64_t row = here.row, offset = 2 * row * p.f + here.c;
    const T *h = static_cast<const T *>(p.h) + offset;
    T *dh = static_cast<T *>(p.dh) + offset;
    piece<T> g, x, linear;
    load_piece(&g, static_cast<const T *>(p.da) + row * p.f + here.c, here.whole, n);
    load_piece(&x, h, here.whole, n);
    load_piece(&linear, h + p.f, here.whole, n);
    const dropout_token token = token_of(drop, row);
#pragma unroll
    for (int k = 0; k < piece<T>::fours; ++k) {
        float4x *four = &g.four[k];
        drop4(drop, token, here.c / 4 + k, four);
        for (int i = 0; i < 4; ++i) {
            const gelu y = gelu_at(x.four[k].v[i]);
            const float gradient = four->v[i];
            four->v[i] = gradient * (linear.four[k].v[i] * y.slope);
            linear.four[k].v[i] = gradient * y.value;
        }
    }
    store_piece(dh + p.f, linear, here.whole, n);
    store_piece(dh, g, here.whole, n);
}

// The activation is 0 where h was not positive and where it was dropped: it says where the gradient passes.
template <class T> __global__ void backward_relu(tt_ffn p, float kept) {
    place here;
    if (!place_of<T>(p.rows, p.f, &here)) return;
    const int n = p.f - here.c;
    const int64_t offset = static_cast<int64_t>(here.row) * p.f + here.c;
    piece<T> g, a;
    load_piece(&g, static_cast<const T *>(p.da) + offset, here.whole, n);
    load_piece(&a, static_cast<const T *>(p.a) + offset, here.whole, n);
#pragma unroll
    for (int i = 0; i < piece<T>::size; ++i) g[i] = a[i] <= 0 ? 0 : g[i] * kept;
    store_piece(static_cast<T *>(p.dh) + offset, g, here.whole, n);
}

tt_status check_ffn(const tt_ffn *p, const char *op) {
    if (p->rows < 0 || p->f < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d, expected rows >= 0 and f >= 1", op, p->rows, p->f);
    if (p->activation != TT_RELU && p->activation != TT_GATED_GELU)
        return tt_fail(TT_ERR_INPUT, "%s: unknown activation %d", op, static_cast<int>(p->activation));
    if (static_cast<int64_t>(p->rows) * ((p->f + 3) / 4) > INT32_MAX)
        return tt_fail(TT_ERR_UNSUPPORTED, "%s: %d rows of %d are too many for one call on device cuda", op,
            p->rows, p->f);
    return check_dropout(&p->drop, op);
}

template <class T, int SIZE = piece<T>::size> int blocks_of(const tt_ffn *p) {
    const int pieces = (p->f + SIZE - 1) / SIZE;
    return tt_ceil_div(static_cast<int64_t>(p->rows) * pieces, THREADS);
}

template <class T> tt_status run_forward(tt_device *device, const tt_ffn *p) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan drop = plan_dropout(&p->drop);
    if (p->activation == TT_RELU)
        TT_CUDA(TT_LAUNCH((forward_relu<T>), (blocks_of<T, OF_A_BYTE>(p)), THREADS, 0, stream, *p, drop,
                    tt_mask_ld(p->f)),
            "ffn_fwd");
    else
        TT_CUDA(TT_LAUNCH((forward_gated<T>), blocks_of<T>(p), THREADS, 0, stream, *p, drop), "ffn_fwd");
    return TT_OK;
}

template <class T> tt_status run_backward(tt_device *device, const tt_ffn *p) {
    const cudaStream_t stream = tt_stream(device);
    const dropout_plan drop = plan_dropout(&p->drop);
    const float kept = drop.threshold ? drop.kept : 1.0f;
    if (p->activation == TT_RELU)
        TT_CUDA(TT_LAUNCH((backward_relu<T>), blocks_of<T>(p), THREADS, 0, stream, *p, kept), "ffn_bwd");
    else
        TT_CUDA(TT_LAUNCH((backward_gated<T>), blocks_of<T>(p), THREADS, 0, stream, *p, drop), "ffn_bwd");
    return TT_OK;
}

} // namespace

tt_status tt_cuda_ffn_fwd(tt_device *device, const tt_ffn *p) {
    TT_TRY(check_ffn(p, "ffn_fwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_forward, device, p);
}

tt_status tt_cuda_ffn_bwd(tt_device *device, const tt_ffn *p) {
    TT_TRY(check_ffn(p, "ffn_bwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_backward, device, p);
}
