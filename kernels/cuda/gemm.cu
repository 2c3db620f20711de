// Matrix products by cuBLASLt: bf16 or fp32 inputs (TF32 is off), fp32 sums.
//
// cuBLASLt reads column-major matrices; a row-major C[m, n] is a column-major C^T[n, m] = op(B)^T op(A)^T, so
// it is asked for the product with both sides exchanged. Its choice for a shape, descriptors and algorithm,
// is kept in a table that replaces the least recently used ones.
#include "kernels/cuda/kernel.cuh"

#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

namespace {

enum { SLOTS = 2048 }; // a step has some twenty shapes, and others with every number of rows
const size_t workspace_bytes = static_cast<size_t>(32) << 20; // as NVIDIA advises for Hopper

struct shape {
    int m, n, k, lda, ldb, ldc;
    uint32_t align_a, align_b, align_c; // bytes, up to 16; the heuristic would else count on 256
    bool trans_a, trans_b, c_fp32, accumulate, relu;
};

struct choice {
    shape key;
    uint64_t used; // 0: empty
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulAlgo_t algo;
};

} // namespace

struct tt_cuda_gemm {
    cublasLtHandle_t handle;
    cublasLtMatmulPreference_t preference;
    void *workspace;
    uint64_t clock;
    choice choices[SLOTS];
};

namespace {

tt_status gemm_failed(cublasStatus_t status, const shape *s) {
    return tt_fail(status == CUBLAS_STATUS_ALLOC_FAILED ? TT_ERR_NOMEM : TT_ERR_DEVICE,
        "gemm of m %d, n %d, k %d: cuBLASLt: %s", s->m, s->n, s->k, cublasLtGetStatusString(status));
}

#define TT_LT(call, s)                                                                                       \
    do {                                                                                                     \
        cublasStatus_t tt_lt_status_ = (call);                                                               \
        if (tt_lt_status_ != CUBLAS_STATUS_SUCCESS) return gemm_failed(tt_lt_status_, s);                    \
    } while (0)

tt_status open_gemm(tt_cuda_state *state, const shape *s) {
    if (state->gemm) return TT_OK;
    state->gemm = static_cast<tt_cuda_gemm *>(calloc(1, sizeof(tt_cuda_gemm)));
    if (!state->gemm) return tt_fail(TT_ERR_NOMEM, "out of memory: gemm");
    TT_LT(cublasLtCreate(&state->gemm->handle), s);
    TT_LT(cublasLtMatmulPreferenceCreate(&state->gemm->preference), s);
    TT_LT(cublasLtMatmulPreferenceSetAttribute(state->gemm->preference,
              CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes, sizeof workspace_bytes),
        s);
    TT_CUDA(cudaMallocAsync(&state->gemm->workspace, workspace_bytes, state->stream), "workspace of gemm");
    return TT_OK;
}

void forget_choice(choice *c) {
    if (c->a) cublasLtMatrixLayoutDestroy(c->a);
    if (c->b) cublasLtMatrixLayoutDestroy(c->b);
    if (c->c) cublasLtMatrixLayoutDestroy(c->c);
    if (c->desc) cublasLtMatmulDescDestroy(c->desc);
    *c = choice();
}

tt_status choose_algorithm(const tt_device *device, tt_cuda_gemm *g, choice *c, const shape *s) {
    const cudaDataType_t in = device->operand_size == sizeof(float) ? CUDA_R_32F : CUDA_R_16BF;
    const cudaDataType_t out = s->c_fp32 ? CUDA_R_32F : in;
    const cublasComputeType_t compute = in == CUDA_R_32F ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F;
    const cublasOperation_t ta = s->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t tb = s->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    TT_LT(cublasLtMatmulDescCreate(&c->desc, compute, CUDA_R_32F), s);
    TT_LT(cublasLtMatmulDescSetAttribute(c->desc, CUBLASLT_MATMUL_DESC_TRANSA, &tb, sizeof tb), s);
    TT_LT(cublasLtMatmulDescSetAttribute(c->desc, CUBLASLT_MATMUL_DESC_TRANSB, &ta, sizeof ta), s);
    const cublasLtEpilogue_t epilogue = s->relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
    TT_LT(cublasLtMatmulDescSetAttribute(c->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue),
        s);
    const uint64_t m = static_cast<uint64_t>(s->m), n = static_cast<uint64_t>(s->n),
                   k = static_cast<uint64_t>(s->k);
    TT_LT(cublasLtMatrixLayoutCreate(&c->b, in, s->trans_b ? k : n, s->trans_b ? n : k, s->ldb), s);
    TT_LT(cublasLtMatrixLayoutCreate(&c->a, in, s->trans_a ? m : k, s->trans_a ? k : m, s->lda), s);
    TT_LT(cublasLtMatrixLayoutCreate(&c->c, out, n, m, s->ldc), s);
    const struct {
        cublasLtMatmulPreferenceAttributes_t attribute;
        uint32_t bytes;
    } alignments[] = {{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, s->align_b},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, s->align_a},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, s->align_c},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, s->align_c}};
    for (const auto &a : alignments)
        TT_LT(cublasLtMatmulPreferenceSetAttribute(g->preference, a.attribute, &a.bytes, sizeof a.bytes), s);
    cublasLtMatmulHeuristicResult_t result;
    int found = 0;
    TT_LT(cublasLtMatmulAlgoGetHeuristic(
              g->handle, c->desc, c->b, c->a, c->c, c->c, g->preference, 1, &result, &found),
        s);
    if (found < 1) return gemm_failed(CUBLAS_STATUS_NOT_SUPPORTED, s);
    c->algo = result.algo;
    c->key = *s;
    return TT_OK;
}

