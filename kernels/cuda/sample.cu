// Choosing the next token: one block per row of logits, which is read once and held in shared memory where it fits.
// As in kernels/cpu/sample.c: weights exp((logit - max) / temperature), cut to the top k, then to the top p, by a
// radix search of eight bits at a time over the logits' bit patterns in an order-preserving form. Weights are not
// kept but computed again; a cut is a threshold. In searches they are summed as fixed-point numbers, for which the
// order does not matter; so threads may add to a histogram in any order.
#include "kernels/cuda/kernel.cuh"

#include <float.h>

namespace {

enum { THREADS = 512, WARPS = THREADS / WARP, BINS = 256, AT_ONCE = 4 * WARP };
typedef unsigned long long measure;

// Weights are in [0, 1]; with 1 as 2^40, the sum of 2^24 of them fits 64 bits. A float times 2^40 is exact.
__device__ __forceinline__ measure fixed_point(float weight) {
    return static_cast<measure>(weight * 1099511627776.0f);
}

// Larger for larger x; -0 and +0 alike.
__device__ __forceinline__ uint32_t ordered(float x) {
    const uint32_t bits = __float_as_uint(x + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float from_ordered(uint32_t key) {
    return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

struct best {
    float value;
    int id;
};
__device__ __forceinline__ best better(best a, best b) {
    return b.value > a.value || (b.value == a.value && b.id < a.id) ? b : a;
}

// A row: `x` is in shared memory (always whole fours), or in device memory.
struct logits {
    const float *x;
    int n;
    bool aligned;
    float top, factor;
    uint32_t threshold; // what is kept: larger logits, and of equal ones ids below `limit`
    int limit;

    // Each warp has a stretch of ids, and each lane four of AT_ONCE in turn. So all lanes go on alike.
    __device__ __forceinline__ int first() const {
        return static_cast<int>(threadIdx.x) / WARP * ((n + THREADS * 4 - 1) / (THREADS * 4) * AT_ONCE);
    }
    __device__ __forceinline__ int end() const {
        return min(first() + (n + THREADS * 4 - 1) / (THREADS * 4) * AT_ONCE, n);
    }
    // Logits id .. id + 3; beyond the row 0.
    __device__ __forceinline__ float4x at(int id) const {
        return load4(x + id, aligned && id + 4 <= n, n - id);
    }
    __device__ __forceinline__ float weight_of(float logit) const { return expf((logit - top) * factor); }
    __device__ __forceinline__ float weight(float logit, int id) const {
        const uint32_t key = ordered(logit);
        const bool kept = id < n && (key > threshold || (key == threshold && id < limit));
        return kept ? weight_of(logit) : 0;
    }
};

__device__ __forceinline__ int lane_id() {
    return 4 * static_cast<int>(threadIdx.x % WARP);
}

// Reads a row, to `held` if that is given. The largest, the lowest id among equals, in all threads. NaN is never
// larger.
__device__ best read_row(logits *row, float *held, best *partial) {
    best mine = {-INFINITY, row->n};
    for (int from = row->first(); from < row->end(); from += AT_ONCE) {
        const int id = from + lane_id();
        const float4x x = row->at(id);
        for (int c = 0; c < 4; ++c)
            if (id + c < row->n) mine = better(mine, {x.v[c], id + c});
        if (held && id < row->n) store4(held + id, x, true, 4);
    }
    for (int step = WARP / 2; step > 0; step /= 2) {
        best other;
        other.value = __shfl_xor_sync(TT_ALL_LANES, mine.value, step);
        other.id = __shfl_xor_sync(TT_ALL_LANES, mine.id, step);
        mine = better(mine, other);
    }
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = mine;
    __syncthreads();
    best top = partial[0];
    for (int w = 1; w < WARPS; ++w) top = better(top, partial[w]);
    if (held) row->x = held, row->aligned = true;
    row->top = top.value;
    return top;
}

// The warp's sum of weights that are kept. A NaN among the logits comes out if nothing was cut.
__device__ double sum_weights(const logits &row) {
    double sum = 0;
    for (int from = row.first(); from < row.end(); from += AT_ONCE) {
        const int id = from + lane_id();
        const float4x x = row.at(id);
        for (int c = 0; c < 4; ++c) sum += static_cast<double>(row.weight(x.v[c], id + c));
    }
    return warp_sum(sum);
}

// Sums over the block of what each warp has, in all threads. `partial` may be used again after the next barrier.
template <class N> __device__ N sum_warps(N mine, N *partial) {
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = mine;
    __syncthreads();
    N sum = 0;
    for (int w = 0; w < WARPS; ++w) sum += partial[w];
    return sum;
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
    int limit;
    measure above, equal; // of ids above the threshold; of those that equal it
    measure measures[WARPS];
    int ranks[WARPS];
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
__device__ void fill_bins(cut_memory *m, const logits &row, bool count, int shift) {
    for (int b = threadIdx.x; b < BINS; b += THREADS) m->bins.clear(b);
    __syncthreads();
    const uint32_t threshold = m->threshold, known = m->known;
    for (int from = row.first(); from < row.end(); from += AT_ONCE) {
        const int id = from + lane_id();
        const float4x x = row.at(id);
        for (int c = 0; c < 4; ++c) {
            const uint32_t key = ordered(x.v[c]);
            const float w = (key & known) == threshold ? row.weight(x.v[c], id + c) : 0;
            add_to_bins(
                &m->bins, w > 0, static_cast<int>(key >> shift & (BINS - 1)), count ? 1ull : fixed_point(w));
        }
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
    m->equal = m->bins.at(b);
    m->threshold |= static_cast<uint32_t>(b) << shift;
    m->known |= static_cast<uint32_t>(BINS - 1) << shift;
}

// m->limit = the id of number `wanted` (from 0) of those that equal the threshold; there are more of them.
__device__ void find_limit(cut_memory *m, const logits &row, uint32_t threshold, int wanted) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    int mine = 0;
    for (int from = row.first(); from < row.end(); from += AT_ONCE) {
        const float4x x = row.at(from + lane_id());
        for (int c = 0; c < 4; ++c) mine += from + lane_id() + c < row.n && ordered(x.v[c]) == threshold;
    }
    const int in_warp = static_cast<int>(__reduce_add_sync(TT_ALL_LANES, static_cast<unsigned>(mine)));
    if (lane == 0) m->ranks[warp] = in_warp;
    __syncthreads();
    int before = 0;
    for (int w = 0; w < warp; ++w) before += m->ranks[w];
    if (before <= wanted && wanted < before + in_warp)
        for (int from = row.first(); from < row.end() && before <= wanted; from += AT_ONCE) {
            const int id = from + lane_id();
            const float4x x = row.at(id);
            int own = 0, through;
            for (int c = 0; c < 4; ++c) own += id + c < row.n && ordered(x.v[c]) == threshold;
            through = own;
            for (int step = 1; step < WARP; step *= 2) {
                const int left = __shfl_up_sync(TT_ALL_LANES, through, step);
                if (lane >= step) through += left;
            }
            int rank = before + through - own;
            for (int c = 0; c < 4; ++c)
                if (id + c < row.n && ordered(x.v[c]) == threshold && rank++ == wanted) m->limit = id + c;
            before += __shfl_sync(TT_ALL_LANES, through, WARP - 1);
        }
    __syncthreads();
}

// Keeps the smallest set of the largest logits among those kept, of positive weight, whose measure reaches `goal`.
// Of equal logits those with lower ids are kept.
__device__ void cut(cut_memory *m, logits *row, bool count, measure goal) {
    if (threadIdx.x == 0) m->threshold = m->known = 0, m->above = 0;
    __syncthreads();
    for (int shift = 24; shift >= 0; shift -= 8) {
        fill_bins(m, *row, count, shift);
        if (threadIdx.x < WARP) choose_bin(m, goal, shift);
        __syncthreads();
    }
    // All that equal the threshold have one weight: the first `wanted` of them reach the goal.
    const uint32_t threshold = m->threshold;
    if (threshold < row->threshold) return; // the goal is beyond all that are kept: none goes
    int limit = threshold == row->threshold ? row->limit : row->n;
    const measure missing = goal > m->above ? goal - m->above : 0, equal = m->equal;
    if (missing < equal) { // or all are wanted
        const measure each = count ? 1ull : fixed_point(row->weight_of(from_ordered(threshold)));
        const measure wanted = (missing + each - 1) / each;
        if (wanted < equal / each) { // the same for all threads
            find_limit(m, *row, threshold, static_cast<int>(wanted));
            limit = m->limit;
        }
    }
    row->threshold = threshold, row->limit = limit;
}

// The first id at which the running sum of weights exceeds u times their total; ids of weight 0 never. The warp in
// whose stretch that happens goes through it again. If rounding keeps its sum below the goal, it is the last id of
// that stretch.
__device__ int draw(const logits &row, double u, double *sums, int *chosen) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const double goal = u * sum_warps(sum_weights(row), sums);
    int chosen_warp = 0; // the first whose weights reach beyond the goal, or the last that has any
    double before = 0, running = 0;
    for (int w = 0; w < WARPS; ++w) {
        if (!(sums[w] > 0)) continue;
        chosen_warp = w, before = running;
        running += sums[w];
        if (running > goal) break;
    }
    if (warp == chosen_warp) {
        int found = -1, last = row.first();
        for (int from = row.first(); from < row.end() && found < 0; from += AT_ONCE) {
            const int id = from + lane_id();
            const float4x x = row.at(id);
            double own = 0;
            for (int c = 0; c < 4; ++c) own += static_cast<double>(row.weight(x.v[c], id + c));
            double through = own;
            for (int step = 1; step < WARP; step *= 2) {
                const double left = __shfl_up_sync(TT_ALL_LANES, through, step);
                if (lane >= step) through += left;
            }
            const double previous = __shfl_up_sync(TT_ALL_LANES, through, 1);
            double sum = before + (lane > 0 ? previous : 0);
            int here = -1, any = -1; // the first of mine beyond the goal; the last that has a weight
            for (int c = 0; c < 4; ++c) {
                const double w = static_cast<double>(row.weight(x.v[c], id + c));
                sum += w;
                if (!(w > 0)) continue;
                any = id + c;
                if (here < 0 && sum > goal) here = id + c;
            }
            const unsigned there = __ballot_sync(TT_ALL_LANES, any >= 0);
            const unsigned beyond = __ballot_sync(TT_ALL_LANES, here >= 0);
            if (there) last = __shfl_sync(TT_ALL_LANES, any, 31 - __clz(static_cast<int>(there)));
            if (beyond) found = __shfl_sync(TT_ALL_LANES, here, __ffs(static_cast<int>(beyond)) - 1);
            before += __shfl_sync(TT_ALL_LANES, through, WARP - 1);
        }
        if (lane == 0) *chosen = found >= 0 ? found : last;
    }
    __syncthreads();
    return *chosen;
}

// The measure of all that is kept, in all threads.
__device__ measure measure_row(const logits &row, measure *partial) {
    measure mine = 0;
    for (int from = row.first(); from < row.end(); from += AT_ONCE) {
        const int id = from + lane_id();
        const float4x x = row.at(id);
        for (int c = 0; c < 4; ++c) mine += fixed_point(row.weight(x.v[c], id + c));
    }
    for (int step = WARP / 2; step > 0; step /= 2) mine += __shfl_xor_sync(TT_ALL_LANES, mine, step);
    return sum_warps(mine, partial);
}

__global__ void __launch_bounds__(THREADS, 1)
    sample_rows(tt_sample p, bool hold, bool aligned, tt_cuda_fault *fault) {
    TT_SHARED(best, partial, WARPS);
    TT_SHARED(double, sums, WARPS);
    TT_SHARED(cut_memory, memory, 1);
    TT_SHARED(int, chosen, 1);
    TT_SHARED_DYNAMIC(float, held);
    const int index = blockIdx.x, n = p.vocab;
    if (p.left && p.left[index] == 0) { // the same for all threads
        if (threadIdx.x == 0) p.token[index] = 0;
        return;
    }
    const bool greedy = !(p.temperature > 0);
    logits row = {p.logits + static_cast<int64_t>(index) * n, n, aligned, 0,
        greedy ? 1.0f : fminf(1.0f / p.temperature, FLT_MAX), 0, n};
    const best top = read_row(&row, hold ? held : nullptr, partial);
    double total = 0;
    if (top.value >= -FLT_MAX && top.value <= FLT_MAX) total = sum_warps(sum_weights(row), sums);
    const double u = greedy ? 0 : static_cast<double>(p.uniform[index]);
    if (!(total >= 1) || !(u >= 0 && u < 1)) { // the same for all threads
        if (threadIdx.x == 0) {
            tt_fault(fault, total >= 1 ? TT_FAULT_UNIFORM : TT_FAULT_LOGITS, index, 0);
            p.token[index] = 0;
        }
        return;
    }
    int token = top.id;
    if (!greedy) {
        if (p.top_k > 0 && p.top_k < n) cut(memory, &row, true, static_cast<measure>(p.top_k));
        if (p.top_p < 1) {
            const double all = static_cast<double>(measure_row(row, memory->measures));
            const measure goal = static_cast<measure>(static_cast<double>(p.top_p) * all);
            cut(memory, &row, false, goal > 0 ? goal : 1);
        }
        __syncthreads();
        token = draw(row, u, sums, chosen);
        if (p.logp) {
            row.factor = 1, row.threshold = 0, row.limit = n;
            __syncthreads();
            total = sum_warps(sum_weights(row), sums);
        }
    }
    if (threadIdx.x != 0) return;
    p.token[index] = token;
    if (p.logp)
        p.logp[index] = static_cast<float>(static_cast<double>(row.x[token] - top.value) - log(total));
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
    enum { OTHER_SHARED = 8 << 10 }; // more than the kernel has besides the row
    TT_TRY(check_sample(p));
    const size_t bytes = (static_cast<size_t>(p->vocab) * sizeof *p->logits + 15) / 16 * 16;
    const bool hold = bytes + OTHER_SHARED <= static_cast<size_t>(tt_cuda_of(device)->shared_most);
    const bool aligned = p->vocab % 4 == 0 && reinterpret_cast<uintptr_t>(p->logits) % 16 == 0;
    if (hold) TT_ALLOW_SHARED(sample_rows, bytes, tt_stream(device), "sample");
    TT_CUDA(TT_LAUNCH(sample_rows, p->rows, THREADS, hold ? bytes : 0, tt_stream(device), *p, hold, aligned,
                tt_cuda_of(device)->fault),
        "sample");
    return TT_OK;
}
