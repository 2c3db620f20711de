// bf16 products of fixed sizes by oneDNN's matmul primitives: C = A B or C += A B, C in fp32. Making a
// primitive takes about a millisecond, so they are kept in a cache.
#ifndef TT_KERNELS_CPU_MATMUL_H
#define TT_KERNELS_CPU_MATMUL_H

#include "host/base/status.h"

#include <oneapi/dnnl/dnnl.h>

#include <stddef.h>
#include <stdint.h>

// C[m, n] = op(A) op(B), or += if `accumulate`; op(A) is [m, k], op(B) is [k, n]; lda, ldb and ldc are the
// distances between stored rows in elements. Compared byte by byte: no padding between the fields.
typedef struct tt_matmul_shape {
    int m, n, k, lda, ldb, ldc, trans_a, trans_b, accumulate;
} tt_matmul_shape;

enum { TT_MATMUL_A, TT_MATMUL_B, TT_MATMUL_C, TT_MATMUL_SCRATCH, TT_MATMUL_MEMORIES };

// A primitive for one shape, with one set of memory objects per thread, so that threads can run it at once.
typedef struct tt_matmul {
    tt_matmul_shape shape;
    dnnl_primitive_t handle; // NULL: not open
    dnnl_memory_t *memory;   // [threads][TT_MATMUL_MEMORIES]
    size_t scratch_bytes;    // what a run needs as oneDNN's own working memory
} tt_matmul;

// Errors: TT_ERR_NOMEM, TT_ERR_UNSUPPORTED (no bf16 products on this CPU), TT_ERR_DEVICE.
tt_status tt_matmul_open(
    tt_matmul *out, const tt_matmul_shape *shape, dnnl_engine_t engine, int threads) TT_MUST_CHECK;
void tt_matmul_close(tt_matmul *matmul, int threads);
// Multiplies on thread number `thread`'s stream; data[i] is the memory of TT_MATMUL_A and so on.
dnnl_status_t tt_matmul_run(
    const tt_matmul *matmul, dnnl_stream_t stream, int thread, void *const data[TT_MATMUL_MEMORIES]);

typedef struct tt_matmul_cache tt_matmul_cache;
tt_status tt_matmul_cache_open(tt_matmul_cache **out, int threads) TT_MUST_CHECK;
void tt_matmul_cache_close(tt_matmul_cache *cache);
// Empties the cache if it has grown too large. Invalidates what tt_matmul_cache_get has returned.
void tt_matmul_cache_trim(tt_matmul_cache *cache);
// The primitive for a shape, made if it is not there yet; valid until the next trim.
tt_status tt_matmul_cache_get(
    const tt_matmul **out, tt_matmul_cache *cache, const tt_matmul_shape *shape) TT_MUST_CHECK;
dnnl_stream_t tt_matmul_cache_stream(const tt_matmul_cache *cache, int thread);

// Sets the message for a failed call of oneDNN and returns the status that fits.
tt_status tt_onednn_failed(dnnl_status_t status, const char *what, int m, int n, int k);

#endif
