// Shared by attention's backward kernels: the bias's gradient by distance, and the queries that read a key sequence.
#ifndef TT_KERNELS_CUDA_ATTENTION_BWD_CUH
#define TT_KERNELS_CUDA_ATTENTION_BWD_CUH

#include "kernels/cuda/attention_drop.cuh"

// Where the bias's gradient goes: [key sequences, per_sequence, buckets, heads], or NULL. `add`: it is added to what is there;
// else every element is written.
struct bias_sums {
    float *strips;
    int per_sequence;
    bool add;
};

// attention_bwd_short.cu: backward for key sequences of up to *above keys; -1 if there are none for that kernel.
tt_status tt_cuda_attention_bwd_short(
    tt_device *device, const tt_attention *p, const bias_plan &bias, const bias_sums &dbias, int *above);

static __device__ __forceinline__ float *own_strip(
    const bias_sums &dbias, const bias_plan &bias, int sequence, int strip) {
    return dbias.strips +
           (static_cast<int64_t>(sequence) * dbias.per_sequence + strip) * bias.buckets * bias.heads;
}
static __device__ __forceinline__ void zero_buckets(float *strip, const bias_plan &bias, int head) {
    for (int b = static_cast<int>(threadIdx.x); b < bias.buckets; b += static_cast<int>(blockDim.x))
        strip[b * bias.heads + head] = 0;
}

// x[i] of this lane and of `partner` are added; of each two the lane keeps one, `odd` or not.
template <int N>
__device__ __forceinline__ void halve(float (&half)[N / 2], const float (&x)[N], bool odd, int partner) {
#pragma unroll
    for (int i = 0; i < N; i += 2)
        half[i / 2] = (odd ? x[i + 1] : x[i]) + __shfl_sync(TT_ALL_LANES, odd ? x[i] : x[i + 1], partner);
}

// sums[x] += the sum of dS over key - query = x, where sums[0] belongs to row 0 and column 0 of the warp's
// product.
//
// A lane's elements lie on diagonals x = g - 2t - c + 8 (up - n) of column 2t + c of product n, row g + 8 up.
// With r the remainder of g - 2t by 8, four lanes (one for each t) share the diagonals r - c + 8i. The lane of
// remainder r + 1 gives its diagonals of c = 1, which are r's of c = 0; then the four add theirs, and each
// writes a quarter of them. The order of additions depends on nothing.
template <int TILES, int N>
__device__ __forceinline__ void add_diagonals(float *sums, const float (&ds)[TILES][N][4], int lane) {
    constexpr int M = N + 2 * TILES - 1, PADDED = (M + 4) / 4 * 4;
    const int g = lane / 4, t = lane % 4, r = (g - 2 * t) & 7;
    const bool below = g < 2 * t;
    float shifted[2][M + 2]; // [c][i]: of diagonal r - c + 8 (i - N)
#pragma unroll
    for (int c = 0; c < 2; ++c) {
        float own[M] = {}; // own[i]: of up - n = i - (N - 1)
#pragma unroll
        for (int up = 0; up < 2 * TILES; ++up)
#pragma unroll
            for (int n = 0; n < N; ++n) own[N - 1 + up - n] += ds[up / 2][n][up % 2 * 2 + c];
#pragma unroll
        for (int i = 0; i < M + 2; ++i) {
            const float here = i < M ? own[i < M ? i : 0] : 0,
                        before = i >= 1 && i <= M ? own[i >= 1 ? i - 1 : 0] : 0;
            shifted[c][i] = below ? here : before;
        }
    }
    const int next = 4 * ((r + 1 + 2 * t) & 7) + t; // the lane of remainder r + 1
    float neighbour[M + 2], both[PADDED] = {}, half[PADDED / 2], quarter[PADDED / 4];
#pragma unroll
    for (int i = 0; i < M + 2; ++i) neighbour[i] = __shfl_sync(TT_ALL_LANES, shifted[1][i], next);
#pragma unroll
    for (int i = 0; i <= M; ++i) both[i] = shifted[0][i] + (r == 7 ? neighbour[i + 1] : neighbour[i]);
    halve(half, both, t & 1, 4 * ((r + 2 * (t ^ 1)) & 7) + (t ^ 1));
    halve(quarter, half, t & 2, 4 * ((r + 2 * (t ^ 2)) & 7) + (t ^ 2));
#pragma unroll
    for (int i = 0; i < PADDED; i += 4)
        if (i + t <= M) sums[r + 8 * (i + t - N)] += quarter[i / 4];
    __syncwarp();
}

// The bucket's part of sums by distance, over all warps: to `dbias`, or with `add` added to it, times `factor`, one bucket
// for a warp at a time.
template <int WARPS>
__device__ __forceinline__ void write_buckets(float *dbias, bool add, float factor, float *sums, int size,
    int middle, const bias_plan &bias, int head) {
    __syncthreads();
    for (int i = threadIdx.x; i < size; i += WARP * WARPS) {
        float sum = 0;
        for (int w = 0; w < WARPS; ++w) sum += sums[w * size + i];
        sums[i] = sum;
    }
    __syncthreads();
    const int sided = bias.bidirectional ? bias.buckets / 2 : bias.buckets, lane = threadIdx.x % WARP,
              warp = static_cast<int>(threadIdx.x) / WARP;
    for (int first = warp; first < bias.buckets; first += WARPS * WARP) {
        float own = 0; // of bucket first + WARPS lane: all are written at once
        for (int i = 0; i < WARP && first + WARPS * i < bias.buckets; ++i) {
            const int b = first + WARPS * i,
                      side = b >= sided ? b - sided : b; // right of the query: b - sided
            const int low = bias.begin[side],
                      high = side + 1 == sided ? middle + 1 : min(bias.begin[side + 1], middle + 1);
            float sum = 0;
            if (b >= sided) {
                for (int x = max(low, 1) + lane; x < high; x += WARP) sum += sums[middle + x];
            } else {
                // Keys behind the query are at no distance where buckets look to one side.
                if (low == 0 && !bias.bidirectional)
                    for (int x = 1 + lane; x <= middle; x += WARP) sum += sums[middle + x];
                for (int x = low + lane; x < high; x += WARP) sum += sums[middle - x];
            }
            sum = warp_sum(sum);
            if (i == lane) own = sum;
        }
        const int b = first + WARPS * lane;
        if (b >= bias.buckets) continue;
        float *to = &dbias[b * bias.heads + head];
        *to = add ? *to + factor * own : factor * own;
    }
}

// A tile of the queries that attend to a key sequence; enter and advance go through them all.
struct reading {
    int reader, end;            // in the list of readers
    int q_row, queries, query0; // of the reader: its rows, and where the tile begins
};
__device__ __forceinline__ void enter(reading *r, const tt_attention &p, bool causal, int first, int step) {
    while (r->reader < r->end) {
        const int sequence = p.source ? p.readers[r->reader] : r->reader;
        r->q_row = p.q_offsets[sequence];
        r->queries = p.q_offsets[sequence + 1] - r->q_row;
        r->query0 = causal ? first / step * step : 0; // queries before the first key see none of these
        if (r->query0 < r->queries) return;
        ++r->reader;
    }
}
__device__ __forceinline__ void advance(reading *r, const tt_attention &p, bool causal, int first, int step) {
    r->query0 += step;
    if (r->query0 < r->queries) return;
    ++r->reader;
    enter(r, p, causal, first, step);
}

#endif
