// What operations of the CUDA device take of tt_device_scratch, in bytes. The operations call these functions themselves;
// kernels/counting.h calls them instead of the operations, also in a build without CUDA.
#ifndef TT_KERNELS_CUDA_SCRATCH_H
#define TT_KERNELS_CUDA_SCRATCH_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_CUDA_SUM_STRIP = 16384, TT_CUDA_EMBEDDING_PIECE = 32 };
// Elements of a product's result that a GPU with this many multiprocessors makes at once (tt_device): a tile of one of cuBLASLt's
// largest sizes for each. Measured on an H100: gradients of 768 x 3072 take 125 us each by twos, which fill it once, and 136
// alone, but 155 by threes, which fill it one and a half times.
static inline size_t tt_cuda_busy_elements(int processors) {
    return (size_t)processors * (192 * 192);
}
// Of a matrix product, once for all of them: as NVIDIA advises for Hopper.
static const size_t tt_cuda_gemm_workspace = (size_t)32 << 20;

size_t tt_cuda_embed_bwd_scratch(const tt_embedding *); // ids that go on in the next piece of rows
size_t tt_cuda_rmsnorm_bwd_scratch(const tt_rmsnorm *); // strips, where the caller has none
// `rows`: of a block.
size_t tt_cuda_attention_bwd_scratch(const tt_attention *, int rows);
size_t tt_cuda_square_sum_scratch(int64_t n);
// Rows of logits that exist at a time.
int tt_cuda_lmhead_chunk(const tt_lmhead *);
// Elements of these logits, in whole vectors.
size_t tt_cuda_lmhead_elements(const tt_lmhead *);
size_t tt_cuda_lmhead_scratch(const tt_device *, const tt_lmhead *, bool backward);

#ifdef __cplusplus
}
#endif

#endif
