// For tests that run an operation on the CPU device and on the CUDA device and compare what comes out.
// Natively on a GPU, or on CPUs by tests/cusim: the same programs.
#ifndef TT_TESTS_PAIR_H
#define TT_TESTS_PAIR_H

#include "kernels/cuda/cuda.h"
#include "tests/twins/twin.h"

// norm(difference) / norm(CPU's result) may be this much.
#define PAIR_FP32 1e-5
#define PAIR_BF16 2e-2

typedef struct pair {
    tt_device *cpu, *gpu;
    bool bf16;
} pair;

// A tensor on both devices. Operands are rounded to bf16 on both sides if the GPU keeps them so.
typedef struct tensor {
    float *cpu;
    void *gpu;
    size_t n;
    bool operand;
    double
        terms; // if not 0: norm of the terms whose sums the elements are, for sums that are 0 but for rounding
} tensor;

// For main(): returns with 77 (skipped) where there is no GPU.
#define PAIR_NEEDS_GPU()                                                                                     \
    do {                                                                                                     \
        char why[TT_CUDA_WHY_SIZE];                                                                          \
        if (!tt_cuda_available(why)) return printf("skipped: %s\n", why), 77;                                \
    } while (0)

// Whether the GPU is tests/cusim.
static inline bool pair_emulated(void) {
    char name[TT_CUDA_NAME_SIZE];
    twin_ok(tt_cuda_describe(name));
    return strncmp(name, "cusim", 5) == 0;
}

static inline pair pair_open(tt_precision precision) {
    pair p = {.bf16 = precision == TT_BF16};
    twin_ok(tt_device_open(&p.cpu, "cpu", TT_FP32, 1));
    twin_ok(tt_device_open(&p.gpu, "cuda", precision, 1));
    assert_int_equal(p.gpu->operand_size, p.bf16 ? 2 : 4);
    return p;
}

static inline void pair_close(pair *p) {
    tt_device_close(p->cpu);
    tt_device_close(p->gpu);
}

static inline void *pair_upload(const pair *p, const void *host, size_t n, size_t size) {
    void *gpu;
    twin_ok(tt_device_alloc(p->gpu, &gpu, n, size, "test"));
    twin_ok(tt_device_upload(p->gpu, gpu, host, n * size));
    return gpu;
}

static inline uint16_t pair_round(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float pair_unround(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

// Takes over `values`, n of them.
static inline tensor tensor_of(const pair *p, float *values, size_t n, bool operand) {
    tensor t = {.cpu = values, .n = n, .operand = operand && p->bf16};
    if (!t.operand) {
        t.gpu = pair_upload(p, values, n, sizeof *values);
        return t;
    }
    uint16_t *half = (uint16_t *)twin_alloc(n, sizeof *half);
    for (size_t i = 0; i < n; ++i) half[i] = pair_round(values[i]), values[i] = pair_unround(half[i]);
    t.gpu = pair_upload(p, half, n, sizeof *half);
    free(half);
    return t;
}

static inline tensor tensor_f32(const pair *p, size_t n, double scale, uint64_t stream) {
    return tensor_of(p, twin_normal(n, scale, stream), n, false);
}

static inline tensor tensor_operand(const pair *p, size_t n, double scale, uint64_t stream) {
    return tensor_of(p, twin_normal(n, scale, stream), n, true);
}

// Root of the mean square of the CPU's elements.
static inline double tensor_rms(const tensor *t) {
    double squares = 0;
    for (size_t i = 0; i < t->n; ++i) squares += (double)t->cpu[i] * (double)t->cpu[i];
    return t->n ? sqrt(squares / (double)t->n) : 0;
}

static inline float *tensor_fetch(const pair *p, const tensor *t) {
    float *out = (float *)twin_alloc(t->n, sizeof *out);
    if (!t->operand) {
        twin_ok(tt_device_download(p->gpu, out, t->gpu, t->n * sizeof *out));
        return out;
    }
    uint16_t *half = (uint16_t *)twin_alloc(t->n, sizeof *half);
    twin_ok(tt_device_download(p->gpu, half, t->gpu, t->n * sizeof *half));
    for (size_t i = 0; i < t->n; ++i) out[i] = pair_unround(half[i]);
    free(half);
    return out;
}

static inline void tensor_close(const pair *p, tensor *t) {
    free(t->cpu);
    tt_device_free(p->gpu, t->gpu);
    *t = (tensor){0};
}

// Fails unless the GPU's tensor is near the CPU's.
#define tensor_compare(p, what, t)                                                                           \
    tensor_near(p, what, t, (p)->bf16 ? PAIR_BF16 : PAIR_FP32, __FILE__, __LINE__)
static inline void tensor_near(
    const pair *p, const char *what, const tensor *t, double allowed, const char *file, int line) {
    float *got = tensor_fetch(p, t);
    double difference = 0, reference = 0, worst = -1;
    size_t at = 0;
    for (size_t i = 0; i < t->n; ++i) {
        const double d = fabs((double)got[i] - (double)t->cpu[i]);
        if (isnan(got[i]) && isnan(t->cpu[i])) continue;
        difference += d * d;
        reference += (double)t->cpu[i] * (double)t->cpu[i];
        if (!(d <= worst) && !isnan(worst)) worst = d, at = i;
    }
    const double scale = reference > 0 || t->terms <= 0 ? sqrt(reference) : t->terms,
                 error = sqrt(difference) / (scale + 1e-30);
    if (!(error <= allowed)) {
        print_error(
            "%s (%s): norm(difference)/norm = %.3g, allowed %.3g; worst at %zu of %zu: GPU %.9g, CPU %.9g\n",
            what, p->bf16 ? "bf16" : "fp32", error, allowed, at, t->n, (double)got[at], (double)t->cpu[at]);
        _fail(file, line);
    }
    free(got);
}

static inline int32_t *pair_ints(const pair *p, const int32_t *host, size_t n) {
    return (int32_t *)pair_upload(p, host, n, sizeof *host);
}

// The dropout of `host` with its key and indices on the GPU.
static inline tt_dropout pair_dropout(const pair *p, const tt_dropout *host, int rows) {
    tt_dropout d = *host;
    d.key = (uint64_t *)pair_upload(p, host->key, 1, sizeof *host->key);
    d.example = (uint32_t *)pair_upload(p, host->example, (size_t)rows, 4);
    d.position = (uint32_t *)pair_upload(p, host->position, (size_t)rows, 4);
    return d;
}

static inline void pair_dropout_close(const pair *p, tt_dropout *gpu) {
    tt_device_free(p->gpu, (void *)gpu->key);
    tt_device_free(p->gpu, (void *)gpu->example);
    tt_device_free(p->gpu, (void *)gpu->position);
}

#endif
