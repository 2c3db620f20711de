// The beginning and the end of a step of decoding: a few numbers for each slot, so that steps can follow each other
// without the host.
#include "kernels/cuda/kernel.cuh"

namespace {

enum { THREADS = 128 };

// One warp per slot.
__global__ void enter_slots(tt_enter p) {
    const int s = blockIdx.x * (THREADS / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (s >= p.slots) return;
    const int row = p.row[s];
    if (lane == 0) p.ids[row] = p.token[s];
    if (!p.table) return;
    const int before = p.length[s] - 1;
    int32_t *own = p.table + p.start[s];
    const int32_t *parent = p.table + p.parent[s];
    for (int j = lane; parent != own && j < before; j += WARP) own[j] = parent[j];
    if (lane == 0) own[before] = row;
}

__global__ void advance_slots(tt_advance p) {
    const int s = blockIdx.x * THREADS + threadIdx.x;
    if (s >= p.slots) return;
    int left = p.left[s];
    if (left == 0) return;
    left = p.token[s] == p.end ? 0 : left - 1;
    p.left[s] = left;
    if (left > 0) {
        p.row[s]++;
        p.length[s]++;
    } else {
        p.row[s] = p.start[s];
        p.length[s] = p.read_length[s] = 1;
    }
}

} // namespace

tt_status tt_cuda_enter(tt_device *device, const tt_enter *p) {
    TT_CUDA(TT_LAUNCH(enter_slots, tt_ceil_div(p->slots, THREADS / WARP), THREADS, 0, tt_stream(device), *p),
        "enter");
    return TT_OK;
}

tt_status tt_cuda_advance(tt_device *device, const tt_advance *p) {
    TT_CUDA(TT_LAUNCH(advance_slots, tt_ceil_div(p->slots, THREADS), THREADS, 0, tt_stream(device), *p),
        "advance");
    return TT_OK;
}
