// Matrix products by cuBLASLt: bf16 or fp32 inputs (TF32 is off), fp32 sums, partial sums too.
//
// cuBLASLt reads column-major matrices; a row-major C[m, n] is a column-major C^T[n, m] = op(B)^T op(A)^T, so
// it is asked for the product with both sides exchanged. An answer takes it a third of a millisecond, and every batch has
// other numbers of rows: so it is asked for a number that many of them share (`general`), and its first proposal serves all of
// these; numbers which it refuses with that are asked for by themselves, and so are products with ReLU, of which decoding has a few
// numbers of rows: each is asked for, tried with NaN and waited for once. The answers are kept in a table that replaces the
// least recently used ones. No choice depends on time or on the products before, so that the same products give the same bits
// in every run, and in one that goes on.
#include "kernels/cuda/kernel.cuh"
#include "kernels/cuda/scratch.h"

#include <cublasLt.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

namespace {

enum { SLOTS = 2048 }; // a step has some forty shapes
enum { PROPOSALS = 8 };
const size_t workspace_bytes = tt_cuda_gemm_workspace;

struct shape {
    int m, n, k, lda, ldb, ldc;
    uint32_t align_a, align_b, align_c; // bytes, up to 16; the heuristic would else count on 256
    bool trans_a, trans_b, c_fp32, accumulate, relu;
    int batch;
    int64_t stride_a, stride_b, stride_c; // 0 where there is one product
    bool exact; // asked for by itself, since what is proposed in general does not serve it
};

struct choice {
    shape key;
    uint64_t used; // 0: empty
    cublasLtMatmulDesc_t desc;
    shape laid_out; // which of the shapes that share the choice has these layouts
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulAlgo_t algo;
    bool relu_apart;  // by a kernel of its own
    bool batch_apart; // one product after the other
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
        "gemm of m %d, n %d, k %d, batch %d: cuBLASLt %zu: %s", s->m, s->n, s->k, s->batch,
        cublasLtGetVersion(), cublasLtGetStatusString(status));
}

#define TT_LT(call)                                                                                          \
    do {                                                                                                     \
        const cublasStatus_t tt_lt_status_ = (call);                                                         \
        if (tt_lt_status_ != CUBLAS_STATUS_SUCCESS) return tt_lt_status_;                                    \
    } while (0)

cublasStatus_t open_library(tt_cuda_gemm *g) {
    // Sums of parts in the type of the result would be rounded to bf16.
    const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    TT_LT(cublasLtMatmulPreferenceCreate(&g->preference));
    TT_LT(cublasLtMatmulPreferenceSetAttribute(
        g->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes, sizeof workspace_bytes));
    return cublasLtMatmulPreferenceSetAttribute(
        g->preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions);
}

// What the library may say where it found no memory for a handle or for the code of a kernel.
bool without_memory(cublasStatus_t status) {
    return status == CUBLAS_STATUS_ALLOC_FAILED || status == CUBLAS_STATUS_NOT_INITIALIZED ||
           status == CUBLAS_STATUS_EXECUTION_FAILED || status == CUBLAS_STATUS_INTERNAL_ERROR;
}

// Makes `call`, and once more if there was no memory and the pool can give some back.
template <class Call> cublasStatus_t with_memory(tt_device *device, const Call &call) {
    const cublasStatus_t status = call();
    if (!without_memory(status) || device->recording) return status;
    return tt_cuda_make_room(tt_stream(device)) == cudaSuccess ? call() : status;
}

tt_status open_gemm(tt_device *device, const shape *s) {
    tt_cuda_state *state = tt_cuda_of(device);
    if (state->gemm) return TT_OK;
    state->gemm = static_cast<tt_cuda_gemm *>(calloc(1, sizeof(tt_cuda_gemm)));
    if (!state->gemm) return tt_fail(TT_ERR_NOMEM, "out of memory: gemm");
    cublasStatus_t opened = with_memory(device, [&] { return cublasLtCreate(&state->gemm->handle); });
    if (opened == CUBLAS_STATUS_SUCCESS) opened = open_library(state->gemm);
    tt_status status = opened == CUBLAS_STATUS_SUCCESS ? TT_OK : gemm_failed(opened, s);
    if (status == TT_OK)
        status =
            tt_cuda_alloc_undefined(device, &state->gemm->workspace, workspace_bytes, "workspace of gemm");
    if (status == TT_OK)
        status = tt_tally_add(&device->tally, state->gemm->workspace, workspace_bytes, "workspace of gemm");
    if (status != TT_OK) tt_cuda_gemm_close(state);
    return status;
}

