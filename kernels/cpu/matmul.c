// One matmul primitive of oneDNN, versions 2.6 and 3.
#include "kernels/cpu/matmul.h"

#include "host/base/memory.h"

#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>

enum { TENSORS = TT_MATMUL_SCRATCH }; // A, B and C; oneDNN describes its scratch memory itself

tt_status tt_onednn_failed(dnnl_status_t status, const char *what, int m, int n, int k) {
    return tt_fail(status == dnnl_out_of_memory   ? TT_ERR_NOMEM
                   : status == dnnl_unimplemented ? TT_ERR_UNSUPPORTED
                                                  : TT_ERR_DEVICE,
        "gemm: oneDNN's %s failed with status %d for m %d, n %d, k %d", what, (int)status, m, n, k);
}

// ---- what differs between oneDNN 2 and 3: memory descriptors became handles, matmul lost its op descriptor

#if DNNL_VERSION_MAJOR >= 3
#define DESC(md) (md)
#define SUM_DEFAULTS , 0, dnnl_data_type_undef
static dnnl_status_t describe_tensor(dnnl_memory_desc_t *md, dnnl_data_type_t type, const dnnl_dims_t dims,
    int row_stride, int column_stride) {
    const dnnl_dims_t strides = {row_stride, column_stride};
    return dnnl_memory_desc_create_with_strides(md, 2, dims, type, strides);
}
static void release_description(dnnl_memory_desc_t *md) {
    if (*md) dnnl_memory_desc_destroy(*md);
}
static dnnl_status_t describe_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
    dnnl_memory_desc_t md[TENSORS], dnnl_primitive_attr_t attr) {
    return dnnl_matmul_primitive_desc_create(
        pd, engine, md[TT_MATMUL_A], md[TT_MATMUL_B], NULL, md[TT_MATMUL_C], attr);
}
#else
#define DESC(md) (&(md))
#define SUM_DEFAULTS
static dnnl_status_t describe_tensor(dnnl_memory_desc_t *md, dnnl_data_type_t type, const dnnl_dims_t dims,
    int row_stride, int column_stride) {
    const dnnl_dims_t strides = {row_stride, column_stride};
    return dnnl_memory_desc_init_by_strides(md, 2, dims, type, strides);
}
static void release_description(dnnl_memory_desc_t *md) {
    (void)md;
}
static dnnl_status_t describe_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
    dnnl_memory_desc_t md[TENSORS], dnnl_primitive_attr_t attr) {
    dnnl_matmul_desc_t op;
    dnnl_status_t status =
        dnnl_matmul_desc_init(&op, &md[TT_MATMUL_A], &md[TT_MATMUL_B], NULL, &md[TT_MATMUL_C]);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(pd, &op, attr, engine, NULL);
}
#endif

// Scratch memory comes from the caller; accumulating is a post-operation.
static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attr, bool accumulate) {
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status != dnnl_success || !accumulate) return status;
    dnnl_post_ops_t post;
    status = dnnl_post_ops_create(&post);
    if (status != dnnl_success) return status;
    status = dnnl_post_ops_append_sum(post, 1.0f SUM_DEFAULTS);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(*attr, post);
    dnnl_post_ops_destroy(post);
    return status;
}

void tt_matmul_close(tt_matmul *matmul, int threads) {
    for (int i = 0; matmul->memory && i < threads * TT_MATMUL_MEMORIES; ++i)
        if (matmul->memory[i]) dnnl_memory_destroy(matmul->memory[i]);
    free(matmul->memory);
    if (matmul->handle) dnnl_primitive_destroy(matmul->handle);
    *matmul = (tt_matmul){0};
}

