// The end of a step of beam search: one warp per prompt.
#include "kernels/cuda/kernel.cuh"

namespace {

enum { MOVES = -2 }; // goes on in a slot that is not known yet

struct head { // of a text's list: what is not among the best yet
    double score;
    int text; // -1: none
};

__device__ __forceinline__ head better(head a, head b) {
    if (a.text < 0 || b.text < 0) return a.text < 0 ? b : a;
    if (a.score != b.score) return b.score > a.score ? b : a;
    return b.text < a.text ? b : a;
}

// Merges the texts' lists, one candidate a round. Lane i has texts i, i + 32 ..; at[]: their places in their lists, 0 before.
__device__ void find_best(const tt_beam_step &p, int first, int lane, int16_t *at, tt_beam_candidate *best) {
    const int k = 2 * p.beams;
    const int64_t begin = static_cast<int64_t>(first) * k;
    for (int rank = 0; rank < k; ++rank) {
        head next = {0, -1};
        for (int text = lane; text < p.beams; text += WARP)
            if (at[text] < k)
                next = better(
                    next, {p.total[first + text] + static_cast<double>(p.score[begin + text * k + at[text]]),
                              text});
        for (int step = WARP / 2; step > 0; step /= 2)
            next = better(next, {__shfl_xor_sync(TT_ALL_LANES, next.score, step),
                                    __shfl_xor_sync(TT_ALL_LANES, next.text, step)});
        if (next.text % WARP == lane) {
            const int32_t token = p.choice[begin + next.text * k + at[next.text]];
            best[rank] = {next.score, next.text, token, -1, 0};
            ++at[next.text];
        }
    }
}

// By one lane: the slots of those that go on. from[i] receives the place of the i-th among them; returns their number.
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
    TT_SHARED(int32_t, start, TT_MOST_BEAMS);
    TT_SHARED(int16_t, at, TT_MOST_BEAMS);
    TT_SHARED(int16_t, from, TT_MOST_BEAMS);
    TT_SHARED(bool, goes_on, TT_MOST_BEAMS);
    const int first = blockIdx.x * p.beams, lane = threadIdx.x;
    if (p.left[first] == 0) return;
    tt_beam_candidate *best = p.best + static_cast<int64_t>(blockIdx.x) * 2 * p.beams;
    const int length = p.length[first];
    for (int i = lane; i < p.beams; i += WARP) {
        start[i] = p.start[first + i];
        at[i] = 0;
        goes_on[i] = false;
    }
    find_best(p, first, lane, at, best);
    __syncwarp();
    int kept = lane == 0 ? choose_slots(p, goes_on, from, best) : 0;
    kept = __shfl_sync(TT_ALL_LANES, kept, 0);
    __syncwarp(); // the exchange alone does not order what lane 0 wrote
    for (int i = lane; i < kept; i += WARP) {
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
    TT_CUDA(TT_LAUNCH(end_step, p->prompts, WARP, 0, tt_stream(device), *p), "beam_step");
    return TT_OK;
}
