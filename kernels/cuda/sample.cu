// Choosing the next token: one block per row of logits, which is read several times, from the second-level cache where
// that keeps it: two rows are in work on a multiprocessor, so that one computes while the other waits for memory. As in kernels/cpu/sample.c: weights exp((logit - max) / temperature), cut to the top k, then to the top p. Weights
// are not kept but computed again; a cut is a threshold. In searches they are summed as fixed-point numbers, for which
// the order does not matter; so threads may add to a histogram in any order.
//
// A cut takes one histogram as a rule, of distances from the largest logit, so fine that the bin in which the goal is
// reached holds few logits; these are ordered one by one. Where it holds many (ties, mostly), or where the goal is
// beyond all bins, the logits' bit patterns, in an order-preserving form, are bisected first.
#include "kernels/cuda/kernel.cuh"

#include <float.h>

namespace {

enum { THREADS = 512, WARPS = THREADS / WARP, STRIDE = 4 * WARP, AT_ONCE = 2 };
// Bins of a cut; those of a thread; how many logits are ordered one by one.
enum { BINS = 4096, OWN = BINS / THREADS, FEW = 256 };
typedef unsigned long long measure;

// Weights are in [0, 1]; with 1 as 2^40, the sum of 2^24 of them fits 64 bits. Nothing is rounded but what is below 1.
// From the bits of a float: a conversion takes four times as long as a shift.
__device__ __forceinline__ measure fixed_point(float weight) {
    const uint32_t bits = __float_as_uint(weight);
    const measure one = static_cast<measure>((bits & 0x7fffffu) | 0x800000u)
                        << 17; // as if the exponent were 1's
    return one >> min(127 - static_cast<int>(bits >> 23), 63);
}
// Weights of logits farther from the largest, times the factor, are 0 as fixed-point numbers.
enum { FARTHEST = 32 };

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

// A row, with minus infinity beyond its end. Each warp has a stretch of ids, and each lane four of STRIDE in turn. So
// all lanes go on alike.
struct logits {
    const float *x;
    int n, turns, first; // turns: fours of a lane, from id `first` on
    bool aligned;
    float top, factor;
    float range, scale; // distance of the last logit that has a bin; bins for a distance of 1
    uint32_t threshold; // what is kept: larger logits, and of equal ones ids below `limit`
    int limit;

    __device__ __forceinline__ float4x load(int id) const {
        const bool inside = id + 4 <= n;
        float4x four = load4(x + id, aligned && inside, n - id);
        if (inside) return four;
#pragma unroll
        for (int c = 0; c < 4; ++c)
            if (id + c >= n) four.v[c] = -INFINITY;
        return four;
    }
    __device__ __forceinline__ void open(const float *row, int vocab, bool is_aligned, float by) {
        x = row, n = vocab, aligned = is_aligned, factor = by;
        threshold = 0, limit = vocab;
        turns = (vocab + 4 * THREADS - 1) / (4 * THREADS);
        first =
            static_cast<int>(threadIdx.x) / WARP * turns * STRIDE + 4 * static_cast<int>(threadIdx.x % WARP);
    }
    // f(id, logits id .. id + 3) for the lane's fours, of which AT_ONCE are asked for at a time.
    template <class F> __device__ __forceinline__ void each_four(F f) const {
        for (int turn = 0; turn < turns; turn += AT_ONCE) {
            const int id = first + turn * STRIDE;
            float4x four[AT_ONCE];
#pragma unroll
            for (int i = 0; i < AT_ONCE; ++i)
                if (turn + i < turns) four[i] = load(id + i * STRIDE);
#pragma unroll
            for (int i = 0; i < AT_ONCE; ++i)
                if (turn + i < turns) f(id + i * STRIDE, four[i]);
        }
    }
    // f(id, logit)
    template <class F> __device__ __forceinline__ void each(F f) const {
        each_four([&](int id, const float4x &four) {
#pragma unroll
            for (int c = 0; c < 4; ++c) f(id + c, four.v[c]);
        });
    }

