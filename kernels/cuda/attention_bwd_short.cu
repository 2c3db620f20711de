// Attention, backward, for short key sequences: one block for all keys of a sequence and head. A warp has 16 of the
// keys and keeps their dK and dV; all warps go through the queries, a tile at a time. S, P, dP and dropout's masks are
// made once. dS goes to shared memory, where each warp makes of it, and of all keys, 16 x 16 elements of dQ while the
// next tile is under way. So every sum has one writer and one order, and a tile takes one barrier.
//
// A Philox block is the mask of 8 keys of a query, which two warps need: all threads make the masks of the next tile.
// Formulas, and what is over dropout's `kept` until it is stored: attention_bwd.cu.
#include "kernels/cuda/attention_bwd.cuh"

namespace {

enum {
    D = 64,
    LD = tile_shape<bf16, D>::ld,
    CHUNKS = D / 8
}; // of a row: columns, elements in a tile, pieces of 16 bytes

template <int WARPS> struct short_block {
    static constexpr int keys = 16 * WARPS, threads = WARP * WARPS,
                         blocks = 16 / WARPS, // whose registers a multiprocessor has: 128 of a thread
        step = 4 * WARPS, ld = step + 8;      // queries of a tile; [key, query] of dS
    static_assert(step / 16 * (D / 16) == WARPS, "each warp makes a square of dQ");
    static_assert(step * CHUNKS == threads, "each thread copies a piece of each tile");
    bf16 k[keys * LD], v[keys * LD], q[2][step * LD], dout[2][step * LD], out[step * LD], ds[2][keys * ld];
    float lse[2][step], delta[2][step];
    uint8_t mask[2][keys / 8 * step]; // [Philox block, query]
    // Behind it: biases by distance; for their gradient sums by distance, of each warp.
    using distance = distances<step, 16>;
};

// A tile's rows of Q, dO, O and lse, into stage `stage`: each thread copies its own piece.
template <int WARPS>
__device__ __forceinline__ void fetch_queries(
    short_block<WARPS> *m, const tt_attention &p, const reading &r, int head, int stage) {
    const int thread = threadIdx.x, n = r.queries - r.query0, from = r.q_row + r.query0, i = thread / CHUNKS,
              column = thread % CHUNKS * 8, at = i * LD + column;
    const bool there = i < n;
    const int64_t row = from + (there ? i : 0);
    copy_async<16>(m->q[stage] + at, static_cast<const bf16 *>(p.q) + row * p.ldq + head * D + column, there);
    const int64_t place = row * p.ldo + head * D + column;
    copy_async<16>(m->dout[stage] + at, static_cast<const bf16 *>(p.dout) + place, there);
    copy_async<16>(m->out + at, static_cast<const bf16 *>(p.out) + place, there);
    if (thread < short_block<WARPS>::step)
        copy_async<4>(&m->lse[stage][thread],
            &p.lse[static_cast<int64_t>(from + (thread < n ? thread : 0)) * p.heads + head], thread < n);
}

// delta of a tile, over `kept`. A thread reads what it has copied itself, so no barrier is needed.
template <int WARPS>
__device__ __forceinline__ void sum_deltas(short_block<WARPS> *m, float kept, int stage) {
    const int row = static_cast<int>(threadIdx.x) / CHUNKS, chunk = static_cast<int>(threadIdx.x) % CHUNKS;
    piece<bf16> out, dout;
    load_piece(&out, m->out + row * LD + 8 * chunk, true, 8);
    load_piece(&dout, m->dout[stage] + row * LD + 8 * chunk, true, 8);
    float sum = 0;
#pragma unroll
    for (int j = 0; j < 8; ++j) sum += out[j] * dout[j];
    for (int x = CHUNKS / 2; x > 0; x /= 2) sum += __shfl_xor_sync(TT_ALL_LANES, sum, x);
    if (chunk == 0) m->delta[stage][row] = sum / kept;
}

// Bit 2i + j: whether the element of keys 8i + 2b + j of a query and its 32 keys is dropped, b being the block's
// place among the four of these keys.
__device__ __forceinline__ uint8_t dropped_bits(const uint4 &made, uint32_t threshold) {
    const uint32_t word[4] = {made.x, made.y, made.z, made.w};
    uint32_t bits = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i)
        bits |= (word[i] << 16 < threshold ? 1u << 2 * i : 0) | (word[i] < threshold ? 2u << 2 * i : 0);
    return static_cast<uint8_t>(bits);
}