void forget_layouts(choice *c) {
    if (c->a) cublasLtMatrixLayoutDestroy(c->a);
    if (c->b) cublasLtMatrixLayoutDestroy(c->b);
    if (c->c) cublasLtMatrixLayoutDestroy(c->c);
    c->a = c->b = c->c = nullptr;
}

void forget_choice(choice *c) {
    forget_layouts(c);
    if (c->desc) cublasLtMatmulDescDestroy(c->desc);
    *c = choice();
}

// ---- shapes that share a choice

// The next number with five significant bits, so that it is at most a sixteenth more; up to 32 itself. No unit is larger than
// `most`.
int general_rows(int rows, int most) {
    int unit = 1;
    while (unit < most && rows / unit >= 32) unit *= 2;
    return tt_ceil_div(rows, unit) * unit;
}

// The distance of a batch's matrices, if they lay one behind the other: what an algorithm needs of it is in the alignments.
int64_t general_stride(int64_t stride, int rows, int ld) {
    return stride ? static_cast<int64_t>(rows) * ld : 0;
}

// The shape that the library is asked for instead: rows of activations are counted in general; the other sizes are a model's.
// Rows of the result are cut into tiles: a proposal for another number of tiles took up to a fifth longer (measured on an H100);
// rows that are summed over made no difference.
shape general(const shape *s) {
    enum { TILE = 128 };
    shape g = *s;
    if (s->trans_a && !s->trans_b) {
        g.k = general_rows(s->k, INT_MAX);
        g.stride_a = general_stride(s->stride_a, g.k, s->lda);
        g.stride_b = general_stride(s->stride_b, g.k, s->ldb);
    } else if (!s->trans_a) {
        g.m = general_rows(s->m, TILE);
        g.stride_a = general_stride(s->stride_a, g.m, s->lda);
        g.stride_c = general_stride(s->stride_c, g.m, s->ldc);
    }
    return g;
}

bool same_shape(const shape *a, const shape *b) {
    return a->m == b->m && a->n == b->n && a->k == b->k && a->lda == b->lda && a->ldb == b->ldb &&
           a->ldc == b->ldc && a->align_a == b->align_a && a->align_b == b->align_b &&
           a->align_c == b->align_c && a->trans_a == b->trans_a && a->trans_b == b->trans_b &&
           a->c_fp32 == b->c_fp32 && a->accumulate == b->accumulate && a->relu == b->relu &&
           a->batch == b->batch && a->stride_a == b->stride_a && a->stride_b == b->stride_b &&
           a->stride_c == b->stride_c && a->exact == b->exact;
}

// ---- what the library is asked for

cublasStatus_t describe_batch(cublasLtMatrixLayout_t layout, int32_t batch, int64_t stride) {
    TT_LT(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch));
    return cublasLtMatrixLayoutSetAttribute(
        layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride);
}

cublasStatus_t describe(choice *c, cublasComputeType_t compute) {
    const shape *s = &c->key;
    const cublasOperation_t ta = s->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t tb = s->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    TT_LT(cublasLtMatmulDescCreate(&c->desc, compute, CUDA_R_32F));
    TT_LT(cublasLtMatmulDescSetAttribute(c->desc, CUBLASLT_MATMUL_DESC_TRANSA, &tb, sizeof tb));
    TT_LT(cublasLtMatmulDescSetAttribute(c->desc, CUBLASLT_MATMUL_DESC_TRANSB, &ta, sizeof ta));
    const cublasLtEpilogue_t epilogue =
        s->relu && !c->relu_apart ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
    return cublasLtMatmulDescSetAttribute(c->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
}

cublasStatus_t make_layouts(const tt_device *device, choice *c, const shape *s) {
    const cudaDataType_t in = device->operand_size == sizeof(float) ? CUDA_R_32F : CUDA_R_16BF;
    const cudaDataType_t out = s->c_fp32 ? CUDA_R_32F : in;
    const uint64_t m = static_cast<uint64_t>(s->m), n = static_cast<uint64_t>(s->n),
                   k = static_cast<uint64_t>(s->k);
    TT_LT(cublasLtMatrixLayoutCreate(&c->b, in, s->trans_b ? k : n, s->trans_b ? n : k, s->ldb));
    TT_LT(cublasLtMatrixLayoutCreate(&c->a, in, s->trans_a ? m : k, s->trans_a ? k : m, s->lda));
    TT_LT(cublasLtMatrixLayoutCreate(&c->c, out, n, m, s->ldc));
    if (s->batch == 1 || c->batch_apart) return CUBLAS_STATUS_SUCCESS;
    TT_LT(describe_batch(c->a, s->batch, s->stride_a));
    TT_LT(describe_batch(c->b, s->batch, s->stride_b));
    return describe_batch(c->c, s->batch, s->stride_c);
}

cublasStatus_t lay_out(const tt_device *device, choice *c, const shape *s) {
    if (c->a && same_shape(&c->laid_out, s)) return CUBLAS_STATUS_SUCCESS;
    forget_layouts(c);
    const cublasStatus_t status = make_layouts(device, c, s);
    if (status != CUBLAS_STATUS_SUCCESS) forget_layouts(c);
    c->laid_out = *s;
    return status;
}

cublasStatus_t ask(
    tt_cuda_gemm *g, const choice *c, cublasLtMatmulHeuristicResult_t results[PROPOSALS], int *found) {
    const shape *s = &c->key;
    const struct {
        cublasLtMatmulPreferenceAttributes_t attribute;
        uint32_t bytes;
    } alignments[] = {{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, s->align_b},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, s->align_a},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, s->align_c},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, s->align_c}};
    for (const auto &a : alignments)
        TT_LT(cublasLtMatmulPreferenceSetAttribute(g->preference, a.attribute, &a.bytes, sizeof a.bytes));
    return cublasLtMatmulAlgoGetHeuristic(
        g->handle, c->desc, c->b, c->a, c->c, c->c, g->preference, PROPOSALS, results, found);
}

