// Embedding gather and its gradient.
//
// Backward sorts the rows by id: a histogram of ids and its prefix sums give where an id's rows begin. Rows
// come there in any order first; then a row's place is the number of earlier rows among those of its id.
// Sorted rows are then summed in pieces of PIECE: runs of one id that lie within a piece are added to the
// table at once, what is cut at a piece's edge goes to a buffer that a second kernel adds up in order. So
// every sum has one order.
#include "kernels/cuda/dropout.cuh"

namespace {

enum { THREADS = 256, PIECE = 32, SCAN = 1024, FOUR = 4 };

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
    for (int c = 4 * lane; c < d; c += 4 * WARP) {
        float4x x = load4(p.table + static_cast<int64_t>(id) * d + c, whole, d - c);
        drop4(drop, row, c / 4, &x);
        store4(p.out + static_cast<int64_t>(row) * d + c, x, whole, d - c);
    }
}

// Rows by id. Device memory, all but `ids` scratch.
struct sorting {
    const int32_t *ids; // [rows]
    int rows, vocab;
    int *count, *start; // [vocab]: rows of an id, and how many rows have lower ids
    int *seat; // [rows]: how many rows with the same id were counted before, in whatever order that was
    int *mixed, *order; // [rows]: rows sorted by id, and among these by `seat` or by row
};

__global__ void count_ids(sorting s, tt_cuda_fault *fault) {
    const int row = blockIdx.x * THREADS + threadIdx.x;
    if (row >= s.rows) return;
    const int id = s.ids[row];
    if (id < 0 || id >= s.vocab)
        tt_fault(fault, TT_FAULT_ID, row, id);
    else
        s.seat[row] = atomicAdd(&s.count[id], 1);
}

// start[v] = sum of count[0..v]; one block, by fours.
__global__ void scan(int *start, const int *count, int n) {
    TT_SHARED(int, total, SCAN / WARP);
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    int before = 0;
    for (int first = 0; first < n; first += FOUR * SCAN) {
        const int i = first + FOUR * static_cast<int>(threadIdx.x);
        int mine[FOUR], sum = 0;
        for (int j = 0; j < FOUR; ++j) {
            mine[j] = i + j < n ? count[i + j] : 0;
            sum += mine[j];
        }
        const int own = sum; // sum becomes inclusive, within the warp
        for (int step = 1; step < WARP; step *= 2) {
            const int left = __shfl_up_sync(TT_ALL_LANES, sum, step);
            if (lane >= step) sum += left;
        }
        if (lane == WARP - 1) total[warp] = sum;
        __syncthreads();
        int left = before + sum - own;
        for (int w = 0; w < SCAN / WARP; ++w) {
            if (w < warp) left += total[w];
            before += total[w];
        }
        for (int j = 0; j < FOUR; ++j) {
            if (i + j < n) start[i + j] = left;
            left += mine[j];
        }
        __syncthreads();
    }
}

// Rows with an id outside the vocabulary have no place: row 0 takes it, and the fault is reported.
__global__ void seat_rows(sorting s) {
    const int row = blockIdx.x * THREADS + threadIdx.x;
    if (row >= s.rows) return;
    s.order[row] = 0; // until `place`
    const int id = s.ids[row];
    if (id >= 0 && id < s.vocab) s.mixed[s.start[id] + s.seat[row]] = row;
}

// The work is the square of how often an id occurs.
__global__ void place(sorting s) {
    const int row = blockIdx.x * THREADS + threadIdx.x;
    const int id = row < s.rows ? s.ids[row] : -1;
    if (id < 0 || id >= s.vocab) return;
    const int first = s.start[id], end = first + s.count[id];
    int rank = 0; // earlier rows with the same id
    for (int j = first; j < end; ++j) rank += s.mixed[j] < row;
    s.order[first + rank] = row;
}

struct pieces {
    const int *order; // [n] rows sorted by id
    int n;
    float *open; // [pieces, d]: sum of the run that a piece begins with, if it began before
};

