// LM head with log-softmax. Rows are processed in chunks whose logits stay in the last-level cache; the
// matrix products are the device's gemm. In the backward paths the chunk's logits become dloss/dlogits in
// place:
//   dlogits[t, j] = dlogp[t] (1[j = target] - exp(logits[t, j] - lse[t]))
//   dh = scale dlogits w,  dw += scale dlogits^T h
// The fused path needs one matrix product fewer than forward and backward.
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/operand.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/vector.h"

#include <math.h>
#include <string.h>

// Rows of a chunk. With more rows w and dw are read less often, until the logits no longer fit the caches; in bf16, where
// products are faster, larger chunks pay. With a very large vocabulary, chunk_bytes is
// the limit.
enum { CHUNK_FP32 = 256, CHUNK_BF16 = 512, CHUNK_MIN = 64 };
static const size_t chunk_bytes = (size_t)64 << 20;

static float row_lse(int n, const float *x) {
    const float top = tt_vector_max(n, x);
    return (float)(top + log(tt_vector_exp_sum(n, x, top)));
}

// x = -weight exp(x - lse)
TT_MULTIVERSION(void, row_backward, (int n, float *x, float lse, float weight), (n, x, lse, weight)) {
#pragma omp simd
    for (int j = 0; j < n; ++j) x[j] = -weight * tt_expf(x[j] - lse);
}

// x[0..n) in bf16 into the first half of its own memory.
static void narrow_row(int n, float *x) {
    enum { TILE = 512 };
    float tile[TILE];
    for (int j = 0; j < n; j += TILE) {
        const int m = n - j < TILE ? n - j : TILE;
        memcpy(tile, x + j, (size_t)m * sizeof *tile);
        tt_bf16_from_float(m, (uint16_t *)x + j, tile);
    }
}

static tt_status check_lmhead(const tt_lmhead *p, const char *op) {
    if (p->rows < 0 || p->d < 1 || p->vocab < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d to %d, expected rows >= 0, d >= 1, vocab >= 1", op,
            p->rows, p->d, p->vocab);
    for (int t = 0; t < p->rows; ++t)
        if (p->targets[t] < 0 || p->targets[t] >= p->vocab)
            return tt_fail(TT_ERR_INPUT, "%s: target %d at row %d is outside the vocabulary 0..%d", op,
                p->targets[t], t, p->vocab - 1);
    return TT_OK;
}

static int rows_of_chunk(const tt_device *device, const tt_lmhead *p) {
    const size_t fit = chunk_bytes / ((size_t)p->vocab * sizeof(float));
    int chunk = device->precision == TT_BF16 ? CHUNK_BF16 : CHUNK_FP32;
    if (fit < (size_t)chunk) chunk = fit < CHUNK_MIN ? CHUNK_MIN : (int)fit;
    if (tt_narrow(device))
        chunk = chunk / TT_GEMM_PAD * TT_GEMM_PAD; // then products need not complete it with zeros
    return chunk < p->rows ? chunk : p->rows;
}

// The products of the chunk of n rows that begins at row `first`.
typedef struct chunk_products {
    tt_gemm logits, to_h, to_w;
} chunk_products;

static chunk_products products_of(
    const tt_device *device, const tt_lmhead *p, int first, int n, float *logits) {
    const int d = p->d, vocab = p->vocab, ld = tt_narrow(device) ? 2 * vocab : vocab; // see narrow_row
    const tt_operand *h = tt_operand_at(device, p->h, (size_t)first * (size_t)d);
    const tt_gemm forward = {.trans_b = true,
        .m = n,
        .n = vocab,
        .k = d,
        .alpha = p->scale,
        .a = h,
        .lda = d,
        .b = p->w,
        .ldb = d,
        .c = logits,
        .c_fp32 = true,
        .ldc = vocab};
    const tt_gemm to_h = {.m = n,
        .n = d,
        .k = vocab,
        .alpha = p->scale,
        .a = logits,
        .lda = ld,
        .b = p->w,
        .ldb = d,
        .c = p->dh ? tt_operand_at(device, p->dh, (size_t)first * (size_t)d) : NULL,
        .ldc = d};
    const tt_gemm to_w = {.trans_a = true,
        .m = vocab,
        .n = d,
        .k = n,
        .alpha = p->scale,
        .beta = 1,
        .a = logits,
        .lda = ld,
        .b = h,
        .ldb = d,
        .c = p->dw,
        .c_fp32 = true,
        .ldc = d};
    return (chunk_products){forward, to_h, to_w};
}

static size_t logits_bytes(const tt_lmhead *p, int chunk) {
    return (size_t)chunk * (size_t)p->vocab * sizeof(float);
}

tt_status tt_cpu_lmhead_reserve(tt_device *device, const tt_lmhead *p, bool backward) {
    const int chunk = rows_of_chunk(device, p);
    if (!tt_device_scratch(device, logits_bytes(p, chunk))) return TT_ERR_NOMEM;
    for (int first = 0; first < p->rows; first += chunk) {
        const int n = p->rows - first < chunk ? p->rows - first : chunk;
        const chunk_products products = products_of(device, p, 0, n, NULL);
        TT_TRY(tt_cpu_gemm_reserve(device, &products.logits));
        if (!backward) continue;
        TT_TRY(tt_cpu_gemm_reserve(device, &products.to_h));
        if (p->dw) TT_TRY(tt_cpu_gemm_reserve(device, &products.to_w));
    }
    return TT_OK;
}

static tt_status run_chunks(tt_device *device, const tt_lmhead *p, bool forward, bool backward) {
    const int vocab = p->vocab, chunk = rows_of_chunk(device, p);
    float *logits = tt_device_scratch(device, logits_bytes(p, chunk));
    if (!logits) return TT_ERR_NOMEM;
    for (int first = 0; first < p->rows; first += chunk) {
        const int n = p->rows - first < chunk ? p->rows - first : chunk;
        const chunk_products products = products_of(device, p, first, n, logits);
        TT_TRY(tt_cpu_gemm(device, &products.logits));
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
        for (int i = 0; i < n; ++i) {
            float *x = logits + (size_t)i * vocab;
            const int t = first + i;
            const int32_t target = p->targets[t];
            if (forward) {
                p->lse[t] = row_lse(vocab, x);
                p->logp[t] = x[target] - p->lse[t];
            }
            if (backward) {
                row_backward(vocab, x, p->lse[t], p->dlogp[t]);
                x[target] += p->dlogp[t];
                if (tt_narrow(device)) narrow_row(vocab, x);
            }
        }
        if (!backward) continue;
        TT_TRY(tt_cpu_gemm(device, &products.to_h));
        if (p->dw) TT_TRY(tt_cpu_gemm(device, &products.to_w));
    }
    return TT_OK;
}

tt_status tt_cpu_lmhead_fwd(tt_device *device, const tt_lmhead *p) {
    TT_TRY(check_lmhead(p, "lmhead_fwd"));
    return run_chunks(device, p, true, false);
}

tt_status tt_cpu_lmhead_bwd(tt_device *device, const tt_lmhead *p) {
    TT_TRY(check_lmhead(p, "lmhead_bwd"));
    return run_chunks(device, p, false, true);
}

tt_status tt_cpu_lmhead_fused(tt_device *device, const tt_lmhead *p) {
    TT_TRY(check_lmhead(p, "lmhead_fused"));
    return run_chunks(device, p, true, true);
}