    __device__ __forceinline__ float distance(float logit) const {
        return (top - logit) * factor;
    }
    __device__ __forceinline__ bool keeps(float logit, int id) const {
        if (threshold == 0) return true; // nothing has been cut
        const uint32_t key = ordered(logit);
        return key > threshold || (key == threshold && id < limit);
    }
    __device__ __forceinline__ float weight_of(float logit) const {
        return expf(-distance(logit));
    }
    __device__ __forceinline__ float weight(float logit, int id) const {
        return keeps(logit, id) ? weight_of(logit) : 0;
    }
    // BINS: it has none.
    __device__ __forceinline__ int bin_of(float logit) const {
        const float d = distance(logit);
        return d <= range ? min(static_cast<int>(d * scale), BINS - 1) : static_cast<int>(BINS);
    }
    // What a search adds up: numbers of logits, or weights.
    template <bool COUNT> __device__ __forceinline__ measure amount(float logit) const {
        return COUNT ? 1ull : fixed_point(weight_of(logit));
    }
};

// What the threads of a block tell each other.
struct shared_memory {
    uint32_t low[BINS], high[BINS]; // of the sum of each bin
    uint32_t key[FEW];              // of candidates
    int id[FEW];
    measure own[FEW];
    measure measures[WARPS];
    double sums[WARPS], parts[WARPS];
    best tops[WARPS];
    float lows[WARPS];
    int counts[WARPS];
    measure above; // of all above the candidates
    int bin, found, limit, chosen, last;
    uint32_t threshold;

    // An atomic addition of 64 bits in shared memory is a loop on NVIDIA's GPUs, one of 32 bits is an instruction: so
    // low and high halves are added apart.
    __device__ __forceinline__ void add(int bin_at, measure amount) {
        const uint32_t by = static_cast<uint32_t>(amount);
        const uint32_t carry = atomicAdd(&low[bin_at], by) > ~by;
        const uint32_t by_high = static_cast<uint32_t>(amount >> 32) + carry;
        if (by_high) atomicAdd(&high[bin_at], by_high);
    }
};

// The sum over this lane and those before it.
template <class N> __device__ __forceinline__ N sum_through(N mine) {
    for (int step = 1; step < WARP; step *= 2) {
        const N left = __shfl_up_sync(TT_ALL_LANES, mine, step);
        if (static_cast<int>(threadIdx.x % WARP) >= step) mine += left;
    }
    return mine;
}

// The largest logit, the lowest id among equals, in all threads; infinite if there is a NaN. Sets the row's scale.
__device__ __forceinline__ best find_top(shared_memory *m, logits *row) {
    best mine = {-INFINITY, row->n};
    float low = INFINITY;
    bool strange = false;
    row->each([&](int id, float x) {
        if (x > mine.value) mine = {x, id};
        if (x > -INFINITY) low = fminf(low, x);
        strange = strange || x != x;
    });
    if (strange) mine.value = INFINITY;
    for (int step = WARP / 2; step > 0; step /= 2) {
        best other;
        other.value = __shfl_xor_sync(TT_ALL_LANES, mine.value, step);
        other.id = __shfl_xor_sync(TT_ALL_LANES, mine.id, step);
        mine = better(mine, other);
        low = fminf(low, __shfl_xor_sync(TT_ALL_LANES, low, step));
    }
    if (threadIdx.x % WARP == 0) m->tops[threadIdx.x / WARP] = mine, m->lows[threadIdx.x / WARP] = low;
    __syncthreads();
    best top = m->tops[0];
    for (int w = 0; w < WARPS; ++w) top = better(top, m->tops[w]), low = fminf(low, m->lows[w]);
    row->top = top.value;
    row->range = fminf(row->distance(low), static_cast<float>(FARTHEST));
    row->scale = row->range > FLT_MIN * BINS ? BINS / row->range : 0;
    return top;
}

// The histogram of all that is kept, and has a bin.
template <bool COUNT> __device__ __forceinline__ void fill_bins(shared_memory *m, const logits &row) {
    for (int b = threadIdx.x; b < BINS; b += THREADS) m->low[b] = m->high[b] = 0;
    if (threadIdx.x == 0) m->found = 0, m->bin = BINS;
    __syncthreads();
    row.each([&](int id, float x) {
        const int bin = row.bin_of(x);
        if (bin == BINS || !row.keeps(x, id)) return;
        if (COUNT)
            atomicAdd(&m->low[bin], 1u);
        else
            m->add(bin, row.amount<COUNT>(x));
    });
    __syncthreads();
}

// m->bin is the one in which the sum from the first on reaches the goal, and m->above the sum before it; or BINS, and
// the sum of all. The goal is `number`, or a share of all weights.
template <bool COUNT> __device__ measure choose_bin(shared_memory *m, int number, float share) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, first = OWN * threadIdx.x;
    measure amount[OWN], own = 0;
#pragma unroll
    for (int i = 0; i < OWN; i += 4) {
        const uint4 low = *reinterpret_cast<const uint4 *>(&m->low[first + i]),
                    high = *reinterpret_cast<const uint4 *>(&m->high[first + i]);
        amount[i] = static_cast<measure>(high.x) << 32 | low.x;
        amount[i + 1] = static_cast<measure>(high.y) << 32 | low.y;
        amount[i + 2] = static_cast<measure>(high.z) << 32 | low.z;
        amount[i + 3] = static_cast<measure>(high.w) << 32 | low.w;
    }
#pragma unroll
    for (int i = 0; i < OWN; ++i) own += amount[i];
    const measure through = sum_through(own);
    if (lane == WARP - 1) m->measures[warp] = through;
    __syncthreads();
    measure above = through - own, all = 0;
    for (int w = 0; w < WARPS; ++w) {
        if (w < warp) above += m->measures[w];
        all += m->measures[w];
    }
    measure goal = static_cast<measure>(number);
    if (!COUNT) {
        goal = static_cast<measure>(static_cast<double>(share) * static_cast<double>(all));
        if (goal == 0) goal = 1;
    }
    if (threadIdx.x == 0 && all < goal) m->above = all;
    if (above < goal && above + own >= goal) {
        int i = 0;
#pragma unroll
        for (int j = 0; j < OWN - 1; ++j)
            if (i == j && above + amount[j] < goal) above += amount[j], i = j + 1;
        m->above = above, m->bin = first + i;
    }
    __syncthreads();
    return goal;
}

