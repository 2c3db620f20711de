// Embedding gather and its gradient.
//
// Backward sums the rows, sorted by id, in pieces of PIECE: runs of one id that lie within a piece are added to the
// table at once, what is cut at a piece's edge goes to a buffer that a second kernel adds up in order. So
// every sum has one order.
#include "kernels/cuda/dropout.cuh"
#include "kernels/cuda/scratch.h"

namespace {

enum { THREADS = 256, PIECE = TT_CUDA_EMBEDDING_PIECE, AHEAD = 4 };

// One warp per row.
__global__ void gather(tt_embedding p, dropout_plan drop, tt_cuda_fault *fault) {
    const int row = blockIdx.x * (THREADS / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP, d = p.d;
    if (row >= p.rows) return;
    int id = p.ids[row];
    if (id < 0 || id >= p.vocab) {
        if (lane == 0) tt_fault(fault, TT_FAULT_ID, row, id);
        id = 0;
    }
    const bool whole = d % 4 == 0;
    const dropout_token token = token_of(drop, row);
    for (int c = 4 * lane; c < d; c += 4 * WARP) {
        float4x x = load4(p.table + static_cast<int64_t>(id) * d + c, whole, d - c);
        drop4(drop, token, c / 4, &x);
        store4(p.out + static_cast<int64_t>(row) * d + c, x, whole, d - c);
    }
}

struct pieces {
    const int32_t *ids, *order; // [n]; order: rows sorted by id, those with an id outside the vocabulary last
    int n, vocab;
    float *open; // [pieces, d]: sum of the run that a piece begins with, if it began before

    __device__ __forceinline__ int id_at(int place) const { return ids[order[place]]; }
};

// One block per piece, threads over columns by fours; AHEAD rows are on their way at once.
__global__ void sum_pieces(
    float *dtable, const float *dout, int d, pieces p, dropout_plan drop, tt_cuda_fault *fault) {
    TT_SHARED(int, row, PIECE);
    TT_SHARED(int, id, PIECE);
    TT_SHARED(dropout_token, token, PIECE);
    TT_SHARED(int, before, 1); // the id that the piece before ends with
    const int first = blockIdx.x * PIECE, n = min(PIECE, p.n - first);
    const int own = threadIdx.x;
    if (own < n) {
        row[own] = p.order[first + own];
        id[own] = p.ids[row[own]];
        token[own] = token_of(drop, row[own]);
        if (own == 0) before[0] = first > 0 ? p.id_at(first - 1) : -1;
        if (id[own] < 0 || id[own] >= p.vocab) {
            tt_fault(fault, TT_FAULT_ID, row[own], id[own]);
            id[own] = -1;
        }
    }
    __syncthreads();
    const bool whole = d % 4 == 0;
    for (int c = 4 * threadIdx.x; c < d; c += 4 * blockDim.x) {
        bool began_before = id[0] == before[0];
        float4x sum = {{0, 0, 0, 0}};
        for (int base = 0; base < n; base += AHEAD) {
            float4x x[AHEAD];
#pragma unroll
            for (int k = 0; k < AHEAD; ++k)
                if (base + k < n)
                    x[k] = load4(dout + static_cast<int64_t>(row[base + k]) * d + c, whole, d - c);
#pragma unroll
            for (int k = 0; k < AHEAD; ++k) {
                const int j = base + k;
                if (j >= n || id[j] < 0) break;
                drop4(drop, token[j], c / 4, &x[k]);
                for (int i = 0; i < 4; ++i) sum.v[i] += x[k].v[i];
                if (j + 1 < n && id[j + 1] == id[j]) continue;
                float *to = dtable + static_cast<int64_t>(id[j]) * d + c;
                if (began_before) {
                    to = p.open + static_cast<int64_t>(blockIdx.x) * d + c;
                } else {
                    const float4x held = load4(to, whole, d - c);
                    for (int i = 0; i < 4; ++i) sum.v[i] += held.v[i];
                }
                store4(to, sum, whole, d - c);
                began_before = false;
                sum = float4x();
            }
        }
    }
}

// Adds to an id the pieces that its run was continued in. The block of the piece in which the run began does
// it.
__global__ void close_pieces(float *dtable, int d, pieces p) {
    const int first = blockIdx.x * PIECE, end = first + PIECE;
    if (end >= p.n) return; // nothing comes after
    const int id = p.id_at(end - 1);
    if (id < 0 || id >= p.vocab || p.id_at(end) != id) return;
    const bool began_here = first == 0 || p.id_at(first - 1) != id || p.id_at(first) != id;
    if (!began_here) return;
    const bool whole = d % 4 == 0;
    for (int c = 4 * threadIdx.x; c < d; c += 4 * blockDim.x) {
        float *to = dtable + static_cast<int64_t>(id) * d + c;
        float4x sum = load4(to, whole, d - c);
        for (int piece = blockIdx.x + 1; piece * PIECE < p.n && p.id_at(piece * PIECE) == id; ++piece) {
            const float4x x = load4(p.open + static_cast<int64_t>(piece) * d + c, whole, d - c);
            for (int i = 0; i < 4; ++i) sum.v[i] += x.v[i];
        }
        store4(to, sum, whole, d - c);
    }
}

tt_status check_embedding(const tt_embedding *p, const char *op) {
    if (p->rows < 0 || p->d < 1 || p->vocab < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d from %d, expected rows >= 0, d >= 1, vocab >= 1", op,
            p->rows, p->d, p->vocab);
    return check_dropout(&p->drop, op);
}

int column_threads(int d) {
    const int threads = tt_ceil_div(d, 4 * WARP) * WARP;
    return threads < THREADS ? threads : THREADS;
}

} // namespace

tt_status tt_cuda_embed_fwd(tt_device *device, const tt_embedding *p) {
    TT_TRY(check_embedding(p, "embed_fwd"));
    if (p->rows == 0) return TT_OK;
    TT_CUDA(TT_LAUNCH(gather, tt_ceil_div(p->rows, THREADS / WARP), THREADS, 0, tt_stream(device), *p,
                plan_dropout(&p->drop), tt_cuda_of(device)->fault),
        "embed_fwd");
    return TT_OK;
}

tt_status tt_cuda_embed_bwd(tt_device *device, const tt_embedding *p) {
    TT_TRY(check_embedding(p, "embed_bwd"));
    if (p->rows == 0) return TT_OK;
    if (!p->order) return tt_fail(TT_ERR_INPUT, "embed_bwd: order is missing");
    const int d = p->d, n_pieces = tt_ceil_div(p->rows, PIECE);
    float *open = static_cast<float *>(tt_device_scratch(device, tt_cuda_embed_bwd_scratch(p)));
    if (!open) return tt_context(TT_ERR_NOMEM, "embed_bwd");
    const pieces sorted = {p->ids, p->order, p->rows, p->vocab, open};
    TT_CUDA(TT_LAUNCH(sum_pieces, n_pieces, column_threads(d), 0, tt_stream(device), p->dtable, p->dout, d,
                sorted, plan_dropout(&p->drop), tt_cuda_of(device)->fault),
        "embed_bwd");
    TT_CUDA(TT_LAUNCH(close_pieces, n_pieces, column_threads(d), 0, tt_stream(device), p->dtable, d, sorted),
        "embed_bwd");
    return TT_OK;
}
