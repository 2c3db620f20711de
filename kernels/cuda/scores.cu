// Operations of beam search and logits processors on rows of scores: one block per row.
#include "kernels/cuda/kernel.cuh"

#include <float.h>

namespace {

enum { THREADS = 512, PENALTY_THREADS = 128 };

__global__ void log_softmax_rows(float *scores, int n, tt_cuda_fault *fault) {
    TT_SHARED(float, tops, THREADS / WARP);
    TT_SHARED(double, sums, THREADS / WARP);
    float *x = scores + static_cast<int64_t>(blockIdx.x) * n;
    float top = -INFINITY;
    for (int i = threadIdx.x; i < n; i += THREADS) top = fmaxf(top, x[i]);
    top = block_max<THREADS>(top, tops);
    double sum = 0;
    for (int i = threadIdx.x; i < n; i += THREADS) sum += static_cast<double>(expf(x[i] - top));
    sum = block_sum<THREADS>(sum, sums);
    if (!(top >= -FLT_MAX && top <= FLT_MAX) || !(sum >= 1)) { // NaN, +inf, or nothing but -inf
        if (threadIdx.x == 0) tt_fault(fault, TT_FAULT_SCORES, static_cast<int>(blockIdx.x), 0);
        return;
    }
    const float lse = static_cast<float>(static_cast<double>(top) + log(sum));
    for (int i = threadIdx.x; i < n; i += THREADS) x[i] -= lse;
}

// One bit for each id of the vocabulary tells whether it has been met; so each is changed by one thread.
__global__ void penalise_rows(tt_penalise p) {
    TT_SHARED_DYNAMIC(uint32_t, met);
    float *scores = p.scores + static_cast<int64_t>(blockIdx.x) * p.vocab;
    const int start = p.start[blockIdx.x], n = p.length[blockIdx.x];
    if (p.repetition_penalty != 1) {
        for (int i = threadIdx.x; i < (p.vocab + 31) / 32; i += PENALTY_THREADS) met[i] = 0;
        __syncthreads();
        for (int i = threadIdx.x; i < n; i += PENALTY_THREADS) {
            const int at = start + i, id = p.ids[p.table ? p.table[at] : at];
            const uint32_t bit = 1u << (id % 32);
            if (atomicOr(&met[id / 32], bit) & bit) continue;
            const float score = scores[id];
            scores[id] = score < 0 ? score * p.repetition_penalty : score / p.repetition_penalty;
        }
        __syncthreads();
    }
    if (threadIdx.x == 0 && n < p.min_length) scores[p.end] = -INFINITY;
}

struct best {
    float value;
    int id;
};

// k times the next after `last` in decreasing order; of equals the lower id first.
__global__ void top_rows(tt_top p) {
    TT_SHARED(best, partial, THREADS / WARP);
    const float *x = p.scores + static_cast<int64_t>(blockIdx.x) * p.vocab;
    best last = {INFINITY, -1};
    for (int rank = 0; rank < p.k; ++rank) {
        best mine = {-INFINITY, p.vocab};
        for (int i = threadIdx.x; i < p.vocab; i += THREADS) {
            const float v = x[i];
            const bool after = v < last.value || (v == last.value && i > last.id);
            if (after && (mine.id == p.vocab || v > mine.value)) mine = {v, i};
        }
        for (int step = WARP / 2; step > 0; step /= 2) {
            const float value = __shfl_xor_sync(TT_ALL_LANES, mine.value, step);
            const int id = __shfl_xor_sync(TT_ALL_LANES, mine.id, step);
            if (id < p.vocab &&
                (mine.id == p.vocab || value > mine.value || (value == mine.value && id < mine.id)))
                mine = {value, id};
        }
        if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = mine;
        __syncthreads();
        last = partial[0];
        for (int w = 1; w < THREADS / WARP; ++w) {
            const best other = partial[w];
            if (other.id < p.vocab && (last.id == p.vocab || other.value > last.value ||
                                          (other.value == last.value && other.id < last.id)))
                last = other;
        }
        if (threadIdx.x == 0) {
            // Where scores are NaN there may be none, which another operation tells; an id of the vocabulary all the same.
            p.token[static_cast<int64_t>(blockIdx.x) * p.k + rank] = last.id < p.vocab ? last.id : 0;
            p.score[static_cast<int64_t>(blockIdx.x) * p.k + rank] = last.value;
        }
        __syncthreads();
    }
}

} // namespace

tt_status tt_cuda_log_softmax(tt_device *device, float *x, int rows, int n) {
    if (rows < 1 || n < 1)
        return tt_fail(TT_ERR_INPUT, "log_softmax: %d rows of %d; both must be at least 1", rows, n);
    TT_CUDA(TT_LAUNCH(log_softmax_rows, rows, THREADS, 0, tt_stream(device), x, n, tt_cuda_of(device)->fault),
        "log_softmax");
    return TT_OK;
}

tt_status tt_cuda_penalise(tt_device *device, const tt_penalise *p) {
    if (!(p->repetition_penalty > 0) || isinf(p->repetition_penalty))
        return tt_fail(TT_ERR_INPUT, "penalise: repetition penalty %g; expected above 0, 1 = off",
            static_cast<double>(p->repetition_penalty));
    if (p->rows < 1 || p->end < 0 || p->end >= p->vocab)
        return tt_fail(TT_ERR_INPUT, "penalise: %d rows, end %d; expected rows >= 1 and an id below %d",
            p->rows, p->end, p->vocab);
    const size_t bytes = (static_cast<size_t>(p->vocab) + 31) / 32 * sizeof(uint32_t);
    TT_ALLOW_SHARED(penalise_rows, bytes, tt_stream(device), "penalise");
    TT_CUDA(TT_LAUNCH(penalise_rows, p->rows, PENALTY_THREADS, bytes, tt_stream(device), *p), "penalise");
    return TT_OK;
}

tt_status tt_cuda_top(tt_device *device, const tt_top *t) {
    if (t->rows < 1 || t->k < 1 || t->k > t->vocab || t->k > 512)
        return tt_fail(TT_ERR_INPUT,
            "top: k %d, %d rows of %d scores; expected rows >= 1 and 1 <= k <= min(512, scores)", t->k,
            t->rows, t->vocab);
    TT_CUDA(TT_LAUNCH(top_rows, t->rows, THREADS, 0, tt_stream(device), *t), "top");
    return TT_OK;
}