// The masks of a tile for the keys below `keys`. `token`: of this thread's query, if it is there.
template <int WARPS>
__device__ __forceinline__ void make_masks(short_block<WARPS> *m, const dropout_plan &drop, uint32_t site,
    const dropout_token &token, bool there, int keys, int stage) {
    constexpr int STEP = short_block<WARPS>::step, APART = short_block<WARPS>::threads / STEP;
    const int query = static_cast<int>(threadIdx.x) % STEP;
    for (int b = static_cast<int>(threadIdx.x) / STEP; 32 * (b / 4) < keys; b += APART) {
        uint4 made = make_uint4(~0u, ~0u, ~0u, ~0u);
        if (there)
            made =
                dropout_words(__ldg(drop.key), site, token.example, token.position, static_cast<uint32_t>(b));
        m->mask[stage][b * STEP + query] = dropped_bits(made, drop.threshold);
    }
}

// to[i, c] = factor x for i = row and row + 8 below `rows`, of lane column t; rows begin at pairs.
template <int COLUMNS>
__device__ __forceinline__ void store_whole(
    bf16 *to, int ld, const float (&x)[COLUMNS][4], float factor, int row, int rows, int t) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        if (row + 8 * half >= rows) break;
        bf16 *target = to + static_cast<int64_t>(row + 8 * half) * ld + 2 * t;
#pragma unroll
        for (int n = 0; n < COLUMNS; ++n)
            store_pair(target + 8 * n, factor * x[n][2 * half], factor * x[n][2 * half + 1]);
    }
}

// The warp's square of a tile's dQ, of dS in stage `stage`.
template <int WARPS>
__device__ __forceinline__ void make_dq(const short_block<WARPS> *m, const tt_attention &p, const reading &r,
    int head, float kept, int keys, bool causal, int stage) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, row = warp / (D / 16) * 16,
              column = warp % (D / 16) * 16, query = r.query0 + row;
    if (query >= r.queries) return;
    const int last = causal ? min(keys, query + 16) : keys;
    float sum[2][4] = {};
#pragma unroll 2
    for (int key = 0; key < last; key += 16) {
        const fragment_a<bf16> left = load_a_columns(m->ds[stage], short_block<WARPS>::ld, row, key, lane);
        const fragment_b2<bf16> right = load_b2_rows(m->k, LD, key, column, lane);
        mma(sum[0], left, right.v[0], lane);
        mma(sum[1], left, right.v[1], lane);
    }
    store_whole<2>(static_cast<bf16 *>(p.dq) + static_cast<int64_t>(r.q_row) * p.ldq + head * D + column,
        p.ldq, sum, kept, query + lane / 4, r.queries, lane % 4);
}

// What a warp adds up of its 16 keys.
struct key_sums {
    float dk[1][D / 8][4], dv[1][D / 8][4];
};

// Adds 16 queries of a tile, from row `part` on: to the sums, dS to shared memory. biases and distance_sums: those of the
// distance of their first rows, or none.
template <int WARPS, int USE>
__device__ __forceinline__ void add_queries(key_sums *sums, short_block<WARPS> *m, int stage, int part,
    int queries, int keys, const float *biases, float *distance_sums, int warp_row) {
    constexpr int STEP = short_block<WARPS>::step, DS = short_block<WARPS>::ld;
    const int lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4;
    const bf16 *q = m->q[stage] + part * LD, *dout = m->dout[stage] + part * LD;
    const float *lse = m->lse[stage] + part + 2 * t, *delta = m->delta[stage] + part + 2 * t;
    own_rows<bf16, D, 1, false> own_k, own_v;
    own_k.open(m->k, warp_row, lane);
    own_v.open(m->v, warp_row, lane);
    float s[1][2][4], ds[1][2][4] = {};
#pragma unroll
    for (int i = 0; i < 8; ++i) s[0][i / 4][i % 4] = -lse[8 * (i / 4) + i % 2];
    rows_times_rows(s, own_k, q, lane);
    rows_times_rows(ds, own_v, dout, lane);
    if (USE & BIASES) add_biases<-1>(s, biases + g - 2 * t);
    if (queries < 16) hide_columns(s, queries - 2 * t);
    if (warp_row + 16 > keys) hide_rows(s, keys - warp_row - g);
#pragma unroll
    for (int n = 0; n < 2; ++n) {
        uint32_t dropped = 0; // bit 2h + 8j of row g + 8h, column 2t + j
        if (USE & DROPOUT) {
            const uint8_t *of = &m->mask[stage][(warp_row / 32 * 4 + g / 2) * STEP + part + 8 * n + 2 * t];
            dropped =
                static_cast<uint32_t>(*reinterpret_cast<const uint16_t *>(of)) >> (warp_row % 32 / 4 + g % 2);
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const bool out = USE & DROPOUT && dropped >> (i / 2 * 2 + i % 2 * 8) & 1;
            float &score = s[0][n][i], &d = ds[0][n][i];
            score = power_of_two(USE & BIASES ? score : TT_LOG2E * score);
            d = score * ((out ? 0 : d) - delta[8 * n + i % 2]);
            if (out) score = 0;
        }
    }
    bf16 *to = m->ds[stage] + (warp_row + g) * DS + part + 2 * t;
#pragma unroll
    for (int i = 0; i < 4; ++i)
        store_pair(to + i / 2 * 8 * DS + 8 * (i % 2), ds[0][i % 2][i / 2 * 2], ds[0][i % 2][i / 2 * 2 + 1]);
    product_times_rows<bf16, D>(sums->dv, s, dout, lane);
    product_times_rows<bf16, D>(sums->dk, ds, q, lane);
    if (USE & BIASES && distance_sums) add_diagonals(distance_sums, ds, lane);
}

