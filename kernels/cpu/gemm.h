// Private to the files gemm*.c. A matrix product is cut into tasks, each of which one thread does alone:
//   gemm.c         checks the arguments, hands out the tasks, adds parts of k in order
//   gemm_tiling.c  the cut, which depends on the shape alone
//   gemm_fp32.c    tasks in fp32: oneDNN's sgemm, outer.c for weight gradients, dots.c for few rows
//   gemm_bf16.c    tasks in bf16: matmul primitives of fixed sizes (matmul.h)
//   gemm_shared.c  buffers, and the writing of results
#ifndef TT_KERNELS_CPU_GEMM_H
#define TT_KERNELS_CPU_GEMM_H

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/matmul.h"

enum {
    TT_GEMM_K_PART =
        512, // of k: least part of a split; in bf16, depth of a primitive but in steps of decoding
    TT_GEMM_PAD =
        64 // k and rows of A are padded to a multiple in bf16 (rows of a step: to 32); tiles are multiples, too
};

// C as tiles_m x tiles_n tiles of tile_m x tile_n, k as parts_k parts of part_k; the last of each may be
// smaller.
typedef struct tt_gemm_tiling {
    int tile_m, tile_n, part_k;
    int tiles_m, tiles_n, parts_k;
} tt_gemm_tiling;

// Tiles are at most tile_m x tile_n; `tile_min` is the side below which they are not halved further.
typedef struct tt_gemm_limits {
    int tile_m, tile_n, tile_min;
} tt_gemm_limits;

tt_gemm_tiling tt_gemm_cut(int m, int n, int k, tt_gemm_limits limits);

// Kept from product to product and grown as needed.
typedef struct tt_gemm_buffer {
    void *data;
    size_t bytes;
} tt_gemm_buffer;

// Makes the buffer large enough; its contents are lost if it has to grow.
tt_status tt_gemm_reserve(tt_device *device, tt_gemm_buffer *buffer, size_t bytes) TT_MUST_CHECK;

// Bytes that a product needs of the buffers below.
typedef struct tt_gemm_needs {
    size_t a16, b16, tiles;
    size_t scratch; // of each thread
} tt_gemm_needs;

// What the device keeps (tt_device.state). tt_device_scratch does not serve here: it belongs to the caller,
// who may be in the middle of an operation of his own.
typedef struct tt_gemm_state {
    int threads;
    tt_matmul_cache *matmuls; // NULL until the first bf16 product
    tt_gemm_buffer a16, b16;  // edges of bf16 inputs
    tt_gemm_buffer tiles;     // a tile of sums for each thread
    tt_gemm_buffer partials;  // [parts_k, m, n], where k is split
    tt_gemm_buffer scratch;   // scratch_bytes for each thread
    size_t scratch_bytes;
} tt_gemm_state;

// One tile of C over one part of k.
typedef struct tt_gemm_task {
    int tile_row, tile_column, part; // which
    int i, j, from;                  // its first row, column and index of k
    int m, n, k;                     // its sizes
    float alpha, beta;
    void *c; // the tile's first element: fp32, or bf16 where the job is narrow and k is not cut
    int ldc;
} tt_gemm_task;

// A or B of a bf16 product, as a matrix of rows (of op(A), or columns of op(B)) by k. Where its rows or k are no multiple of
// TT_GEMM_PAD, tiles of the last rows, or the last stretch of k, or if both are ragged all, are read from a copy that zeros
// complete: its edge.
typedef struct tt_gemm_input {
    bool by_k; // an element's neighbours in memory are those of other rows; else of other k
    const uint16_t *x;
    int rows, ld;
    int edge_row, edge_k;      // where the edge begins; INT_MAX: there is none
    int edge_rows, edge_depth; // its sizes
} tt_gemm_input;

// The shapes of a bf16 product.
typedef struct tt_gemm_bf16 {
    tt_gemm_input a, b;
    int padded_m, padded_k;
    int depth;                            // of k, in one call
    bool into_c;                          // C takes the sums as they are
    const tt_matmul *matmuls[2][2][2][2]; // by: last tile of rows, of columns, last stretch of k, accumulate
} tt_gemm_bf16;

typedef struct tt_gemm_job tt_gemm_job;
struct tt_gemm_job {
    tt_gemm_state *state;
    const tt_gemm *p;
    tt_gemm_tiling tiling;
    tt_gemm_needs needs;
    bool narrow;                              // C is bf16
    void (*load_inputs)(const tt_gemm_job *); // by all threads before the first task; NULL: nothing to do
    dnnl_status_t (*do_task)(const tt_gemm_job *, const tt_gemm_task *);
    tt_gemm_bf16 bf16;
};

// Fill in tiling, functions and needs.
void tt_gemm_plan_fp32(tt_gemm_job *job);
void tt_gemm_plan_bf16(tt_gemm_job *job);
// Finds the primitives of a bf16 product, and adds what they need.
tt_status tt_gemm_find_matmuls(tt_gemm_job *job) TT_MUST_CHECK;

// c[0..n) = alpha sums + beta c; c is not read if beta is 0.
void tt_gemm_write_row(int n, float *c, const float *sums, float alpha, float beta);
// The same into bf16; with `relu`, negative results become 0.
void tt_gemm_write_narrow(int n, uint16_t *c, const float *sums, float alpha, float beta, bool relu);

static inline int tt_gemm_ceil_div(int a, int b) {
    return (a + b - 1) / b;
}
static inline int tt_gemm_round_up(int a, int multiple) {
    return tt_gemm_ceil_div(a, multiple) * multiple;
}
static inline int tt_gemm_min(int a, int b) {
    return a < b ? a : b;
}

#endif