cublasStatus_t multiply(const tt_cuda_gemm *g, const choice *c, const tt_gemm *p, cudaStream_t stream) {
    return cublasLtMatmul(g->handle, c->desc, &p->alpha, p->b, c->b, p->a, c->a, &p->beta, p->c, c->c, p->c,
        c->c, &c->algo, g->workspace, workspace_bytes, stream);
}

// Product i of the batch alone.
tt_gemm product_of(const tt_device *device, const tt_gemm *p, int i) {
    tt_gemm one = *p;
    const size_t in = device->operand_size, out = p->c_fp32 ? sizeof(float) : in;
    const auto at = [i](const void *x, int64_t stride, size_t size) {
        return static_cast<const char *>(x) + i * stride * static_cast<int64_t>(size);
    };
    one.a = at(p->a, p->stride_a, in);
    one.b = at(p->b, p->stride_b, in);
    one.c = const_cast<char *>(at(p->c, p->stride_c, out));
    return one;
}

// By the algorithm in c->algo, from product number *made of the batch on. *made receives how many there are by then, also where
// one fails: who tries again goes on behind them, for a product that adds to its result may be made only once.
cublasStatus_t make_products(tt_device *device, const choice *c, const tt_gemm *p, int *made) {
    const tt_cuda_state *state = tt_cuda_of(device);
    if (!c->batch_apart) return multiply(state->gemm, c, p, state->stream);
    for (; *made < c->key.batch; ++*made) {
        const tt_gemm one = product_of(device, p, *made);
        TT_LT(multiply(state->gemm, c, &one, state->stream));
    }
    return CUBLAS_STATUS_SUCCESS;
}

