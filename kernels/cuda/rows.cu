// Copies rows to the places that a list of row numbers gives. One warp per row.
#include "kernels/cuda/kernel.cuh"

namespace {

enum { ROWS = 4, THREADS = ROWS * WARP };

template <class T> __global__ void put(tt_put_rows p, bool aligned) {
    const int i = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP, n = p.n;
    if (i >= p.rows) return;
    constexpr int chunk = 16 / static_cast<int>(sizeof(T));
    T *target = static_cast<T *>(p.to) + static_cast<int64_t>(p.row[i]) * p.ld_to;
    const T *source = static_cast<const T *>(p.from) + static_cast<int64_t>(i) * p.ld_from;
    if (aligned) {
        for (int c = chunk * lane; c < n; c += chunk * WARP)
            *reinterpret_cast<uint4 *>(target + c) = *reinterpret_cast<const uint4 *>(source + c);
    } else {
        for (int c = lane; c < n; c += WARP) target[c] = source[c];
    }
}

template <class T> tt_status launch_put(tt_device *device, const tt_put_rows *p) {
    const int chunk = 16 / static_cast<int>(sizeof(T));
    const bool aligned =
        p->n % chunk == 0 && p->ld_to % chunk == 0 && p->ld_from % chunk == 0 &&
        (reinterpret_cast<uintptr_t>(p->to) | reinterpret_cast<uintptr_t>(p->from)) % 16 == 0;
    TT_CUDA(TT_LAUNCH((put<T>), tt_ceil_div(p->rows, ROWS), THREADS, 0, tt_stream(device), *p, aligned),
        "put_rows");
    return TT_OK;
}

} // namespace

tt_status tt_cuda_put_rows(tt_device *device, const tt_put_rows *p) {
    if (p->rows < 0 || p->n < 1 || p->ld_to < p->n || p->ld_from < p->n)
        return tt_fail(TT_ERR_INPUT,
            "put_rows: %d rows of %d with row distances %d and %d; expected n >= 1 and distances of at least "
            "n",
            p->rows, p->n, p->ld_to, p->ld_from);
    return p->rows == 0 ? TT_OK : TT_BY_OPERAND(device, launch_put, device, p);
}
