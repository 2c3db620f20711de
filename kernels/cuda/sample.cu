// Choosing the next token: one block per row of logits. As in kernels/cpu/sample.c: weights exp((logit - max)
// / temperature), cut to the top k, then to the top p, by a radix search of eight bits at a time over the
// logits' bit patterns in an order-preserving form. Weights are summed as fixed-point numbers, for which the
// order does not matter; so threads may add to a histogram in any order.
#include "kernels/cuda/kernel.cuh"

#include <float.h>

namespace {

enum { THREADS = 512, BINS = 256 };
typedef unsigned long long measure;

// Weights are in [0, 1]; with 1 as 2^40, the sum of 2^24 of them fits 64 bits.
__device__ __forceinline__ measure fixed_point(float weight) {
    return static_cast<measure>(static_cast<double>(weight) * 1099511627776.0 + 0.5);
}

// Larger for larger x; -0 and +0 alike.
__device__ __forceinline__ uint32_t ordered(float x) {
    const uint32_t bits = __float_as_uint(x + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

struct best {
    float value;
    int id;
};
__device__ __forceinline__ best better(best a, best b) {
    return b.value > a.value || (b.value == a.value && b.id < a.id) ? b : a;
}

// The largest of a row, the lowest id among equals, in all threads. NaN is never larger.
__device__ best row_best(const float *x, int n, best *partial) {
    best mine = {-INFINITY, n};
    for (int i = threadIdx.x; i < n; i += THREADS) mine = better(mine, {x[i], i});
    for (int step = WARP / 2; step > 0; step /= 2) {
        best other;
        other.value = __shfl_xor_sync(TT_ALL_LANES, mine.value, step);
        other.id = __shfl_xor_sync(TT_ALL_LANES, mine.id, step);
        mine = better(mine, other);
    }
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = mine;
    __syncthreads();
    best top = partial[0];
    for (int w = 1; w < THREADS / WARP; ++w) top = better(top, partial[w]);
    __syncthreads();
    return top;
}

// Sum of exp((x - top) factor), which are written to `weight` if given. A NaN among them comes out.
__device__ double weigh(const float *x, int n, float top, float factor, float *weight, double *partial) {
    double sum = 0;
    for (int i = threadIdx.x; i < n; i += THREADS) {
        const float w = expf((x[i] - top) * factor);
        if (weight) weight[i] = w;
        sum += static_cast<double>(w);
    }
    return block_sum<THREADS>(sum, partial);
}

// Sums of measures that threads add in any order. An atomic addition of 64 bits in shared memory is a loop on
// NVIDIA's GPUs, one of 32 bits is an instruction: so low and high halves are added apart.
struct histogram {
    uint32_t low[BINS], high[BINS];

    __device__ __forceinline__ void clear(int bin) { low[bin] = high[bin] = 0; }
    __device__ __forceinline__ measure at(int bin) const {
        return static_cast<measure>(high[bin]) << 32 | low[bin];
    }
    __device__ __forceinline__ void add(int bin, measure amount) {
        const uint32_t by = static_cast<uint32_t>(amount);
        const uint32_t carry = atomicAdd(&low[bin], by) > ~by;
        const uint32_t by_high = static_cast<uint32_t>(amount >> 32) + carry;
        if (by_high) atomicAdd(&high[bin], by_high);
    }
};

struct cut_memory {
    histogram bins;
    uint32_t threshold, known;
    measure above, equal; // of ids above the threshold; of one that equals it
    int ranks[THREADS / WARP];
};

// bins->add(bin, amount) for the lanes that have one; called by whole warps. Logits share their leading bits,
// and threads that add to one place wait for each other: so the bins that a warp meets first are summed
// before they are added, in two halves of 20 bits.
__device__ void add_to_bins(histogram *bins, bool counts, int bin, measure amount) {
    enum { ROUNDS = 3, HALF = 20 };
    const int lane = threadIdx.x % WARP;
    unsigned left = __ballot_sync(TT_ALL_LANES, counts);
    for (int round = 0; round < ROUNDS && left; ++round) {
        const int leader = __ffs(static_cast<int>(left)) - 1;
        const int common = __shfl_sync(TT_ALL_LANES, bin, leader);
        const bool mine = counts && bin == common;
        const uint32_t low = mine ? static_cast<uint32_t>(amount & ((1u << HALF) - 1)) : 0;
        const uint32_t high = mine ? static_cast<uint32_t>(amount >> HALF) : 0;
        const measure sum = (static_cast<measure>(__reduce_add_sync(TT_ALL_LANES, high)) << HALF) +
                            __reduce_add_sync(TT_ALL_LANES, low);
        if (lane == leader) bins->add(common, sum);
        counts = counts && !mine;
        left = __ballot_sync(TT_ALL_LANES, counts);
    }
    if (counts) bins->add(bin, amount);
}

// Histogram of the next eight bits of what still matches the threshold's known bits.
__device__ void fill_bins(cut_memory *m, const float *x, const float *weight, int n, bool count, int shift) {
    for (int b = threadIdx.x; b < BINS; b += THREADS) m->bins.clear(b);
    __syncthreads();
    for (int first = 0; first < n; first += THREADS) {
        const int i = first + static_cast<int>(threadIdx.x);
        const uint32_t key = i < n ? ordered(x[i]) : 0;
        const float w = i < n ? weight[i] : 0;
        add_to_bins(&m->bins, w > 0 && (key & m->known) == m->threshold,
            static_cast<int>(key >> shift & (BINS - 1)), count ? 1ull : fixed_point(w));
    }
    __syncthreads();
}

// The threshold's next eight bits: the bin in which the measures from above reach the goal. Of the first warp
// each lane has eight bins, from the highest down.
__device__ void choose_bin(cut_memory *m, measure goal, int shift) {
    enum { OWN = BINS / WARP };
    const int lane = threadIdx.x, high = BINS - 1 - lane * OWN;
    measure own = 0;
    for (int i = 0; i < OWN; ++i) own += m->bins.at(high - i);
    measure through = own; // of this lane's bins and all above
    for (int step = 1; step < WARP; step *= 2) {
        const measure left = __shfl_up_sync(TT_ALL_LANES, through, step);
        if (lane >= step) through += left;
    }
    measure above = __shfl_sync(TT_ALL_LANES, lane == 0 ? m->above : 0, 0);
    const unsigned reached = __ballot_sync(TT_ALL_LANES, above + through >= goal);
    __syncwarp(); // m->above has been read
    if (lane != (reached ? __ffs(static_cast<int>(reached)) - 1 : WARP - 1)) return;
    above += through - own;
    int b = high;
    while (b > high - OWN + 1 && above + m->bins.at(b) < goal) above += m->bins.at(b--);
    m->above = above;
    m->threshold |= static_cast<uint32_t>(b) << shift;
    m->known |= static_cast<uint32_t>(BINS - 1) << shift;
}

// Keeps the smallest set of the largest logits among those of positive weight whose measure reaches `goal`;
// the others' weights become 0. Of equal logits those with lower ids are kept.
__device__ void cut(cut_memory *m, const float *x, float *weight, int n, bool count, measure goal) {
    if (threadIdx.x == 0) m->threshold = m->known = 0, m->above = 0;
    __syncthreads();
    for (int shift = 24; shift >= 0; shift -= 8) {
        fill_bins(m, x, weight, n, count, shift);
        if (threadIdx.x < WARP) choose_bin(m, goal, shift);
        __syncthreads();
    }
    // All that equal the threshold have one weight: the first `wanted` of them reach the goal.
    const uint32_t threshold = m->threshold;
    int before = 0;
    for (int first = 0; first < n; first += THREADS) {
        const int i = first + static_cast<int>(threadIdx.x), lane = threadIdx.x % WARP,
                  warp = threadIdx.x / WARP;
        const uint32_t key = i < n ? ordered(x[i]) : 0;
        const bool equal = i < n && key == threshold && weight[i] > 0;
        const unsigned votes = __ballot_sync(TT_ALL_LANES, equal);
        if (lane == 0) m->ranks[warp] = __popc(votes);
        __syncthreads();
        int rank = before + __popc(votes & ((1u << lane) - 1));
        for (int w = 0; w < THREADS / WARP; ++w) {
            if (w < warp) rank += m->ranks[w];
            before += m->ranks[w];
        }
        if (i < n && key < threshold) weight[i] = 0;
        if (equal) {
            const measure each = count ? 1ull : fixed_point(weight[i]);
            if (m->above + each * static_cast<measure>(rank) >= goal) weight[i] = 0;
        }
        __syncthreads();
    }
}

// The first id at which the running sum of weights exceeds u times their total; ids of weight 0 never. Each
// warp has a stretch of ids; the one in whose stretch it happens goes through it again. If rounding keeps its
// sum below the goal, it is the last id of that stretch.
__device__ int draw(const float *weight, int n, double u, double *sums, int *chosen) {
    constexpr int WARPS = THREADS / WARP;
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, each = (n + THREADS - 1) / THREADS * WARP;
    const int first = warp * each, end = min(first + each, n);
    double sum = 0;
    for (int i = first + lane; i < end; i += WARP) sum += static_cast<double>(weight[i]);
    sum = warp_sum(sum);
    if (lane == 0) sums[warp] = sum;
    __syncthreads();
    double total = 0, before = 0;
    for (int w = 0; w < WARPS; ++w) total += sums[w];
    const double goal = u * total;
    int chosen_warp = 0; // the warp: the first whose weights reach beyond the goal, or the last that has any
    double running = 0;
    for (int w = 0; w < WARPS; ++w) {
        if (!(sums[w] > 0)) continue;
        chosen_warp = w, before = running;
        running += sums[w];
        if (running > goal) break;
    }
    if (warp == chosen_warp) {
        int found = -1, last = first;
        for (int from = first; from < end && found < 0; from += WARP) {
            const int i = from + lane;
            const double own = i < end ? static_cast<double>(weight[i]) : 0;
            double through = own;
            for (int step = 1; step < WARP; step *= 2) {
                const double left = __shfl_up_sync(TT_ALL_LANES, through, step);
                if (lane >= step) through += left;
            }
            const unsigned there = __ballot_sync(TT_ALL_LANES, own > 0);
            const unsigned beyond = __ballot_sync(TT_ALL_LANES, own > 0 && before + through > goal);
            if (there) last = from + 31 - __clz(static_cast<int>(there));
            if (beyond) found = from + __ffs(static_cast<int>(beyond)) - 1;
            before += __shfl_sync(TT_ALL_LANES, through, WARP - 1);
        }
        if (lane == 0) *chosen = found >= 0 ? found : last;
    }
    __syncthreads();
    return *chosen;
}

__global__ void __launch_bounds__(THREADS, 2) sample_rows(tt_sample p, float *weights, tt_cuda_fault *fault) {
    TT_SHARED(best, partial, THREADS / WARP);
    TT_SHARED(double, sums, THREADS);
    TT_SHARED(cut_memory, memory, 1);
    TT_SHARED(int, chosen, 1);
    const int row = blockIdx.x, n = p.vocab;
    const float *x = p.logits + static_cast<int64_t>(row) * n;
    const best top = row_best(x, n, partial);
    const bool greedy = !(p.temperature > 0);
    float *weight = greedy ? nullptr : weights + static_cast<int64_t>(row) * n;
    const float factor = greedy ? 1.0f : fminf(1.0f / p.temperature, FLT_MAX);
    double total = 0;
    if (top.value >= -FLT_MAX && top.value <= FLT_MAX) total = weigh(x, n, top.value, factor, weight, sums);
    const double u = greedy ? 0 : static_cast<double>(p.uniform[row]);
    if (!(total >= 1) || !(u >= 0 && u < 1)) { // the same for all threads
        if (threadIdx.x == 0) {
            tt_fault(fault, total >= 1 ? TT_FAULT_UNIFORM : TT_FAULT_LOGITS, row, 0);
            p.token[row] = 0;
        }
        return;
    }
    int token = top.id;
    if (!greedy) {
        __syncthreads();
        if (p.top_k > 0 && p.top_k < n) cut(memory, x, weight, n, true, static_cast<measure>(p.top_k));
        if (p.top_p < 1) {
            if (threadIdx.x == 0) memory->above = 0;
            __syncthreads();
            measure mine = 0;
            for (int i = threadIdx.x; i < n; i += THREADS) mine += fixed_point(weight[i]);
            atomicAdd(&memory->above, mine);
            __syncthreads();
            const measure all = memory->above;
            __syncthreads();
            cut(memory, x, weight, n, false,
                static_cast<measure>(static_cast<double>(p.top_p) * static_cast<double>(all)));
        }
        __syncthreads();
        token = draw(weight, n, u, sums, chosen);
        if (p.logp) total = weigh(x, n, top.value, 1, nullptr, sums);
    }
    if (threadIdx.x != 0) return;
    p.token[row] = token;
    if (p.logp) p.logp[row] = static_cast<float>(static_cast<double>(x[token] - top.value) - log(total));
}

tt_status check_sample(const tt_sample *t) {
    if (t->rows < 1 || t->vocab < 1)
        return tt_fail(
            TT_ERR_INPUT, "sample: %d rows of %d logits; both must be at least 1", t->rows, t->vocab);
    if (!(t->temperature >= 0) || isinf(t->temperature))
        return tt_fail(TT_ERR_INPUT, "sample: temperature %g; expected 0 (greedy) or more",
            static_cast<double>(t->temperature));
    if (!(t->top_p > 0 && t->top_p <= 1))
        return tt_fail(
            TT_ERR_INPUT, "sample: top_p %g; expected 0 < top_p <= 1", static_cast<double>(t->top_p));
    if (t->top_k < 0) return tt_fail(TT_ERR_INPUT, "sample: top_k %d; expected 0 (all) or more", t->top_k);
    return TT_OK;
}

} // namespace

tt_status tt_cuda_sample(tt_device *device, const tt_sample *p) {
    TT_TRY(check_sample(p));
    float *weights = nullptr;
    if (p->temperature > 0) {
        weights = static_cast<float *>(tt_device_scratch(
            device, static_cast<size_t>(p->rows) * static_cast<size_t>(p->vocab) * sizeof *weights));
        if (!weights) return tt_context(TT_ERR_NOMEM, "sample");
    }
    TT_CUDA(TT_LAUNCH(
                sample_rows, p->rows, THREADS, 0, tt_stream(device), *p, weights, tt_cuda_of(device)->fault),
        "sample");
    return TT_OK;
}
