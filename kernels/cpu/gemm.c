// Matrix products through oneDNN.
#include "kernels/cpu/cpu.h"

#include <oneapi/dnnl/dnnl.h>

#include <omp.h>

tt_status tt_cpu_gemm(tt_device *device, const tt_gemm *p) {
    const int a_columns = p->trans_a ? p->m : p->k, b_columns = p->trans_b ? p->k : p->n;
    if (p->m < 0 || p->n < 0 || p->k < 0 || p->lda < a_columns || p->ldb < b_columns || p->ldc < p->n)
        return tt_fail(TT_ERR_INPUT, "gemm: m %d, n %d, k %d with row distances %d, %d, %d", p->m, p->n, p->k,
            p->lda, p->ldb, p->ldc);
    if (p->m == 0 || p->n == 0) return TT_OK;
    if (device->precision != TT_FP32) return tt_fail(TT_ERR_UNSUPPORTED, "gemm: bf16 is not there yet");
    dnnl_status_t status = dnnl_sgemm(p->trans_a ? 'T' : 'N', p->trans_b ? 'T' : 'N', p->m, p->n, p->k,
        p->alpha, p->a, p->lda, p->b, p->ldb, p->beta, p->c, p->ldc);
    if (status != dnnl_success)
        return tt_fail(TT_ERR_DEVICE, "gemm: oneDNN failed with status %d for m %d, n %d, k %d", (int)status,
            p->m, p->n, p->k);
    return TT_OK;
}