// Candidates for a cut's last place: what is kept of a bin, with bit patterns from `low` to `high`. Beyond all bins, what
// has a weight.
struct candidates {
    int bin;
    uint32_t low, high;

    __device__ __forceinline__ bool have(const logits &row, float x, int id) const {
        if (row.bin_of(x) != bin) return false;
        const uint32_t key = ordered(x);
        return key >= low && key <= high && row.keeps(x, id) && (bin < BINS || row.weight_of(x) > 0);
    }
};

__device__ __forceinline__ void note(shared_memory *m, float x, int id) {
    const int at = atomicAdd(&m->found, 1);
    if (at < FEW) m->key[at] = ordered(x), m->id[at] = id;
}

// Halves the candidates' range until there are few, or equal ones only: their number. `above` grows by what is above
// them.
template <bool COUNT>
__device__ __forceinline__ int bisect(
    shared_memory *m, const logits &row, candidates *c, int number, measure goal, measure *above) {
    while (number > FEW && c->low < c->high) {
        const uint32_t middle = c->low + (c->high - c->low) / 2;
        const candidates upper = {c->bin, middle + 1, c->high};
        measure sum = 0;
        int in_upper = 0;
        row.each([&](int id, float x) {
            if (upper.have(row, x, id)) sum += row.amount<COUNT>(x), ++in_upper;
        });
        sum = block_sum<THREADS>(sum, m->measures);
        in_upper = block_sum<THREADS>(in_upper, m->counts);
        if (*above + sum >= goal) {
            c->low = middle + 1, number = in_upper;
        } else {
            c->high = middle, number -= in_upper;
            *above += sum;
        }
    }
    return number;
}

// The id of number `wanted` (from 0) of those whose bit pattern is `key`; there are more of them.
__device__ __forceinline__ int find_limit(shared_memory *m, const logits &row, uint32_t key, int wanted) {
    const int warp = threadIdx.x / WARP;
    int before = 0, mine = 0;
    row.each([&](int, float x) { mine += ordered(x) == key; });
    const int in_warp = __shfl_sync(TT_ALL_LANES, sum_through(mine), WARP - 1);
    if (threadIdx.x % WARP == 0) m->counts[warp] = in_warp;
    __syncthreads();
    for (int w = 0; w < warp; ++w) before += m->counts[w];
    row.each_four([&](int id, const float4x &four) {
        if (before > wanted) return; // the same for the warp
        int own = 0;
        for (int c = 0; c < 4; ++c) own += ordered(four.v[c]) == key;
        const int through = sum_through(own);
        int rank = before + through - own;
        for (int c = 0; c < 4; ++c)
            if (ordered(four.v[c]) == key && rank++ == wanted) m->limit = id + c;
        before += __shfl_sync(TT_ALL_LANES, through, WARP - 1);
    });
    __syncthreads();
    return m->limit;
}

