// Dropout masks on the GPU: Philox4x32-10 as host/base/philox.h has it, the mask as kernels/ops.h defines it.
#ifndef TT_KERNELS_CUDA_DROPOUT_CUH
#define TT_KERNELS_CUDA_DROPOUT_CUH

#include "kernels/cuda/kernel.cuh"

#include <math.h>

// tt_dropout with what threads would otherwise compute again.
struct dropout_plan {
    uint32_t site, threshold; // a word below threshold drops its element; 0 = off
    float kept;               // the factor of the others; 1 if off
    const uint2 *key;
    const uint32_t *example, *position;
};

static inline dropout_plan plan_dropout(const tt_dropout *drop) {
    dropout_plan plan = {};
    plan.kept = 1;
    if (!(drop->p > 0)) return plan;
    plan.key = reinterpret_cast<const uint2 *>(drop->key);
    plan.site = drop->site;
    plan.threshold = static_cast<uint32_t>(ceil(static_cast<double>(drop->p) * 4294967296.0));
    plan.kept = 1.0f / (1.0f - drop->p);
    plan.example = drop->example;
    plan.position = drop->position;
    return plan;
}

// The same for attention's probabilities: a word's upper half is below p if the word is below `threshold`.
static inline dropout_plan plan_dropout_of_probabilities(const tt_dropout *drop) {
    dropout_plan plan = plan_dropout(drop);
    if (!(drop->p > 0)) return plan;
    const uint32_t threshold = tt_attention_threshold(drop->p);
    plan.threshold = threshold << 16;
    plan.kept = 65536.0f / static_cast<float>(65536 - threshold);
    return plan;
}

// Refuses p outside [0, 1) and missing indices, as the CPU device does.
static inline tt_status check_dropout(const tt_dropout *drop, const char *op) {
    if (drop->p == 0) return TT_OK;
    if (!(drop->p > 0 && drop->p < 1))
        return tt_fail(TT_ERR_INPUT, "%s: dropout probability %g, expected 0 <= p < 1", op,
            static_cast<double>(drop->p));
    if (!drop->key || !drop->example || !drop->position)
        return tt_fail(
            TT_ERR_INPUT, "%s: dropout needs a key, and the example and the position of each row", op);
    return TT_OK;
}

static __device__ __forceinline__ uint4 philox(uint4 c, uint32_t k0, uint32_t k1) {
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const uint32_t high0 = __umulhi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        const uint32_t high1 = __umulhi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = make_uint4(high1 ^ c.y ^ k0, low1, high0 ^ c.w ^ k1, low0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

// The words of elements 4 * block .. 4 * block + 3 of a row whose token is (example, position).
static __device__ __forceinline__ uint4 dropout_words(
    uint2 key, uint32_t site, uint32_t example, uint32_t position, uint32_t block) {
    return philox(make_uint4(block, site, position, example), key.x, key.y);
}

// Whose mask a row has, under which key; nothing is read if dropout is off.
struct dropout_token {
    uint32_t example, position;
    uint2 key;
};
static __device__ __forceinline__ dropout_token token_of(const dropout_plan &plan, int64_t row) {
    dropout_token token = {};
    if (plan.threshold)
        token.example = plan.example[row], token.position = plan.position[row], token.key = __ldg(plan.key);
    return token;
}

// x *= the factors of elements 4 * block .. of the token's row.
static __device__ __forceinline__ void drop4(
    const dropout_plan &plan, const dropout_token &token, int block, float4x *x) {
    if (!plan.threshold) return;
    const uint4 word =
        dropout_words(token.key, plan.site, token.example, token.position, static_cast<uint32_t>(block));
    x->v[0] *= word.x < plan.threshold ? 0.0f : plan.kept;
    x->v[1] *= word.y < plan.threshold ? 0.0f : plan.kept;
    x->v[2] *= word.z < plan.threshold ? 0.0f : plan.kept;
    x->v[3] *= word.w < plan.threshold ? 0.0f : plan.kept;
}

#endif
