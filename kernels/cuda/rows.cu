// Rows put where a list of row numbers says. One warp per row.
#include "kernels/cuda/kernel.cuh"

namespace {

enum { ROWS = 4, THREADS = ROWS * WARP };

template <class T>
__global__ void put(
    T *to, int ld_to, const int32_t *row, const T *from, int ld_from, int rows, int n, bool aligned) {
    const int i = blockIdx.x * ROWS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (i >= rows) return;
    constexpr int chunk = 16 / static_cast<int>(sizeof(T));
    T *target = to + static_cast<int64_t>(row[i]) * ld_to;
    const T *source = from + static_cast<int64_t>(i) * ld_from;
    if (aligned) {
        for (int c = chunk * lane; c < n; c += chunk * WARP)
            *reinterpret_cast<uint4 *>(target + c) = *reinterpret_cast<const uint4 *>(source + c);
    } else {
        for (int c = lane; c < n; c += WARP) target[c] = source[c];
    }
}

template <class T>
tt_status run(tt_device *device, void *to, int ld_to, const int32_t *row, const void *from, int ld_from,
    int rows, int n) {
    const int chunk = 16 / static_cast<int>(sizeof(T));
    const bool aligned = n % chunk == 0 && ld_to % chunk == 0 && ld_from % chunk == 0 &&
                         (reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) % 16 == 0;
    TT_CUDA(TT_LAUNCH((put<T>), tt_ceil_div(rows, ROWS), THREADS, 0, tt_stream(device), static_cast<T *>(to),
                ld_to, row, static_cast<const T *>(from), ld_from, rows, n, aligned),
        "put_rows");
    return TT_OK;
}

} // namespace

tt_status tt_cuda_put_rows(tt_device *device, tt_operand *to, int ld_to, const int32_t *row,
    const tt_operand *from, int ld_from, int rows, int n) {
    if (rows < 0 || n < 1 || ld_to < n || ld_from < n)
        return tt_fail(
            TT_ERR_INPUT, "put_rows: %d rows of %d with row distances %d and %d", rows, n, ld_to, ld_from);
    return rows == 0 ? TT_OK : TT_BY_OPERAND(device, run, device, to, ld_to, row, from, ld_from, rows, n);
}
