// The end of a step of beam search: one block per prompt.
#include "kernels/cuda/kernel.cuh"

namespace {

enum { THREADS = 128, MOVES = -2 }; // MOVES: goes on in a slot that is not known yet

struct choice {
    double score;
    int parent, token; // parent: -1 = none
};

// Best first.
__device__ __forceinline__ bool precedes(choice a, choice b) {
    if (a.score != b.score) return a.score > b.score;
    return a.parent != b.parent ? a.parent < b.parent : a.token < b.token;
}

__device__ __forceinline__ choice better(choice a, choice b) {
    return a.parent < 0 || (b.parent >= 0 && precedes(b, a)) ? b : a;
}

// Finds the 2 beams best, one a round: the first after `last`, as in top_rows. Thread 0 writes it; the others may read it after
// the round's last barrier.
__device__ void find_best(const tt_beam_step &p, int first, choice *partial, tt_beam_candidate *best) {
    const int k = 2 * p.beams, n = p.beams * k;
    const int64_t begin = static_cast<int64_t>(first) * k;
    choice last = {INFINITY, -1, -1};
    for (int rank = 0; rank < k; ++rank) {
        choice mine = {-INFINITY, -1, 0};
        for (int i = threadIdx.x; i < n; i += THREADS) {
            const int text = i / k;
            const choice c = {
                p.total[first + text] + static_cast<double>(p.score[begin + i]), text, p.choice[begin + i]};
            if (precedes(last, c)) mine = better(mine, c);
        }
        for (int step = WARP / 2; step > 0; step /= 2) {
            const choice other = {__shfl_xor_sync(TT_ALL_LANES, mine.score, step),
                __shfl_xor_sync(TT_ALL_LANES, mine.parent, step),
                __shfl_xor_sync(TT_ALL_LANES, mine.token, step)};
            mine = better(mine, other);
        }
        if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = mine;
        __syncthreads();
        last = partial[0];
        for (int w = 1; w < THREADS / WARP; ++w) last = better(last, partial[w]);
        // Where scores are NaN there may be none; log_softmax has reported that.
        if (threadIdx.x == 0)
            best[rank] = last.parent < 0 ? tt_beam_candidate{-INFINITY, 0, p.end, -1, 0}
                                         : tt_beam_candidate{last.score, last.parent, last.token, -1, 0};
        __syncthreads();
    }
}

// By one thread: the slots of those that go on. from[i] receives the place of the i-th among them; returns their number.
__device__ int choose_slots(const tt_beam_step &p, bool *goes_on, int16_t *from, tt_beam_candidate *best) {
    int kept = 0, childless = 0;
    for (int i = 0; i < 2 * p.beams && kept < p.beams; ++i) {
        const int parent = best[i].parent;
        if (best[i].token == p.end) continue;
        from[kept++] = static_cast<int16_t>(i);
        best[i].slot = goes_on[parent] ? MOVES : parent;
        goes_on[parent] = true;
    }
    for (int i = 0; i < kept; ++i) {
        if (best[from[i]].slot != MOVES) continue;
        while (goes_on[childless]) ++childless;
        best[from[i]].slot = childless++;
    }
    return kept;
}

__global__ void end_step(tt_beam_step p) {
    TT_SHARED(choice, partial, THREADS / WARP);
    TT_SHARED(int32_t, start, TT_MOST_BEAMS);
    TT_SHARED(int16_t, from, TT_MOST_BEAMS);
    TT_SHARED(bool, goes_on, TT_MOST_BEAMS);
    TT_SHARED(int, kept, 1);
    const int first = blockIdx.x * p.beams;
    if (p.left[first] == 0) return;
    tt_beam_candidate *best = p.best + static_cast<int64_t>(blockIdx.x) * 2 * p.beams;
    const int length = p.length[first];
    for (int i = threadIdx.x; i < p.beams; i += THREADS) {
        start[i] = p.start[first + i];
        goes_on[i] = false;
    }
    find_best(p, first, partial, best); // ends with a barrier
    if (threadIdx.x == 0) kept[0] = choose_slots(p, goes_on, from, best);
    __syncthreads();
    for (int i = threadIdx.x; i < kept[0]; i += THREADS) {
        const tt_beam_candidate c = best[from[i]];
        p.total[first + i] = c.score;
        p.token[first + i] = c.token;
        p.row[first + i] = start[c.slot] + length;
        p.start[first + i] = start[c.slot];
        p.length[first + i] = length + 1;
        p.parent[first + i] = start[c.parent];
    }
}

} // namespace

tt_status tt_cuda_beam_step(tt_device *device, const tt_beam_step *p) {
    if (p->prompts < 1 || p->beams < 2 || p->beams > TT_MOST_BEAMS)
        return tt_fail(TT_ERR_INPUT,
            "beam_step: %d prompts of %d beams; expected prompts >= 1 and 2 to %d beams", p->prompts,
            p->beams, static_cast<int>(TT_MOST_BEAMS));
    TT_CUDA(TT_LAUNCH(end_step, p->prompts, THREADS, 0, tt_stream(device), *p), "beam_step");
    return TT_OK;
}