bool same_shape(const shape *a, const shape *b) {
    return a->m == b->m && a->n == b->n && a->k == b->k && a->lda == b->lda && a->ldb == b->ldb &&
           a->ldc == b->ldc && a->align_a == b->align_a && a->align_b == b->align_b &&
           a->align_c == b->align_c && a->trans_a == b->trans_a && a->trans_b == b->trans_b &&
           a->c_fp32 == b->c_fp32 && a->accumulate == b->accumulate && a->relu == b->relu;
}

uint32_t hash_shape(const shape *s) {
    uint32_t h = 2166136261u;
    const int parts[] = {s->m, s->n, s->k, s->lda, s->ldb, s->ldc,
        static_cast<int>(s->align_a << 20 | s->align_b << 10 | s->align_c),
        s->trans_a | s->trans_b << 1 | s->c_fp32 << 2 | s->accumulate << 3 | s->relu << 4};
    for (int part : parts) {
        h = (h ^ static_cast<uint32_t>(part)) * 16777619u;
        h ^= h >> 15; // sizes are mostly multiples of 64: their differences have to reach the low bits
    }
    return h;
}

// Largest power of two, up to 16, that divides the address. No algorithm needs more, and so a shape is looked
// up once, wherever its matrices lie.
uint32_t alignment_of(const void *p) {
    const uint32_t address = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(p)) | 16;
    return address & (~address + 1);
}

tt_status find_choice(const tt_device *device, tt_cuda_gemm *g, choice **out, const shape *s) {
    enum { WAYS = 8 }; // a shape may stand in any of these slots
    choice *set = &g->choices[hash_shape(s) % (SLOTS / WAYS) * WAYS], *oldest = set;
    for (int i = 0; i < WAYS; ++i) {
        if (set[i].used && same_shape(&set[i].key, s)) {
            set[i].used = ++g->clock;
            *out = &set[i];
            return TT_OK;
        }
        if (set[i].used < oldest->used) oldest = &set[i];
    }
    forget_choice(oldest);
    tt_status status = choose_algorithm(device, g, oldest, s);
    if (status != TT_OK) {
        forget_choice(oldest);
        return status;
    }
    oldest->used = ++g->clock;
    *out = oldest;
    return TT_OK;
}

} // namespace

tt_status tt_cuda_gemm_multiply(tt_device *device, const tt_gemm *p) {
    const int a_columns = p->trans_a ? p->m : p->k, b_columns = p->trans_b ? p->k : p->n;
    if (p->m < 0 || p->n < 0 || p->k < 1 || p->lda < a_columns || p->ldb < b_columns || p->ldc < p->n)
        return tt_fail(TT_ERR_INPUT,
            "gemm: m %d, n %d, k %d with row distances %d, %d, %d; expected m, n >= 0, k >= 1 and distances "
            "of at least %d, %d, %d",
            p->m, p->n, p->k, p->lda, p->ldb, p->ldc, a_columns, b_columns, p->n);
    if (p->m == 0 || p->n == 0) return TT_OK;
    tt_cuda_state *state = tt_cuda_of(device);
    const shape s = {
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .lda = p->lda,
        .ldb = p->ldb,
        .ldc = p->ldc,
        .align_a = alignment_of(p->a),
        .align_b = alignment_of(p->b),
        .align_c = alignment_of(p->c),
        .trans_a = p->trans_a,
        .trans_b = p->trans_b,
        .c_fp32 = p->c_fp32,
        .accumulate = p->beta != 0,
        .relu = p->relu,
    };
    TT_TRY(open_gemm(state, &s));
    choice *c;
    TT_TRY(find_choice(device, state->gemm, &c, &s));
    TT_LT(cublasLtMatmul(state->gemm->handle, c->desc, &p->alpha, p->b, c->b, p->a, c->a, &p->beta, p->c,
              c->c, p->c, c->c, &c->algo, state->gemm->workspace, workspace_bytes, state->stream),
        &s);
    return TT_OK;
}

void tt_cuda_gemm_close(tt_cuda_state *state) {
    tt_cuda_gemm *g = state->gemm;
    if (!g) return;
    for (choice &c : g->choices) forget_choice(&c);
    if (g->workspace) cudaFreeAsync(g->workspace, state->stream);
    if (g->preference) cublasLtMatmulPreferenceDestroy(g->preference);
    if (g->handle) cublasLtDestroy(g->handle);
    free(g);
    state->gemm = nullptr;
}
