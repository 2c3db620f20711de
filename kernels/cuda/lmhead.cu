// LM head with log-softmax. Rows are taken in chunks, so that not all logits are in memory at once; logits are
// fp32, so that log-probabilities of bf16 students keep their digits. Each chunk reads and writes all of dw,
// which is why chunks are large. In the backward paths
//   dlogits[t, j] = dlogp[t] (1[j = target] - exp(logits[t, j] - lse[t]))
// are written as operands of the products dh = scale dlogits w and dw += scale dlogits^T h.
#include "kernels/cuda/kernel.cuh"
#include "kernels/cuda/scratch.h"

namespace {

enum { THREADS = 512 };

struct rows {
    const float *logits; // [n, vocab]
    int vocab;
    const int32_t *targets; // from here on [n]
    float *lse, *logp;
    const float *dlogp;
    tt_cuda_fault *fault;
    int first; // row of the whole batch, for complaints
};

// What a thread has seen of a row: the largest logit, and the sum of exp(logit - largest).
struct seen_logits {
    float top, sum;
};

// e^x by two instructions: with more of them rows of logits would not be limited by memory.
__device__ __forceinline__ float exponential(float x) {
    return power_of_two(x * TT_LOG2E);
}

// `n`: how many of the four there are.
__device__ __forceinline__ void add_four(seen_logits *seen, const float4x &four, int n) {
    float high = seen->top;
    for (int i = 0; i < 4; ++i)
        if (i < n) high = four.v[i] > high || four.v[i] != four.v[i] ? four.v[i] : high; // NaN comes through
    if (high != seen->top) seen->sum *= exponential(seen->top - high);
    seen->top = high;
    for (int i = 0; i < 4; ++i)
        if (i < n) seen->sum += exponential(four.v[i] - high);
}

// log of the sum of exponentials of the row, in all threads.
__device__ __forceinline__ float row_lse(const seen_logits &seen, float *partial) {
    const float most = block_max<THREADS>(seen.top, partial);
    const float own = seen.top == -INFINITY ? 0 : seen.sum * exponential(seen.top - most);
    return most + logf(block_sum<THREADS>(own, partial));
}

// dlogits of a four from column j on.
template <class T>
__device__ __forceinline__ void store_gradient(
    T *to, float4x four, int j, int n, bool whole, int target, float weight, float lse) {
    for (int i = 0; i < 4; ++i)
        four.v[i] = -weight * exponential(four.v[i] - lse) + (j + i == target ? weight : 0);
    store4(to + j, four, whole, n);
}

__device__ __forceinline__ int check_target(const rows &p, int t) {
    const int target = p.targets[t];
    if (target >= 0 && target < p.vocab) return target;
    if (threadIdx.x == 0) tt_fault(p.fault, TT_FAULT_TARGET, p.first + t, target);
    return 0;
}

// One block per row.
template <class T, bool FORWARD, bool BACKWARD> __global__ void head_rows(rows p, T *dlogits) {
    TT_SHARED(float, partial, THREADS / WARP);
    const int t = blockIdx.x, target = check_target(p, t);
    const float *x = p.logits + static_cast<int64_t>(t) * p.vocab;
    const bool whole = p.vocab % 4 == 0;
    float lse;
    if (FORWARD) {
        seen_logits seen = {-INFINITY, 0};
        for (int j = 4 * threadIdx.x; j < p.vocab; j += 4 * THREADS) {
            const int n = min(4, p.vocab - j);
            add_four(&seen, load4(x + j, whole, n), n);
        }
        lse = row_lse(seen, partial);
        if (threadIdx.x == 0) p.lse[t] = lse, p.logp[t] = x[target] - lse;
    } else {
        lse = p.lse[t];
    }
    if (!BACKWARD) return;
    if (FORWARD) __syncthreads(); // where dlogits are the logits' memory, x[target] has been read
    const float weight = p.dlogp[t];
    T *to = dlogits + static_cast<int64_t>(t) * p.vocab;
    for (int j = 4 * threadIdx.x; j < p.vocab; j += 4 * THREADS) {
        const int n = min(4, p.vocab - j);
        store_gradient(to, load4(x + j, whole, n), j, n, whole, target, weight, lse);
    }
}

// The same, forward and backward, for up to WIDEST pieces: the row is read once and held in registers.
enum { FOURS = 16, WIDEST = 4 * THREADS * FOURS };
template <class T> __global__ void __launch_bounds__(THREADS) head_rows_held(rows p, T *dlogits) {
    TT_SHARED(float, partial, THREADS / WARP);
    const int t = blockIdx.x, target = check_target(p, t);
    const float *x = p.logits + static_cast<int64_t>(t) * p.vocab;
    const bool whole = p.vocab % 4 == 0;
    float4x held[FOURS];
#pragma unroll
    for (int i = 0; i < FOURS; ++i) {
        const int j = 4 * (threadIdx.x + i * THREADS);
        if (j < p.vocab) held[i] = load4(x + j, whole, min(4, p.vocab - j));
    }
    seen_logits seen = {-INFINITY, 0};
#pragma unroll
    for (int i = 0; i < FOURS; ++i) {
        const int j = 4 * (threadIdx.x + i * THREADS);
        if (j < p.vocab) add_four(&seen, held[i], min(4, p.vocab - j));
    }
    const float lse = row_lse(seen, partial), weight = p.dlogp[t];
    if (threadIdx.x == 0) p.lse[t] = lse, p.logp[t] = x[target] - lse;
    __syncthreads(); // where dlogits are the logits' memory, x[target] has been read
    T *to = dlogits + static_cast<int64_t>(t) * p.vocab;
#pragma unroll
    for (int i = 0; i < FOURS; ++i) {
        const int j = 4 * (threadIdx.x + i * THREADS);
        if (j < p.vocab) store_gradient(to, held[i], j, min(4, p.vocab - j), whole, target, weight, lse);
    }
}

tt_status check_lmhead(const tt_lmhead *p, const char *op) {
    if (p->rows < 0 || p->d < 1 || p->vocab < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d to %d, expected rows >= 0, d >= 1, vocab >= 1", op,
            p->rows, p->d, p->vocab);
    return TT_OK;
}

tt_status chunk_logits(tt_device *device, const tt_lmhead *p, const void *h, int n, float *logits) {
    tt_gemm product = {};
    product.trans_b = true;
    product.m = n, product.n = p->vocab, product.k = p->d;
    product.alpha = p->scale;
    product.a = h, product.lda = p->d;
    product.b = p->w, product.ldb = p->d;
    product.c = logits, product.c_fp32 = true, product.ldc = p->vocab;
    return tt_cuda_gemm_multiply(device, &product);
}

tt_status chunk_gradients(
    tt_device *device, const tt_lmhead *p, const void *h, void *dh, int n, const void *dlogits) {
    tt_gemm to_h = {};
    to_h.m = n, to_h.n = p->d, to_h.k = p->vocab;
    to_h.alpha = p->scale;
    to_h.a = dlogits, to_h.lda = p->vocab;
    to_h.b = p->w, to_h.ldb = p->d;
    to_h.c = dh, to_h.ldc = p->d;
    TT_TRY(tt_cuda_gemm_multiply(device, &to_h));
    if (!p->dw) return TT_OK;
    tt_gemm to_w = {};
    to_w.trans_a = true;
    to_w.m = p->vocab, to_w.n = p->d, to_w.k = n;
    to_w.alpha = p->scale, to_w.beta = 1;
    to_w.a = dlogits, to_w.lda = p->vocab;
    to_w.b = h, to_w.ldb = p->d;
    to_w.c = p->dw, to_w.c_fp32 = true, to_w.ldc = p->d;
    return tt_cuda_gemm_multiply(device, &to_w);
}

template <class T, bool FORWARD, bool BACKWARD> tt_status run_chunks(tt_device *device, const tt_lmhead *p) {
    const size_t d = static_cast<size_t>(p->d);
    const int chunk = tt_cuda_lmhead_chunk(p);
    const bool apart = BACKWARD && sizeof(T) != sizeof(float); // else dlogits take the logits' memory
    const size_t elements = tt_cuda_lmhead_elements(p);
    float *logits =
        static_cast<float *>(tt_device_scratch(device, tt_cuda_lmhead_scratch(device, p, BACKWARD)));
    if (!logits) return tt_context(TT_ERR_NOMEM, "lmhead");
    T *dlogits = apart ? reinterpret_cast<T *>(logits + elements) : reinterpret_cast<T *>(logits);
    using kernel = void (*)(rows, T *);
    const kernel make_rows =
        FORWARD && BACKWARD && p->vocab <= WIDEST ? head_rows_held<T> : head_rows<T, FORWARD, BACKWARD>;
    for (int first = 0; first < p->rows; first += chunk) {
        const int n = p->rows - first < chunk ? p->rows - first : chunk;
        const T *h = static_cast<const T *>(p->h) + static_cast<size_t>(first) * d;
        TT_TRY(chunk_logits(device, p, h, n, logits));
        const rows r = {
            .logits = logits,
            .vocab = p->vocab,
            .targets = p->targets + first,
            .lse = p->lse + first,
            .logp = p->logp ? p->logp + first : nullptr,
            .dlogp = BACKWARD ? p->dlogp + first : nullptr,
            .fault = tt_cuda_of(device)->fault,
            .first = first,
        };
        TT_CUDA(TT_LAUNCH(make_rows, n, THREADS, 0, tt_stream(device), r, dlogits), "lmhead");
        if (BACKWARD)
            TT_TRY(chunk_gradients(
                device, p, h, static_cast<T *>(p->dh) + static_cast<size_t>(first) * d, n, dlogits));
    }
    return TT_OK;
}

template <class T> tt_status run_forward(tt_device *device, const tt_lmhead *p) {
    return run_chunks<T, true, false>(device, p);
}
template <class T> tt_status run_backward(tt_device *device, const tt_lmhead *p) {
    return run_chunks<T, false, true>(device, p);
}
template <class T> tt_status run_fused(tt_device *device, const tt_lmhead *p) {
    return run_chunks<T, true, true>(device, p);
}

} // namespace

tt_status tt_cuda_lmhead_fwd(tt_device *device, const tt_lmhead *p) {
    TT_TRY(check_lmhead(p, "lmhead_fwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_forward, device, p);
}

tt_status tt_cuda_lmhead_bwd(tt_device *device, const tt_lmhead *p) {
    TT_TRY(check_lmhead(p, "lmhead_bwd"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_backward, device, p);
}

tt_status tt_cuda_lmhead_fused(tt_device *device, const tt_lmhead *p) {
    TT_TRY(check_lmhead(p, "lmhead_fused"));
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, run_fused, device, p);
}
