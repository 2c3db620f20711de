// cuBLASLt on CPUs: plain loops with fp32 sums, for the sizes of tests. Its proposals add in different orders, so that
// another choice gives other bits; only the first adds in the order of k. CUSIM_GEMM says what it refuses:
//   first      the product by the first proposal        state, workspace   the first proposal is of no use
//   relu, pedantic, batch         to propose anything for those      all                every product
//   nan        to let NaN through where ReLU is in a product: max(NaN, 0) is 0
//   third=N    the third product of the process, N times: there is no memory for its kernel
#include "cublasLt.h"

#include "cuda_bf16.h"
#include "machine.h"

#include <stdio.h>
#include <vector>

struct cusim_lt {
    int unused;
};

// What an algorithm holds.
struct algorithm {
    enum order : uint64_t {
        FORWARD,
        BACKWARD,
        EVEN_FIRST,
        IN_RESULT
    }; // IN_RESULT: sums in the type of the result
    uint64_t order, workspace;
    uint32_t alignment[3]; // as cusim_preference has it: what it was asked for
    const void *desc;      // whose it is
    bool first, usable;
};
static_assert(sizeof(algorithm) <= sizeof(cublasLtMatmulAlgo_t), "algorithms are copied by the caller");

static bool refuses(const char *what) {
    return cusim::setting("CUSIM_GEMM", what, 0) != 0;
}

static bool third_fails(void) {
    static long products, failed;
    const long times = static_cast<long>(cusim::setting("CUSIM_GEMM", "third", 0));
    if (times == 0) products = failed = 0;
    if (times == 0 || ++products < 3 || failed >= times) return false;
    ++failed;
    return true;
}

static float sum_products(const float *x, const float *y, size_t k, uint64_t order, bool to_bf16) {
    float sum = 0;
    for (size_t i = 0; i < k; ++i) {
        const size_t even = (k + 1) / 2;
        const size_t l = order == algorithm::BACKWARD     ? k - 1 - i
                         : order == algorithm::EVEN_FIRST ? (i < even ? 2 * i : 2 * (i - even) + 1)
                                                          : i;
        sum += x[l] * y[l];
        if (order == algorithm::IN_RESULT && to_bf16) sum = __bfloat162float(__float2bfloat16_rn(sum));
    }
    return sum;
}

static float element(const void *x, cudaDataType_t type, size_t i) {
    return type == CUDA_R_32F ? static_cast<const float *>(x)[i]
                              : __bfloat162float(static_cast<const __nv_bfloat16 *>(x)[i]);
}

// op(X) as rows of length `k`, or op(X)^T: outer index o, inner index i.
static std::vector<float> gather(
    const void *x, const cusim_layout &layout, size_t outer, size_t inner, bool inner_is_column) {
    std::vector<float> out(outer * inner);
    const size_t ld = static_cast<size_t>(layout.ld);
    for (size_t o = 0; o < outer; ++o)
        for (size_t i = 0; i < inner; ++i)
            out[o * inner + i] = element(x, layout.type, inner_is_column ? i + o * ld : o + i * ld);
    return out;
}

static bool on_device(const void *x, const cusim_layout &l, const char *name) {
    const size_t size = l.type == CUDA_R_32F ? 4 : 2;
    const size_t elements =
        static_cast<size_t>(l.ld * static_cast<int64_t>(l.columns - 1) + l.stride * (l.batch - 1)) + l.rows;
    const uintptr_t at = reinterpret_cast<uintptr_t>(x);
    const cusim::region *r = cusim::find_region(at);
    if (r && at + elements * size <= r->end && at % size == 0) return true;
    fprintf(stderr, "cusim: cublasLtMatmul: matrix %s (%zu bytes) is not within device memory\n", name,
        elements * size);
    return false;
}

static size_t size_of(const cusim_layout &l) {
    return l.type == CUDA_R_32F ? 4 : 2;
}

// A matrix of a batch.
static const void *product(const void *x, const cusim_layout &l, int64_t number) {
    return static_cast<const char *>(x) + number * l.stride * static_cast<int64_t>(size_of(l));
}

// Algorithms take their loads' width from what they were asked for.
static void need_aligned(const void *x, const cusim_layout &l, const char *name, uint32_t alignment) {
    for (int64_t number = 0; number < l.batch; ++number) {
        const uintptr_t at = reinterpret_cast<uintptr_t>(product(x, l, number));
        if (at % alignment != 0)
            cusim_complain(
                "cublasLtMatmul: misaligned: matrix %s of product %lld of an algorithm for %u bytes", name,
                static_cast<long long>(number), alignment);
    }
}