// One block per piece, threads over columns by fours.
__global__ void sum_pieces(
    float *dtable, const float *dout, const int32_t *ids, int d, pieces p, dropout_plan drop) {
    const int first = blockIdx.x * PIECE, end = min(first + PIECE, p.n);
    const bool whole = d % 4 == 0;
    for (int c = 4 * threadIdx.x; c < d; c += 4 * blockDim.x) {
        int j = first;
        while (j < end) {
            const int id = ids[p.order[j]];
            const bool began_before = j == first && first > 0 && ids[p.order[first - 1]] == id;
            float4x sum = {{0, 0, 0, 0}};
            for (; j < end && ids[p.order[j]] == id; ++j) {
                const int row = p.order[j];
                float4x x = load4(dout + static_cast<int64_t>(row) * d + c, whole, d - c);
                drop4(drop, row, c / 4, &x);
                for (int j = 0; j < 4; ++j) sum.v[j] += x.v[j];
            }
            if (began_before) {
                store4(p.open + static_cast<int64_t>(blockIdx.x) * d + c, sum, whole, d - c);
                continue;
            }
            float *to = dtable + static_cast<int64_t>(id) * d + c;
            const float4x held = load4(to, whole, d - c);
            for (int j = 0; j < 4; ++j) sum.v[j] += held.v[j];
            store4(to, sum, whole, d - c);
        }
    }
}

// Adds to an id the pieces that its run was continued in. The block of the piece in which the run began does
// it.
__global__ void close_pieces(float *dtable, const int32_t *ids, int d, pieces p) {
    const int first = blockIdx.x * PIECE, end = min(first + PIECE, p.n);
    if (end == p.n) return; // nothing comes after
    const int id = ids[p.order[end - 1]];
    const bool began_here = first == 0 || ids[p.order[first - 1]] != id || ids[p.order[first]] != id;
    if (!began_here || ids[p.order[end]] != id) return;
    const bool whole = d % 4 == 0;
    for (int c = 4 * threadIdx.x; c < d; c += 4 * blockDim.x) {
        float *to = dtable + static_cast<int64_t>(id) * d + c;
        float4x sum = load4(to, whole, d - c);
        for (int piece = blockIdx.x + 1; piece * PIECE < p.n && ids[p.order[piece * PIECE]] == id; ++piece) {
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
    const int rows = p->rows, d = p->d, vocab = p->vocab;
    const int32_t *ids = p->ids;
    const int n_pieces = tt_ceil_div(rows, PIECE);
    const size_t open_floats = static_cast<size_t>(n_pieces) * static_cast<size_t>(d);
    const size_t ints = 2 * static_cast<size_t>(vocab) + 3 * static_cast<size_t>(rows);
    float *open = static_cast<float *>(tt_device_scratch(device, (open_floats + ints) * sizeof(float)));
    if (!open) return tt_context(TT_ERR_NOMEM, "embed_bwd");
    sorting s = {};
    s.ids = ids, s.rows = rows, s.vocab = vocab;
    s.count = reinterpret_cast<int *>(open + open_floats), s.start = s.count + vocab;
    s.seat = s.start + vocab, s.mixed = s.seat + rows, s.order = s.mixed + rows;
    const cudaStream_t stream = tt_stream(device);
    TT_TRY(tt_device_zero(device, s.count, static_cast<size_t>(vocab) * sizeof *s.count));
    const int blocks = tt_ceil_div(rows, THREADS);
    TT_CUDA(TT_LAUNCH(count_ids, blocks, THREADS, 0, stream, s, tt_cuda_of(device)->fault), "embed_bwd");
    TT_CUDA(TT_LAUNCH(scan, 1, SCAN, 0, stream, s.start, s.count, vocab), "embed_bwd");
    TT_CUDA(TT_LAUNCH(seat_rows, blocks, THREADS, 0, stream, s), "embed_bwd");
    TT_CUDA(TT_LAUNCH(place, blocks, THREADS, 0, stream, s), "embed_bwd");
    const pieces sorted = {s.order, rows, open};
    TT_CUDA(TT_LAUNCH(sum_pieces, n_pieces, column_threads(d), 0, stream, p->dtable, p->dout, ids, d, sorted,
                plan_dropout(&p->drop)),
        "embed_bwd");
    TT_CUDA(TT_LAUNCH(close_pieces, n_pieces, column_threads(d), 0, stream, p->dtable, ids, d, sorted),
        "embed_bwd");
    return TT_OK;
}