// ReLU in a product is max(x, 0) by the library's documentation, which may be 0 where x is NaN, and then a model that
// has diverged looks sound. So each algorithm is asked once, by a product with NaN alone. NOT_SUPPORTED: it loses NaN.
cublasStatus_t check_nan(tt_device *device, const choice *c, const tt_gemm *p) {
    const shape *s = &c->key;
    if (device->recording)
        return CUBLAS_STATUS_INTERNAL_ERROR; // a plain step asks, another answer would be kept
    const auto bytes = [s](int rows, int ld, int64_t stride, size_t size) {
        const int64_t elements = (s->batch - 1) * stride + static_cast<int64_t>(rows) * ld;
        return (static_cast<size_t>(elements) * size + 255) / 256 * 256;
    };
    const size_t in = device->operand_size, out = s->c_fp32 ? sizeof(float) : in,
                 b = bytes(s->trans_b ? s->n : s->k, s->ldb, s->stride_b, in);
    char *const scratch =
        static_cast<char *>(tt_device_scratch(device, b + bytes(s->m, s->ldc, s->stride_c, out)));
    if (!scratch) return CUBLAS_STATUS_ALLOC_FAILED; // ReLU apart needs none, but has other bits
    tt_gemm question = *p;
    question.b = scratch, question.c = scratch + b, question.beta = 0;
    float answer = 0;
    uint32_t bits = 0;
    if (cudaMemsetAsync(scratch, 0xff, b, tt_stream(device)) != cudaSuccess)
        return CUBLAS_STATUS_EXECUTION_FAILED;
    int made = 0;
    TT_LT(make_products(device, c, &question, &made));
    // Not by tt_device_download: what it tells of earlier operations' data is their caller's.
    if (cudaMemcpyAsync(&bits, question.c, out, cudaMemcpyDeviceToHost, tt_stream(device)) != cudaSuccess ||
        cudaStreamSynchronize(tt_stream(device)) != cudaSuccess)
        return CUBLAS_STATUS_EXECUTION_FAILED;
    if (out < sizeof bits) bits <<= 16; // bf16 are the upper halves of floats
    memcpy(&answer, &bits, sizeof answer);
    return isnan(answer) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

// The library will not do this, but may do something like it; nothing was computed.
bool refused(cublasStatus_t status) {
    return status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE ||
           status == CUBLAS_STATUS_ARCH_MISMATCH;
}

// A general key takes the first proposal. An exact one is tried: whether it keeps NaN, then by the product itself, which has
// been made then.
cublasStatus_t try_proposals(tt_device *device, choice *c, const tt_gemm *p, int *made) {
    const bool fused_relu = c->key.relu && !c->relu_apart;
    cublasLtMatmulHeuristicResult_t results[PROPOSALS];
    int found = 0;
    TT_LT(lay_out(device, c, &c->key));
    TT_LT(ask(tt_cuda_of(device)->gemm, c, results, &found));
    cublasStatus_t status = CUBLAS_STATUS_NOT_SUPPORTED;
    for (int i = 0; i < found && refused(status); ++i) {
        if (results[i].state != CUBLAS_STATUS_SUCCESS || results[i].workspaceSize > workspace_bytes) continue;
        c->algo = results[i].algo;
        if (!c->key.exact) return CUBLAS_STATUS_SUCCESS;
        status = fused_relu ? check_nan(device, c, p) : CUBLAS_STATUS_SUCCESS;
        if (status == CUBLAS_STATUS_SUCCESS) status = make_products(device, c, p, made);
    }
    return status;
}

// Fills in an empty choice. What the library may not have is done without: ReLU in the product itself; then, for fp32, the mode
// that keeps to the letter of fp32 ("pedantic"), without which TF32 stays off as well;
// then batches.
cublasStatus_t choose(tt_device *device, choice *c, const tt_gemm *p, int *made) {
    const shape key = c->key;
    const bool fp32 = device->operand_size == sizeof(float);
    cublasStatus_t status = CUBLAS_STATUS_NOT_SUPPORTED;
    for (int way = 0; way < 8 && refused(status); ++way) {
        const bool less_relu = way & 1, less_pedantic = way & 2, less_batch = way & 4;
        if ((less_relu && !key.relu) || (less_pedantic && !fp32) || (less_batch && key.batch == 1)) continue;
        forget_choice(c);
        c->key = key;
        c->relu_apart = less_relu;
        c->batch_apart = less_batch;
        status = describe(c, fp32 && !less_pedantic ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F);
        if (status == CUBLAS_STATUS_SUCCESS) status = try_proposals(device, c, p, made);
    }
    return status;
}

// ---- the table of choices

uint32_t hash_shape(const shape *s) {
    uint32_t h = 2166136261u;
    const int parts[] = {s->m, s->n, s->k, s->lda, s->ldb, s->ldc,
        static_cast<int>(s->align_a << 20 | s->align_b << 10 | s->align_c),
        s->trans_a | s->trans_b << 1 | s->c_fp32 << 2 | s->accumulate << 3 | s->relu << 4 | s->exact << 5,
        s->batch, static_cast<int>(s->stride_a), static_cast<int>(s->stride_b),
        static_cast<int>(s->stride_c)};
    for (int part : parts) {
        h = (h ^ static_cast<uint32_t>(part)) * 16777619u;
        h ^= h >> 15; // sizes are mostly multiples of 64: their differences have to reach the low bits
    }
    return h;
}

// Largest power of two, up to 16, that divides the addresses of a batch. No algorithm needs more, and so a shape is looked
// up once, wherever its matrices lie.
uint32_t alignment_of(const void *p, int64_t stride, size_t size) {
    const uint32_t address = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(p)) |
                             static_cast<uint32_t>(stride) * static_cast<uint32_t>(size) | 16;
    return address & (~address + 1);
}

// The choice for the shape; if there is none (used == 0), an empty one in place of the least recently used.
choice *find_choice(tt_cuda_gemm *g, const shape *s) {
    enum { WAYS = 8 }; // a shape may stand in any of these slots
    choice *set = &g->choices[hash_shape(s) % (SLOTS / WAYS) * WAYS], *oldest = set;
    for (int i = 0; i < WAYS; ++i) {
        if (set[i].used && same_shape(&set[i].key, s)) return &set[i];
        if (set[i].used < oldest->used) oldest = &set[i];
    }
    forget_choice(oldest);
    oldest->key = *s;
    return oldest;
}