struct sizes {
    size_t m, n, k;
};

static void need_written(const void *x, const cusim_layout &l, const char *name, const sizes &s) {
    for (size_t column = 0; column < l.columns; ++column) {
        const char *from = static_cast<const char *>(x) + column * static_cast<size_t>(l.ld) * size_of(l);
        size_t at;
        char place[200];
        if (cusim::find_unwritten(from, l.rows * size_of(l), &at))
            cusim_complain(
                "cublasLtMatmul of m %zu, n %zu, k %zu: uninitialised: reads matrix %s, row %zu of column "
                "%zu: %s",
                s.m, s.n, s.k, name, at / size_of(l), column,
                cusim::describe_unwritten(from + at, place, sizeof place));
    }
}

static void mark_written(void *x, const cusim_layout &l) {
    for (size_t column = 0; column < l.columns; ++column)
        cusim::mark(static_cast<char *>(x) + column * static_cast<size_t>(l.ld) * size_of(l),
            l.rows * size_of(l), cusim::WRITTEN);
}

extern "C" {
const char *cublasLtGetStatusString(cublasStatus_t status) {
    return status == CUBLAS_STATUS_SUCCESS         ? "success"
           : status == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported"
                                                   : "an error of the CPU run-time for tests";
}
size_t cublasLtGetVersion(void) {
    return 0;
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t *out) {
    if (!cusim::load(reinterpret_cast<const void *>(&cublasLtCreate))) return CUBLAS_STATUS_NOT_INITIALIZED;
    *out = new cusim_lt;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(
    cublasLtMatmulDesc_t *out, cublasComputeType_t compute, cudaDataType_t scale) {
    (void)scale;
    *out = new cusim_desc{CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, compute};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(
    cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t size) {
    if (size != sizeof(cublasOperation_t)) return CUBLAS_STATUS_INVALID_VALUE;
    void *const field = attribute == CUBLASLT_MATMUL_DESC_TRANSA   ? static_cast<void *>(&desc->a)
                        : attribute == CUBLASLT_MATMUL_DESC_TRANSB ? static_cast<void *>(&desc->b)
                                                                   : static_cast<void *>(&desc->epilogue);
    memcpy(field, value, size);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(
    cublasLtMatrixLayout_t *out, cudaDataType_t type, uint64_t rows, uint64_t columns, int64_t ld) {
    if (ld < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
    *out = new cusim_layout{type, rows, columns, ld, 1, 0};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
    cublasLtMatrixLayoutAttribute_t attribute, const void *value, size_t size) {
    const bool count = attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
    if (size != (count ? sizeof layout->batch : sizeof layout->stride)) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(count ? static_cast<void *>(&layout->batch) : static_cast<void *>(&layout->stride), value, size);
    return layout->batch < 1 ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out) {
    *out = new cusim_preference{CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256}}; // the library's own
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
    cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t size) {
    if (size != sizeof(uint32_t))
        return CUBLAS_STATUS_SUCCESS; // bytes of workspace, of which nothing here takes any
    uint32_t *const field =
        attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK   ? &preference->reductions
        : attribute == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES ? &preference->alignment[0]
        : attribute == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES ? &preference->alignment[1]
                                                                  : &preference->alignment[2];
    memcpy(field, value, size);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
    cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
    cublasLtMatmulPreference_t preference, int wanted, cublasLtMatmulHeuristicResult_t *results, int *found) {
    (void)handle, (void)b, (void)c, (void)d;
    *found = 0;
    cusim::count_host(&cusim_host_counts::asked, 1);
    if (cusim::recording()) return CUBLAS_STATUS_INTERNAL_ERROR; // as some versions of the library
    const bool pedantic = desc->compute == CUBLAS_COMPUTE_32F_PEDANTIC;
    if ((pedantic && refuses("pedantic")) || (a->batch > 1 && refuses("batch")) ||
        (desc->epilogue == CUBLASLT_EPILOGUE_RELU && refuses("relu")))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    const bool in_result = preference->reductions & CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
    for (*found = 0; *found < wanted && *found < 3; ++*found) {
        const uint32_t *least = preference->alignment;
        algorithm algo = {algorithm::FORWARD, 0, {least[0], least[1], least[2]}, desc, *found == 0, true};
        cublasLtMatmulHeuristicResult_t *r = &results[*found];
        *r = {};
        r->state = CUBLAS_STATUS_SUCCESS;
        if (*found > 0)
            algo.order = *found == 1 && desc->compute == CUBLAS_COMPUTE_32F_PEDANTIC ? algorithm::BACKWARD
                                                                                     : algorithm::EVEN_FIRST;
        else if (in_result)
            algo.order = algorithm::IN_RESULT;
        if (*found == 0 && refuses("state")) r->state = CUBLAS_STATUS_NOT_SUPPORTED, algo.usable = false;
        if (*found == 0 && refuses("workspace")) algo.workspace = r->workspaceSize = SIZE_MAX;
        memcpy(&r->algo, &algo, sizeof algo);
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha_at,
    const void *a, cublasLtMatrixLayout_t la, const void *b, cublasLtMatrixLayout_t lb, const void *beta_at,
    const void *c, cublasLtMatrixLayout_t lc, void *d, cublasLtMatrixLayout_t ld,
    const cublasLtMatmulAlgo_t *algo, void *workspace, size_t bytes, cudaStream_t stream) {
    (void)handle, (void)workspace;
    algorithm how;
    memcpy(&how, algo, sizeof how);
    if (!how.usable || how.desc != desc || how.workspace > bytes)
        cusim_complain("cublasLtMatmul: an algorithm that was not proposed for this product");
    if ((how.first && refuses("first")) || refuses("all")) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!cusim::load(desc) || third_fails()) return CUBLAS_STATUS_EXECUTION_FAILED;
    const bool ta = desc->a == CUBLAS_OP_T, tb = desc->b == CUBLAS_OP_T;
    const size_t m = ld->rows, n = ld->columns, k = ta ? la->rows : la->columns;
    if ((ta ? la->columns : la->rows) != m || (tb ? lb->rows : lb->columns) != n ||
        (tb ? lb->columns : lb->rows) != k || lc->rows != m || lc->columns != n || lc->type != ld->type ||
        la->type != lb->type)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (la->batch != ld->batch || lb->batch != ld->batch || lc->batch != ld->batch)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!on_device(a, *la, "A") || !on_device(b, *lb, "B") || !on_device(d, *ld, "D"))
        return CUBLAS_STATUS_INVALID_VALUE;
    need_aligned(a, *la, "A", how.alignment[0]);
    need_aligned(b, *lb, "B", how.alignment[1]);
    need_aligned(c, *lc, "C", how.alignment[2]);
    need_aligned(d, *ld, "D", how.alignment[2]);
    if (!cusim::recording()) cusim::count_host(&cusim_host_counts::products, 1);
    float alpha, beta;
    memcpy(&alpha, alpha_at, sizeof alpha);
    memcpy(&beta, beta_at, sizeof beta);
    const bool relu = desc->epilogue == CUBLASLT_EPILOGUE_RELU, loses_nan = refuses("nan");
    const cusim_layout A = *la, B = *lb, C = *lc, D = *ld;
    cusim::enqueue(stream, [=] {
        for (int64_t number = 0; number < D.batch; ++number) {
            const void *const x = product(a, A, number), *const y = product(b, B, number),
                              *const old = product(c, C, number);
            void *const out = const_cast<void *>(product(d, D, number));
            need_written(x, A, "A", {m, n, k});
            need_written(y, B, "B", {m, n, k});
            if (beta != 0) need_written(old, C, "C", {m, n, k});
            const std::vector<float> left = gather(x, A, m, k, ta), right = gather(y, B, n, k, !tb);
            for (size_t j = 0; j < n; ++j)
                for (size_t i = 0; i < m; ++i) {
                    const float sum =
                        sum_products(&left[i * k], &right[j * k], k, how.order, D.type != CUDA_R_32F);
                    const size_t at = i + j * static_cast<size_t>(D.ld);
                    float value = alpha * sum;
                    if (beta != 0) value += beta * element(old, C.type, i + j * static_cast<size_t>(C.ld));
                    if (relu && (loses_nan ? !(value >= 0) : value < 0)) value = 0;
                    if (D.type == CUDA_R_32F)
                        static_cast<float *>(out)[at] = value;
                    else
                        static_cast<__nv_bfloat16 *>(out)[at] = __float2bfloat16_rn(value);
                }
            mark_written(out, D);
        }
    });
    return CUBLAS_STATUS_SUCCESS;
}
}