// Sequences of more than `above` keys, and as many as the block has at most.
template <int WARPS, int USE>
__global__ void __launch_bounds__(short_block<WARPS>::threads, short_block<WARPS>::blocks)
    attention_bwd_short(tt_attention p, bias_plan bias, dropout_plan drop, int above, bias_sums dbias) {
    using block = short_block<WARPS>;
    using distance = typename block::distance;
    constexpr bool BIAS = USE & BIASES, DROPS = USE & DROPOUT;
    TT_SHARED_DYNAMIC(block, m);
    const int middle = distance::middle(bias.reach), size = distance::size(bias.reach);
    float *biases = reinterpret_cast<float *>(m + 1), *distance_sums = biases + size;
    const int sequence = blockIdx.y, head = blockIdx.x, thread = threadIdx.x, warp = thread / WARP,
              warp_row = 16 * warp;
    const int kv_row = p.kv_offsets[sequence], keys = p.kv_offsets[sequence + 1] - kv_row;
    reading now = {p.source ? p.reader_offsets[sequence] : sequence,
        p.source ? p.reader_offsets[sequence + 1] : sequence + 1, 0, 0, 0};
    if (keys <= above || keys > block::keys) return;
    enter(&now, p, false, 0, block::step);
    const bool causal = BIAS && p.causal;
    fetch_tile<bf16, D, block::keys, block::threads, true>(m->k,
        static_cast<const bf16 *>(p.k) + static_cast<int64_t>(kv_row) * p.ldk + head * D, p.ldk, keys, D);
    fetch_tile<bf16, D, block::keys, block::threads, true>(m->v,
        static_cast<const bf16 *>(p.v) + static_cast<int64_t>(kv_row) * p.ldv + head * D, p.ldv, keys, D);
    dropout_token token = {};
    const auto fetch = [&](const reading &r, int stage) {
        fetch_queries(m, p, r, head, stage);
        const int query = r.query0 + thread % block::step;
        if (DROPS && query < r.queries) token = token_of(drop, r.q_row + query);
    };
    const auto prepare = [&](const reading &r, int stage) {
        sum_deltas(m, drop.kept, stage);
        if (DROPS)
            make_masks(m, drop, drop.site + static_cast<uint32_t>(head), token,
                r.query0 + thread % block::step < r.queries,
                causal ? min(keys, r.query0 + block::step) : keys, stage);
    };
    if (now.reader < now.end) fetch(now, 0);
    commit_copies();
    if (BIAS) fill_biases(biases, middle, bias, p.causal, head, -middle, middle);
    if (BIAS && dbias.strips)
        for (int i = thread; i < WARPS * size; i += block::threads) distance_sums[i] = 0;
    key_sums sums = {};
    wait_for_copies<0>();
    if (now.reader < now.end) prepare(now, 0);
    __syncthreads();
    reading before = {}; // whose dQ is to be made
    for (int stage = 0;; stage = 1 - stage) {
        reading next = now;
        if (now.reader < now.end) advance(&next, p, false, 0, block::step);
        const bool more = next.reader < next.end;
        if (more) fetch(next, 1 - stage);
        commit_copies();
        make_dq(m, p, before, head, drop.kept, keys, causal, 1 - stage);
        if (now.reader >= now.end) break;
        const int queries = warp_row < keys ? now.queries - now.query0 : 0;
#pragma unroll 1
        for (int part = 0; part < block::step && part < queries; part += 16) {
            if (causal && warp_row >= now.query0 + part + 16) continue; // keys behind these queries
            const int offset = middle + distance::clamped(warp_row - now.query0, bias.reach) - part;
            add_queries<WARPS, USE>(&sums, m, stage, part, queries - part, keys, biases + offset,
                dbias.strips ? distance_sums + warp * size + offset : nullptr, warp_row);
        }
        wait_for_copies<0>();
        if (more) prepare(next, 1 - stage);
        __syncthreads();
        before = now, now = next;
    }
    const int row = warp_row + thread % WARP / 4, t = thread % 4;
    store_whole<D / 8>(static_cast<bf16 *>(p.dk) + static_cast<int64_t>(kv_row) * p.ldk + head * D, p.ldk,
        sums.dk[0], drop.kept, row, keys, t);
    store_whole<D / 8>(static_cast<bf16 *>(p.dv) + static_cast<int64_t>(kv_row) * p.ldv + head * D, p.ldv,
        sums.dv[0], drop.kept, row, keys, t);
    if (!BIAS || !dbias.strips) return;
    write_buckets<WARPS>(
        own_strip(dbias, bias, sequence, 0), dbias.add, drop.kept, distance_sums, size, middle, bias, head);
    for (int i = 1; !dbias.add && i < dbias.per_sequence; ++i)
        zero_buckets(own_strip(dbias, bias, sequence, i), bias, head);
}