// The last of a few candidates that is kept: the sum before it is below the goal, with it it is not.
template <bool COUNT>
__device__ __forceinline__ void order_few(
    shared_memory *m, logits *row, int number, measure goal, measure above) {
    enum { SHARE = THREADS / FEW };
    const int thread = threadIdx.x, i = thread / SHARE;
    if (thread < number) m->own[thread] = row->amount<COUNT>(from_ordered(m->key[thread]));
    __syncthreads();
    measure before = 0;
    if (i < number) {
        const uint32_t key = m->key[i];
        const int id = m->id[i];
        for (int j = thread % SHARE; j < number; j += SHARE)
            if (m->key[j] > key || (m->key[j] == key && m->id[j] < id)) before += m->own[j];
    }
    for (int step = 1; step < SHARE; step *= 2) before += __shfl_xor_sync(TT_ALL_LANES, before, step);
    before += above;
    if (thread % SHARE == 0 && i < number && before < goal && before + m->own[i] >= goal)
        m->threshold = m->key[i], m->limit = m->id[i] + 1;
    __syncthreads();
    row->threshold = m->threshold, row->limit = m->limit;
}

// Keeps the smallest set of the largest logits among those kept, of positive weight, whose sum reaches the goal:
// `number` of them, or a share of their weights. Of equal logits those with lower ids are kept.
template <bool COUNT>
__device__ __forceinline__ void cut(shared_memory *m, logits *row, int number, float share) {
    fill_bins<COUNT>(m, *row);
    const measure goal = choose_bin<COUNT>(m, number, share);
    candidates c = {m->bin, 0, 0xffffffffu};
    measure above = m->above;
    row->each([&](int id, float x) {
        if (c.have(*row, x, id)) note(m, x, id);
    });
    __syncthreads();
    const int found = m->found;
    if (COUNT && above + static_cast<measure>(found) < goal && c.bin == BINS) return; // there are not so many
    const int left = found > FEW ? bisect<COUNT>(m, *row, &c, found, goal, &above) : found;
    if (left > FEW) { // equal ones: the first `wanted` of them reach the goal
        const measure each = row->amount<COUNT>(from_ordered(c.low));
        const measure wanted = (goal - above + each - 1) / each;
        int limit = c.low == row->threshold ? row->limit : row->n;
        if (wanted < static_cast<measure>(left)) limit = find_limit(m, *row, c.low, static_cast<int>(wanted));
        row->threshold = c.low, row->limit = limit;
        return;
    }
    if (found > FEW) {
        __syncthreads(); // all have read how many were found
        if (threadIdx.x == 0) m->found = 0;
        __syncthreads();
        row->each([&](int id, float x) {
            if (c.have(*row, x, id)) note(m, x, id);
        });
        __syncthreads();
    }
    order_few<COUNT>(m, row, left, goal, above);
}

// The warp's sum of weights that are kept, in all its lanes.
__device__ __forceinline__ double sum_weights(const logits &row) {
    double sum = 0;
    row.each([&](int id, float x) { sum += static_cast<double>(row.weight(x, id)); });
    return warp_sum(sum);
}

// The sum over the block of what each warp has, in all threads; m->sums keeps the parts.
__device__ double sum_warps(shared_memory *m, double of_warp) {
    if (threadIdx.x % WARP == 0) m->sums[threadIdx.x / WARP] = of_warp;
    __syncthreads();
    double sum = 0;
    for (int w = 0; w < WARPS; ++w) sum += m->sums[w];
    return sum;
}

