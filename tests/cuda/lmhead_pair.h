// The LM head on both devices, for tests of its sizes.
#ifndef TT_TESTS_LMHEAD_PAIR_H
#define TT_TESTS_LMHEAD_PAIR_H

#include "tests/cuda/pair.h"

enum { LMHEAD_LSE, LMHEAD_LOGP, LMHEAD_DH, LMHEAD_DW, LMHEAD_OUTPUTS };

static const char *const lmhead_outputs[LMHEAD_OUTPUTS] = {
    [LMHEAD_LSE] = "lse", [LMHEAD_LOGP] = "logp", [LMHEAD_DH] = "dh", [LMHEAD_DW] = "dw"};

typedef struct lmhead_pair {
    int rows, d, vocab;
    tensor h, w, dlogp;
    int32_t *targets, *gpu_targets;
    tensor out[LMHEAD_OUTPUTS];
} lmhead_pair;

// `spread` is the standard deviation of h. Equal arguments give equal tensors.
static inline lmhead_pair lmhead_pair_open(const pair *p, int rows, int d, int vocab, double spread) {
    const size_t n = (size_t)rows * d, all = (size_t)vocab * d;
    lmhead_pair head = {.rows = rows, .d = d, .vocab = vocab};
    head.h = tensor_operand(p, n, spread, 1);
    head.w = tensor_operand(p, all, 1, 2);
    head.dlogp = tensor_f32(p, (size_t)rows, 1, 3);
    head.targets = twin_ids((size_t)rows, vocab, 5);
    head.gpu_targets = pair_ints(p, head.targets, (size_t)rows);
    head.out[LMHEAD_LSE] = tensor_f32(p, (size_t)rows, 1, 6);
    head.out[LMHEAD_LOGP] = tensor_f32(p, (size_t)rows, 1, 7);
    head.out[LMHEAD_DH] = tensor_operand(p, n, 1, 8);
    head.out[LMHEAD_DW] = tensor_f32(p, all, 1, 9);
    return head;
}

// Forward and backward on both devices, compared: by the fused operation, or by two.
static inline void lmhead_pair_check(const pair *p, const lmhead_pair *head, bool fused) {
    for (int side = 0; side < 2; ++side) {
        tt_device *device = side ? p->gpu : p->cpu;
#define AT(t) (side ? (t).gpu : (void *)(t).cpu)
        const tt_lmhead op = {.rows = head->rows,
            .d = head->d,
            .vocab = head->vocab,
            .scale = 0.3f,
            .h = AT(head->h),
            .w = AT(head->w),
            .targets = side ? head->gpu_targets : head->targets,
            .lse = AT(head->out[LMHEAD_LSE]),
            .logp = AT(head->out[LMHEAD_LOGP]),
            .dlogp = AT(head->dlogp),
            .dh = AT(head->out[LMHEAD_DH]),
            .dw = AT(head->out[LMHEAD_DW])};
#undef AT
        if (fused) {
            twin_ok(device->ops->lmhead_fused(device, &op));
        } else {
            twin_ok(device->ops->lmhead_fwd(device, &op));
            twin_ok(device->ops->lmhead_bwd(device, &op));
        }
    }
    for (int i = 0; i < LMHEAD_OUTPUTS; ++i) tensor_compare(p, lmhead_outputs[i], &head->out[i]);
}

static inline void lmhead_pair_close(const pair *p, lmhead_pair *head) {
    for (int i = 0; i < LMHEAD_OUTPUTS; ++i) tensor_close(p, &head->out[i]);
    tensor_close(p, &head->h), tensor_close(p, &head->w), tensor_close(p, &head->dlogp);
    tt_device_free(p->gpu, head->gpu_targets);
    free(head->targets);
}

#endif