// ---- host side

template <int WARPS, int USE> size_t bytes_of(const tt_attention *p, const bias_plan &bias) {
    const int size = USE & BIASES ? short_block<WARPS>::distance::size(bias.reach) : 0;
    return sizeof(short_block<WARPS>) +
           static_cast<size_t>(size * (p->dbias ? 1 + WARPS : 1)) * sizeof(float);
}

// Sequences of more than *above keys, which becomes how many the block has; it stays where the GPU has too little shared
// memory.
template <int WARPS, int USE>
tt_status launch(
    tt_device *device, const tt_attention *p, const bias_plan &bias, const bias_sums &dbias, int *above) {
    const cudaStream_t stream = tt_stream(device);
    const size_t size = bytes_of<WARPS, USE>(p, bias);
    if (size > static_cast<size_t>(tt_cuda_of(device)->shared_most)) return TT_OK;
    const dim3 grid(static_cast<unsigned>(p->heads), static_cast<unsigned>(p->kv_seqs));
    TT_ALLOW_SHARED((attention_bwd_short<WARPS, USE>), size, stream, "attention_bwd");
    TT_CUDA(TT_LAUNCH((attention_bwd_short<WARPS, USE>), grid, short_block<WARPS>::threads, size, stream, *p,
                bias, plan_dropout_of_probabilities(&p->drop), *above, dbias),
        "attention_bwd");
    *above = short_block<WARPS>::keys;
    return TT_OK;
}

// One launch for all sequences of up to 128 keys, by blocks as small as the longest allows, and one for those of up to 256.
template <int USE>
tt_status run(
    tt_device *device, const tt_attention *p, const bias_plan &bias, const bias_sums &dbias, int *above) {
    if (p->longest_kv <= short_block<4>::keys) return launch<4, USE>(device, p, bias, dbias, above);
    TT_TRY((launch<8, USE>(device, p, bias, dbias, above)));
    return p->longest_kv > *above ? launch<16, USE>(device, p, bias, dbias, above) : TT_OK;
}

} // namespace

tt_status tt_cuda_attention_bwd_short(
    tt_device *device, const tt_attention *p, const bias_plan &bias, const bias_sums &dbias, int *above) {
    *above = -1;
    if (device->operand_size != sizeof(bf16) || p->d_kv != D || !rows_aligned<bf16>(p)) return TT_OK;
    const bool biases = p->bias || p->causal, drops = p->drop.p > 0;
    if (biases && drops) return run<BIASES | DROPOUT>(device, p, bias, dbias, above);
    if (biases) return run<BIASES>(device, p, bias, dbias, above);
    if (drops) return run<DROPOUT>(device, p, bias, dbias, above);
    return run<0>(device, p, bias, dbias, above);
}
