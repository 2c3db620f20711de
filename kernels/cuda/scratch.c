#include "kernels/cuda/scratch.h"

static size_t ceil_div(size_t a, size_t b) {
    return (a + b - 1) / b;
}

size_t tt_cuda_embed_bwd_scratch(const tt_embedding *p) {
    return ceil_div((size_t)p->rows, TT_CUDA_EMBEDDING_PIECE) * (size_t)p->d * sizeof(float);
}

size_t tt_cuda_rmsnorm_bwd_scratch(const tt_rmsnorm *p) {
    return p->strips ? 0 : (size_t)tt_rmsnorm_strips(p->rows) * (size_t)p->d * sizeof(float);
}

// A number for each query and head; where the caller has no strips, a part of the gradient of the biases for each strip of keys.
size_t tt_cuda_attention_bwd_scratch(const tt_attention *p, int rows) {
    const size_t strips = ceil_div((size_t)p->longest_kv, (size_t)rows) * (size_t)p->kv_seqs;
    const size_t partials = p->dbias && !p->strips ? strips * (size_t)p->buckets : 0;
    return ((size_t)p->q_rows + partials) * (size_t)p->heads * sizeof(float);
}

size_t tt_cuda_square_sum_scratch(int64_t n) {
    return ceil_div((size_t)n, TT_CUDA_SUM_STRIP) * sizeof(double);
}

// What fits into so many bytes, but not so few rows that dw costs more than the products; tiles of products have 128.
int tt_cuda_lmhead_chunk(const tt_lmhead *p) {
    enum { LEAST = 512, STEP = 128 };
    const size_t chunk_bytes = (size_t)256 << 20;
    const size_t fit = chunk_bytes / ((size_t)p->vocab * sizeof(float)) / STEP * STEP;
    const size_t chunk = fit > LEAST ? fit : LEAST;
    return chunk < (size_t)p->rows ? (int)chunk : p->rows;
}

size_t tt_cuda_lmhead_elements(const tt_lmhead *p) {
    return ceil_div((size_t)tt_cuda_lmhead_chunk(p) * (size_t)p->vocab, 8) * 8;
}

// Logits; in backward, where operands are not fp32, their gradients beside them.
size_t tt_cuda_lmhead_scratch(const tt_device *device, const tt_lmhead *p, bool backward) {
    const bool apart = backward && device->operand_size != sizeof(float);
    return tt_cuda_lmhead_elements(p) * (sizeof(float) + (apart ? device->operand_size : 0));
}