// Memory objects without memory, which tt_matmul_run sets.
static dnnl_status_t make_memories(tt_matmul *out, dnnl_memory_desc_t md[TENSORS],
    const_dnnl_primitive_desc_t pd, dnnl_engine_t engine, int threads) {
    for (int t = 0; t < threads; ++t) {
        dnnl_memory_t *memory = out->memory + t * TT_MATMUL_MEMORIES;
        dnnl_status_t status = dnnl_success;
        for (int i = 0; status == dnnl_success && i < TENSORS; ++i)
            status = dnnl_memory_create(&memory[i], DESC(md[i]), engine, DNNL_MEMORY_NONE);
        if (status != dnnl_success) return status;
        status = dnnl_memory_create(&memory[TT_MATMUL_SCRATCH],
            dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0), engine, DNNL_MEMORY_NONE);
        if (status != dnnl_success) return status;
    }
    out->scratch_bytes =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    return dnnl_success;
}

static dnnl_status_t make_primitive(tt_matmul *out, dnnl_engine_t engine, int threads) {
    const tt_matmul_shape *s = &out->shape;
    dnnl_memory_desc_t md[TENSORS] = {0};
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = describe_tensor(&md[TT_MATMUL_A], dnnl_bf16, (dnnl_dims_t){s->m, s->k},
        s->trans_a ? 1 : s->lda, s->trans_a ? s->lda : 1);
    if (status == dnnl_success)
        status = describe_tensor(&md[TT_MATMUL_B], dnnl_bf16, (dnnl_dims_t){s->k, s->n},
            s->trans_b ? 1 : s->ldb, s->trans_b ? s->ldb : 1);
    if (status == dnnl_success)
        status = describe_tensor(&md[TT_MATMUL_C], dnnl_f32, (dnnl_dims_t){s->m, s->n}, s->ldc, 1);
    if (status == dnnl_success) status = make_attributes(&attr, s->accumulate);
    if (status == dnnl_success) status = describe_matmul(&pd, engine, md, attr);
    if (status == dnnl_success) status = dnnl_primitive_create(&out->handle, pd);
    if (status == dnnl_success) status = make_memories(out, md, pd, engine, threads);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (attr) dnnl_primitive_attr_destroy(attr);
    for (int i = 0; i < TENSORS; ++i) release_description(&md[i]);
    return status;
}

tt_status tt_matmul_open(tt_matmul *out, const tt_matmul_shape *shape, dnnl_engine_t engine, int threads) {
    *out = (tt_matmul){.shape = *shape};
    TT_TRY(tt_alloc(&out->memory, (size_t)threads * TT_MATMUL_MEMORIES, sizeof(void *), "oneDNN's matmul"));
    const int threads_before = omp_get_max_threads();
    omp_set_num_threads(1); // a primitive keeps the number of threads it was made under
    const dnnl_status_t status = make_primitive(out, engine, threads);
    omp_set_num_threads(threads_before);
    if (status == dnnl_success) return TT_OK;
    tt_matmul_close(out, threads);
    return tt_onednn_failed(status, "bf16 matmul", shape->m, shape->n, shape->k);
}

dnnl_status_t tt_matmul_run(
    const tt_matmul *matmul, dnnl_stream_t stream, int thread, void *const data[TT_MATMUL_MEMORIES]) {
    dnnl_memory_t *memory = matmul->memory + thread * TT_MATMUL_MEMORIES;
    for (int i = 0; i < TT_MATMUL_MEMORIES; ++i) {
        const dnnl_status_t status = dnnl_memory_set_data_handle(memory[i], data[i]);
        if (status != dnnl_success) return status;
    }
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, memory[TT_MATMUL_A]},
        {DNNL_ARG_WEIGHTS, memory[TT_MATMUL_B]}, {DNNL_ARG_DST, memory[TT_MATMUL_C]},
        {DNNL_ARG_SCRATCHPAD, memory[TT_MATMUL_SCRATCH]}};
    const dnnl_status_t status = dnnl_primitive_execute(matmul->handle, stream, 4, args);
    return status == dnnl_success ? dnnl_stream_wait(stream) : status;
}