// The first id from `from` up to `end` at which the sum, `before` those, exceeds the goal. If rounding keeps it below,
// the last id that has a weight. m->chosen is the row's end, and m->last 0.
__device__ __forceinline__ int find_among(
    shared_memory *m, const logits &row, int from, int end, double before, double goal) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    for (; from < end; from += 4 * THREADS) {
        const int id = from + 4 * static_cast<int>(threadIdx.x);
        double weight[4] = {0, 0, 0, 0}, own = 0;
        if (id < end) {
            const float4x four = row.load(id);
            for (int c = 0; c < 4; ++c) own += weight[c] = static_cast<double>(row.weight(four.v[c], id + c));
        }
        const double through = sum_through(own), previous = __shfl_up_sync(TT_ALL_LANES, through, 1);
        if (lane == WARP - 1) m->parts[warp] = through;
        __syncthreads();
        double sum = lane > 0 ? previous : 0;
        for (int w = 0; w < WARPS; ++w) {
            if (w == warp) sum += before;
            before += m->parts[w];
        }
        int here = -1, any = -1; // the first of mine beyond the goal; the last that has a weight
        for (int c = 0; c < 4; ++c) {
            sum += weight[c];
            if (!(weight[c] > 0)) continue;
            any = id + c;
            if (here < 0 && sum > goal) here = id + c;
        }
        const unsigned there = __ballot_sync(TT_ALL_LANES, any >= 0);
        const unsigned beyond = __ballot_sync(TT_ALL_LANES, here >= 0);
        if (there && lane == 31 - __clz(static_cast<int>(there))) atomicMax(&m->last, any);
        if (beyond && lane == __ffs(static_cast<int>(beyond)) - 1) atomicMin(&m->chosen, here);
        __syncthreads();
        if (m->chosen < row.n) return m->chosen;
    }
    return m->last;
}

// The first id at which the running sum of weights exceeds u times their total; ids of weight 0 never.
__device__ __forceinline__ int draw(shared_memory *m, const logits &row, double u) {
    if (threadIdx.x == 0) m->chosen = row.n, m->last = 0;
    const double goal = u * sum_warps(m, sum_weights(row));
    int chosen_warp = 0; // the first whose weights reach beyond the goal, or the last that has any
    double before = 0, running = 0;
    for (int w = 0; w < WARPS; ++w) {
        if (!(m->sums[w] > 0)) continue;
        chosen_warp = w, before = running;
        running += m->sums[w];
        if (running > goal) break;
    }
    const int stretch = row.turns * STRIDE;
    return find_among(m, row, chosen_warp * stretch, (chosen_warp + 1) * stretch, before, goal);
}

__global__ void __launch_bounds__(THREADS, 2) sample_rows(tt_sample p, bool aligned, tt_cuda_fault *fault) {
    TT_SHARED(shared_memory, memory, 1);
    const int index = blockIdx.x, n = p.vocab;
    if (p.left && p.left[index] == 0) { // the same for all threads
        if (threadIdx.x == 0) p.token[index] = 0;
        return;
    }
    const bool greedy = !(p.temperature > 0);
    logits row;
    row.open(p.logits + static_cast<int64_t>(p.from ? p.from[index] : index) * n, n, aligned,
        greedy ? 1.0f : fminf(1.0f / p.temperature, FLT_MAX));
    const best top = find_top(memory, &row);
    const bool finite = top.value >= -FLT_MAX && top.value <= FLT_MAX;
    const double u = greedy ? 0 : static_cast<double>(p.uniform[index]);
    if (!finite || !(u >= 0 && u < 1)) { // the same for all threads
        if (threadIdx.x == 0) {
            tt_fault(fault, finite ? TT_FAULT_UNIFORM : TT_FAULT_LOGITS, index, 0);
            p.token[index] = 0;
        }
        return;
    }
    int token = top.id;
    if (!greedy) {
        if (p.top_k > 0 && p.top_k < n) cut<true>(memory, &row, p.top_k, 0);
        if (p.top_p < 1) {
            __syncthreads(); // all have read what the first cut found
            cut<false>(memory, &row, 0, p.top_p);
        }
        __syncthreads();
        token = draw(memory, row, u);
    }
    if (threadIdx.x == 0) p.token[index] = token;
    if (!p.logp) return;
    row.factor = 1, row.threshold = 0, row.limit = n;
    __syncthreads();
    const double total = sum_warps(memory, sum_weights(row));
    if (threadIdx.x == 0)
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
    TT_TRY(check_sample(p));
    const bool aligned = p->vocab % 4 == 0 && reinterpret_cast<uintptr_t>(p->logits) % 16 == 0;
    TT_CUDA(TT_LAUNCH(
                sample_rows, p->rows, THREADS, 0, tt_stream(device), *p, aligned, tt_cuda_of(device)->fault),
        "sample");
    return TT_OK;
}