// Makes the product of shape s by the choice for `key`; *apart: what is left to a kernel of its own.
cublasStatus_t multiply_by(
    tt_device *device, const shape *key, const shape *s, const tt_gemm *p, bool *apart, int *made) {
    tt_cuda_gemm *g = tt_cuda_of(device)->gemm;
    choice *c = find_choice(g, key);
    const bool known = c->used;
    if (!known) {
        const cublasStatus_t status = choose(device, c, p, made);
        if (status != CUBLAS_STATUS_SUCCESS) {
            forget_choice(c);
            return status;
        }
    }
    c->used = ++g->clock;
    *apart = c->relu_apart;
    if (!known && key->exact) return CUBLAS_STATUS_SUCCESS; // made
    TT_LT(lay_out(device, c, s));
    return make_products(device, c, p, made);
}

// ---- ReLU where the library has none

template <class C> __global__ void relu(tt_gemm p, int64_t elements) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    C *at = static_cast<C *>(p.c) + i / p.n * p.ldc + i % p.n;
    if (to_float(*at) < 0) *at = from_float<C>(0); // NaN stays
}

tt_status relu_apart(tt_device *device, const tt_gemm *p) {
    enum { THREADS = 256 };
    const int64_t elements = static_cast<int64_t>(p->m) * p->n;
    const dim3 blocks(static_cast<unsigned>(tt_ceil_div(elements, THREADS)));
    const cudaStream_t stream = tt_stream(device);
    if (p->c_fp32 || device->operand_size == sizeof(float))
        TT_CUDA(TT_LAUNCH(relu<float>, blocks, THREADS, 0, stream, *p, elements), "gemm");
    else
        TT_CUDA(TT_LAUNCH(relu<bf16>, blocks, THREADS, 0, stream, *p, elements), "gemm");
    return TT_OK;
}

} // namespace

tt_status tt_cuda_gemm_multiply(tt_device *device, const tt_gemm *p) {
    const int a_columns = p->trans_a ? p->m : p->k, b_columns = p->trans_b ? p->k : p->n;
    if (p->batch < 0) return tt_fail(TT_ERR_INPUT, "gemm: a batch of %d products", p->batch);
    if (p->m < 0 || p->n < 0 || p->k < 1 || p->lda < a_columns || p->ldb < b_columns || p->ldc < p->n)
        return tt_fail(TT_ERR_INPUT,
            "gemm: m %d, n %d, k %d with row distances %d, %d, %d; expected m, n >= 0, k >= 1 and distances "
            "of at least %d, %d, %d",
            p->m, p->n, p->k, p->lda, p->ldb, p->ldc, a_columns, b_columns, p->n);
    if (p->m == 0 || p->n == 0) return TT_OK;
    const int64_t batched = p->batch > 1;
    const size_t in = device->operand_size, out = p->c_fp32 ? sizeof(float) : in;
    const shape s = {
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .lda = p->lda,
        .ldb = p->ldb,
        .ldc = p->ldc,
        .align_a = alignment_of(p->a, batched * p->stride_a, in),
        .align_b = alignment_of(p->b, batched * p->stride_b, in),
        .align_c = alignment_of(p->c, batched * p->stride_c, out),
        .trans_a = p->trans_a,
        .trans_b = p->trans_b,
        .c_fp32 = p->c_fp32,
        .accumulate = p->beta != 0,
        .relu = p->relu,
        .batch = batched ? p->batch : 1,
        .stride_a = batched * p->stride_a,
        .stride_b = batched * p->stride_b,
        .stride_c = batched * p->stride_c,
        .exact = false,
    };
    TT_TRY(open_gemm(device, &s));
    const shape in_general = general(&s);
    shape exact = s;
    exact.exact = true;
    bool apart = false;
    int made = 0;
    const cublasStatus_t status = with_memory(device, [&] {
        // With ReLU a choice is tried by the product itself (check_nan), which may not stand for others' rows.
        const cublasStatus_t tried =
            s.relu ? CUBLAS_STATUS_NOT_SUPPORTED : multiply_by(device, &in_general, &s, p, &apart, &made);
        return refused(tried) ? multiply_by(device, &exact, &exact, p, &apart, &made) : tried;
    });
    if (status != CUBLAS_STATUS_SUCCESS) return gemm_failed(status, &s);
    for (int i = 0; apart && i < s.batch; ++i) {
        const tt_gemm one = product_of(device, p, i);
        TT_TRY(relu_apart(device, &one));
    }
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
