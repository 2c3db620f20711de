// What a GPU that works never shows: a library that refuses, memory that runs out, drivers and cards that do not fit,
// copies that read the host's memory as late as they can.
#include "host/dist/gradient_sum.h"
#include "host/dist/nccl.h"
#include "tests/cuda/pair.h"
#include "tests/cusim/counts.h"

#include <stdlib.h>

enum { M = 9, N = 21, K = 130, LDC = N + 2, FLOATS = M * LDC };
typedef struct product {
    tt_status status;
    uint32_t bits[FLOATS];
    unsigned launches, products;
} product;

enum { PLAIN, RELU, EPILOGUES };

// a b + c with one of these epilogues, the rows of a dealt to a batch of one or three products; a second time into the same place, by a new
// device while `refused` is set.
static product multiply(const char *refused, tt_precision precision, int epilogue, float beta, int batch) {
    setenv("CUSIM_GEMM", refused, 1);
    pair p = pair_open(precision);
    tensor a = tensor_operand(&p, (size_t)M * K, 1, 1), b = tensor_operand(&p, (size_t)K * N, 1, 2);
    float *start = twin_normal(FLOATS, 1, 3);
    product out = {.status = TT_OK};
    void *c = pair_upload(&p, start, FLOATS, sizeof *start);
    for (int again = 0; again < 2 && out.status == TT_OK; ++again) {
        uint32_t before[FLOATS];
        memcpy(before, out.bits, sizeof before);
        twin_ok(tt_device_upload(p.gpu, c, start, FLOATS * sizeof *start));
        cusim_counts_clear();
        out.status = p.gpu->ops->gemm(p.gpu, &(tt_gemm){.m = M / batch,
                                                 .n = N,
                                                 .k = K,
                                                 .alpha = 1,
                                                 .beta = beta,
                                                 .a = a.gpu,
                                                 .b = b.gpu,
                                                 .c = c,
                                                 .c_fp32 = true,
                                                 .relu = epilogue == RELU,
                                                 .lda = K,
                                                 .ldb = N,
                                                 .ldc = LDC,
                                                 .batch = batch,
                                                 .stride_a = M / batch * K,
                                                 .stride_c = M / batch * LDC});
        out.launches = (unsigned)cusim_counts_of_host().launches;
        out.products = (unsigned)cusim_counts_of_host().products;
        twin_ok(tt_device_download(p.gpu, out.bits, c, sizeof out.bits));
        if (again && memcmp(before, out.bits, sizeof before) != 0)
            fail_msg("'%s': bits differ the second time", refused);
    }
    // Near the sums in double, and nothing between the rows is touched.
    for (int i = 0; i < FLOATS && out.status == TT_OK; ++i) {
        double expected = (double)start[i];
        for (int l = 0; i % LDC < N && l < K; ++l)
            expected = (l ? expected : (double)beta * expected) +
                       (double)a.cpu[i / LDC * K + l] * (double)b.cpu[l * N + i % LDC];
        if (epilogue == RELU && i % LDC < N && expected < 0) expected = 0;
        float got;
        memcpy(&got, &out.bits[i], sizeof got);
        if (!(fabs((double)got - expected) <= 1e-4))
            fail_msg("'%s': element %d: expected %g, got %g", refused, i, expected, (double)got);
    }
    tt_device_free(p.gpu, c);
    free(start);
    tensor_close(&p, &a), tensor_close(&p, &b);
    pair_close(&p);
    unsetenv("CUSIM_GEMM");
    return out;
}

static void same(const product *a, const product *b, bool expected) {
    twin_ok(a->status), twin_ok(b->status);
    assert_int_equal(memcmp(a->bits, b->bits, sizeof a->bits) == 0, expected);
}

static void products_are_refused(void **state) {
    (void)state;
    cusim_counts_start();
    for (int bf16 = 0; bf16 < 2; ++bf16) {
        const tt_precision precision = bf16 ? TT_BF16 : TT_FP32;
        for (int e = PLAIN; e < EPILOGUES; ++e) {
            const product usual = multiply("", precision, e, 1, 1),
                          second = multiply("first", precision, e, 1, 1),
                          third = multiply("state", precision, e, 1, 1),
                          large = multiply("workspace", precision, e, 1, 1),
                          lossy = multiply("nan", precision, e, 1, 1),
                          plain = multiply("relu", precision, e, 1, 1),
                          all = multiply("relu pedantic first", precision, e, 1, 1),
                          batch = multiply("", precision, e, 1, 3),
                          apart = multiply("batch", precision, e, 1, 3),
                          last = multiply("batch relu pedantic first", precision, e, 1, 3),
                          halfway = multiply("batch third=1", precision, e, 1, 3);
            same(&usual, &second, false);
            same(&second, &third, true);
            same(&second, &large, true);
            same(&usual, &plain, true);
            same(&usual, &lossy, true);
            same(&usual, &all, false);
            same(&usual, &batch, true);
            same(&usual, &apart, true);
            same(&all, &last, true);
            same(&apart, &halfway, true); // what had been added before the third failed is not added again
            assert_int_equal(batch.products, 1);
            assert_int_equal(apart.products, 3);
            assert_int_equal(last.launches, e == PLAIN ? 0 : 3);
            assert_int_equal(usual.launches, 0);
            assert_int_equal(plain.launches, e != PLAIN);
            assert_int_equal(lossy.launches, e == RELU);
            assert_int_equal(all.launches, e != PLAIN);
        }
        const product less = multiply("pedantic", precision, PLAIN, 0, 1);
        assert_int_equal(less.status, TT_OK);
        assert_int_equal(multiply("all", precision, RELU, 0, 1).status, TT_ERR_DEVICE);
        assert_non_null(strstr(tt_error_message(), "gemm of m 9, n 21, k 130, batch 1: cuBLASLt"));
        assert_non_null(strstr(tt_error_message(), "not supported"));
    }
}

// Of rows x W[8, 16], or of the gradient of W over so many rows; `batch` of them lie apart as layers of a pass do. Returns how
// often the library was asked.
static unsigned asked_for(const pair *p, int rows, bool of_weight, int batch, float sums[8 * 16]) {
    const int gap = batch > 1 ? 8 * (1 + rows % 7) : 0, one = rows * 16 + gap;
    float *ones = (float *)twin_alloc((size_t)batch * one, sizeof *ones);
    for (int i = 0; i < batch * one; ++i) ones[i] = 1;
    tensor a = tensor_of(p, ones, (size_t)batch * one, true),
           b = tensor_operand(p, (size_t)batch * one, 1, 2);
    void *c = pair_upload(p, a.cpu, (size_t)batch * one, sizeof(float));
    cusim_counts_clear();
    twin_ok(p->gpu->ops->gemm(p->gpu, &(tt_gemm){.trans_a = of_weight,
                                          .m = of_weight ? 8 : rows,
                                          .n = 16,
                                          .k = of_weight ? rows : 8,
                                          .alpha = 1,
                                          .a = a.gpu,
                                          .b = b.gpu,
                                          .c = c,
                                          .c_fp32 = true,
                                          .lda = 8,
                                          .ldb = 16,
                                          .ldc = 16,
                                          .batch = batch,
                                          .stride_a = rows * 8 + gap,
                                          .stride_b = of_weight ? rows * 16 + gap : 0,
                                          .stride_c = of_weight ? 8 * 16 : rows * 16 + gap}));
    const unsigned asked = (unsigned)cusim_counts_of_host().asked;
    twin_ok(tt_device_download(p->gpu, sums, c, 8 * 16 * sizeof *sums));
    double expected = 0; // in the last column, which all rows of the result have
    for (int i = 0; i < (of_weight ? rows : 8); ++i) expected += (double)b.cpu[i * 16 + 15];
    if (!(fabs((double)sums[15] - expected) <= 1e-3))
        fail_msg("%d rows: expected %g, got %g", rows, expected, (double)sums[15]);
    tt_device_free(p->gpu, c);
    tensor_close(p, &a), tensor_close(p, &b);
    return asked;
}

// An answer of the library serves all numbers of rows with the same next number of five significant bits, but of rows of a
// result at most 128; where its first proposal is refused, a number of rows is asked for by itself. Which came first makes no
// difference to the bits.
static void rows_share_a_choice(void **state) {
    (void)state;
    static const struct {
        int rows, result,
            weight; // questions in general: for rows of a result, for rows that a weight's gradient sums over
        bool again;
    } in_turn[] = {{1000, 1, 1, false}, {993, 0, 0, false}, {1024, 0, 0, false}, {1000, 0, 0, true},
        {992, 1, 1, false}, {961, 0, 0, false}, {1025, 1, 1, false}, {33, 1, 1, false}, {34, 0, 0, false},
        {32, 1, 1, false}, {31, 1, 1, false}, {4097, 1, 1, false}, {4224, 0, 0, false}, {4225, 1, 0, false},
        {4352, 0, 0, false}};
    enum { TURNS = sizeof in_turn / sizeof *in_turn };
    cusim_counts_start();
    for (int i = 0; i < 8; ++i) {
        const bool refuses = i % 2, of_weight = i / 2 % 2;
        const int batch = i < 4 ? 1 : 2;
        setenv("CUSIM_GEMM", refuses ? "first" : "", 1);
        pair p = pair_open(TT_BF16);
        float sums[8 * 16], alone[8 * 16];
        for (int k = 0; k < TURNS; ++k) {
            const int in_general = of_weight ? in_turn[k].weight : in_turn[k].result,
                      expected = in_general + (refuses && !in_turn[k].again), // and one for the number itself
                asked = (int)asked_for(&p, in_turn[k].rows, of_weight, batch, sums);
            if (asked != expected)
                fail_msg("%d rows, '%s': expected %d questions, got %d", in_turn[k].rows,
                    getenv("CUSIM_GEMM"), expected, asked);
            pair other = pair_open(TT_BF16);
            asked_for(&other, in_turn[k].rows, of_weight, batch, alone);
            assert_memory_equal(sums, alone, sizeof sums);
            pair_close(&other);
        }
        pair_close(&p);
        unsetenv("CUSIM_GEMM");
    }
}

// 1,000 ones: a sum in bf16 would stay at 256.
static void parts_are_added_in_fp32(void **state) {
    (void)state;
    enum { ONES = 1000 };
    tt_device *gpu;
    twin_ok(tt_device_open(&gpu, "cuda", TT_BF16, 1));
    uint16_t ones[ONES], sum;
    for (int i = 0; i < ONES; ++i) ones[i] = 0x3f80;
    pair p = {.gpu = gpu, .bf16 = true};
    void *a = pair_upload(&p, ones, ONES, sizeof *ones), *c = pair_upload(&p, ones, 1, sizeof *ones);
    twin_ok(gpu->ops->gemm(gpu,
        &(tt_gemm){
            .m = 1, .n = 1, .k = ONES, .alpha = 1, .a = a, .b = a, .c = c, .lda = ONES, .ldb = 1, .ldc = 1}));
    twin_ok(tt_device_download(gpu, &sum, c, sizeof sum));
    if (pair_unround(sum) != 1000) fail_msg("sum of ones: expected 1000, got %g", (double)pair_unround(sum));
    tt_device_free(gpu, a), tt_device_free(gpu, c);
    tt_device_close(gpu);
}

// ---- memory

static tt_device *open_with_kib(size_t kib) {
    static char text[64];
    snprintf(text, sizeof text, "memory=%zu", kib);
    setenv("CUSIM_GPU", text, 1);
    tt_device *gpu;
    twin_ok(tt_device_open(&gpu, "cuda", TT_FP32, 1));
    return gpu;
}

static void close_limited(tt_device *gpu) {
    tt_device_close(gpu);
    unsetenv("CUSIM_GPU");
}

static void memory_runs_out(void **state) {
    (void)state;
    const size_t mib = 1 << 20;
    tt_device *gpu = open_with_kib(40 << 10);
    void *a, *b, *c;
    // Kept in a piece that is too small, and not yet freed when the next is asked for.
    twin_ok(tt_device_alloc(gpu, &a, 20 * mib, 1, "a"));
    tt_device_free(gpu, a);
    twin_ok(tt_device_alloc(gpu, &b, 30 * mib, 1, "b"));
    twin_refused(tt_device_alloc(gpu, &c, 12 * mib, 1, "activations"), TT_ERR_NOMEM,
        "out of GPU memory: activations: 12.0 MiB asked for, 10.0 of 40.0 MiB free, 30.0 in use by this "
        "process");
    assert_non_null(strstr(tt_error_message(),
        "raise accumulate, set recompute: layers, lower batch_size or train adapters "
        "(model.adapters.rank)"));
    // What comes next is as if nothing had happened.
    twin_ok(tt_device_alloc(gpu, &c, 9 * mib, 1, "c"));
    float one = 1;
    twin_ok(tt_device_upload(gpu, c, &one, sizeof one));
    twin_ok(gpu->ops->scale(gpu, (float *)c, 1, 2));
    twin_ok(tt_device_download(gpu, &one, c, sizeof one));
    assert_true(one == 2);
    tt_device_free(gpu, b), tt_device_free(gpu, c);
    // Scratch memory grows by a quarter more: 20 and then 30 MiB.
    assert_non_null(tt_device_scratch(gpu, 16 * mib));
    assert_non_null(tt_device_scratch(gpu, 24 * mib));
    // What a recording contains stays, so that there is no room.
    tt_recording *recording;
    twin_ok(tt_device_record(gpu));
    twin_ok(tt_device_zero(gpu, gpu->scratch, 4));
    twin_ok(tt_device_recorded(gpu, &recording));
    assert_null(tt_device_scratch(gpu, 31 * mib));
    twin_ok(tt_device_replay(gpu, recording));
    tt_recording_close(gpu, recording);
    assert_non_null(tt_device_scratch(gpu, 31 * mib));
    close_limited(gpu);
}

// Code of kernels, graphs and the library takes memory when it is first used: where the pool keeps all that is free, it is
// given back, and the second try succeeds.
enum { FULL = 256, KEPT = 64, LOAD = 1 }; // MiB: of the card, kept by the pool, of what is loaded
static void fill(tt_device *gpu, void *held[FULL]) {
    int n = 0;
    while (n < FULL && tt_device_alloc(gpu, &held[n], LOAD << 20, 1, "in use") == TT_OK) ++n;
    assert_in_range(n, KEPT + 1, FULL - 1);
    for (int i = n; i < FULL; ++i) held[i] = NULL;
    for (int i = 0; i < KEPT; ++i) tt_device_free(gpu, held[i]);
    twin_ok(tt_device_wait(gpu));
}

static void empty(tt_device *gpu, void *held[FULL]) {
    for (int i = KEPT; i < FULL; ++i) tt_device_free(gpu, held[i]);
}

static void code_on_a_full_card(void **state) {
    (void)state;
    setenv("CUSIM_GPU", "memory=262144 load=1024", 1);
    tt_device *gpu;
    void *held[FULL], *x;
    tt_recording *recording;
    float one = 1;
    twin_ok(tt_device_open(&gpu, "cuda", TT_FP32, 1));
    twin_ok(tt_device_alloc(gpu, &x, 4, sizeof one, "x"));
    twin_ok(tt_device_upload(gpu, x, &one, sizeof one));
    fill(gpu, held);
    twin_ok(gpu->ops->scale(gpu, (float *)x, 1, 2)); // a kernel
    empty(gpu, held);
    for (int i = 0; i < 2; ++i) { // the library with its workspace; then another choice
        const tt_gemm one_row = {.m = 1,
            .n = 1 + i,
            .k = 1,
            .alpha = 3,
            .a = x,
            .b = x,
            .c = (float *)x + 1,
            .lda = 1,
            .ldb = 1 + i,
            .ldc = 1 + i};
        if (i) twin_ok(tt_device_copy(gpu, (float *)x + 1, x, sizeof one));
        fill(gpu, held);
        twin_ok(gpu->ops->gemm(gpu, &one_row));
        empty(gpu, held);
    }
    twin_ok(tt_device_record(gpu));
    twin_ok(gpu->ops->scale(gpu, (float *)x, 1, 2));
    twin_ok(tt_device_recorded(gpu, &recording));
    fill(gpu, held);
    twin_ok(tt_device_replay(gpu, recording));
    twin_ok(tt_device_download(gpu, &one, x, sizeof one));
    assert_true(one == 4);
    tt_recording_close(gpu, recording);
    empty(gpu, held), tt_device_free(gpu, x);
    close_limited(gpu);
}

// A rank that fails while GPUs sum aborts the sum before it closes the device, which would wait for it for ever.
static void sums_are_aborted_first(void **state) {
    (void)state;
    setenv("CUSIM_NCCL_STALL", "1", 1);
    enum { ELEMENTS = 16 };
    tt_device *gpu;
    tt_comm *comm;
    float *g;
    twin_ok(tt_comm_open(&comm));
    twin_ok(tt_device_open(&gpu, "cuda", TT_FP32, 1));
    twin_ok(tt_nccl_open(&comm->nccl, comm));
    twin_ok(tt_device_alloc(gpu, &g, ELEMENTS, sizeof *g, "gradient"));
    tt_gradient_sum sum = {.comm = comm, .device = gpu, .g = g, .n = ELEMENTS, .left = ELEMENTS};
    setenv("TT_SUM_PIECE", "8", 1);
    twin_ok(tt_gradient_sum_ready(&sum, 8));
    twin_ok(tt_device_wait(gpu));
    tt_gradient_sum_close(&sum);
    tt_device_free(gpu, g);
    tt_device_close(gpu);
    unsetenv("TT_SUM_PIECE");
    unsetenv("CUSIM_NCCL_STALL");
    tt_comm_close(comm, TT_OK);
}

// ---- uploads

// Memory of the host belongs to the caller again when an upload returns. 4 MiB are pinned.
static void uploads_have_read(void **state) {
    (void)state;
    const size_t pinned = 4 << 20, sizes[] = {1, 100, pinned - 64, pinned - 1, pinned, pinned + 1, 2 * pinned,
                                       2 * pinned + 129};
    tt_device *gpu;
    twin_ok(tt_device_open(&gpu, "cuda", TT_FP32, 1));
    char *host = malloc(3 * pinned), *got = malloc(3 * pinned), *to;
    twin_ok(tt_device_alloc(gpu, &to, 3 * pinned, 1, "test"));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        for (int before = 0; before < 2; ++before) { // with a part of the pinned memory in use
            if (before) twin_ok(tt_device_upload(gpu, to, "x", 1));
            for (size_t j = 0; j < sizes[i]; ++j) host[j] = (char)(j * 7 + j / 4093 + i);
            twin_ok(tt_device_upload(gpu, to, host, sizes[i]));
            memset(host, 0x5a, sizes[i]);
            twin_ok(tt_device_download(gpu, got, to, sizes[i]));
            for (size_t j = 0; j < sizes[i]; ++j)
                if (got[j] != (char)(j * 7 + j / 4093 + i))
                    fail_msg("upload of %zu bytes: byte %zu: expected %d, got %d", sizes[i], j,
                        (char)(j * 7 + j / 4093 + i), got[j]);
        }
    // A replay would read the host's memory again.
    tt_recording *recording;
    twin_ok(tt_device_record(gpu));
    twin_refused(tt_device_upload(gpu, to, host, 8), TT_ERR_INTERNAL, "in a recording");
    twin_refused(tt_device_fetch(gpu, host, to, 8), TT_ERR_INTERNAL, "in a recording");
    twin_ok(tt_device_recorded(gpu, &recording));
    tt_recording_close(gpu, recording);
    tt_device_free(gpu, to);
    tt_device_close(gpu);
    free(host), free(got);
}

// ---- drivers and cards

static void refuses_to_open(const char *gpu, const char *part, const char *other) {
    setenv("CUSIM_GPU", gpu, 1);
    tt_device *device;
    twin_refused(tt_device_open(&device, "cuda", TT_FP32, 1), TT_ERR_UNSUPPORTED, part);
    if (!strstr(tt_error_message(), other)) fail_msg("'%s' is not in '%s'", other, tt_error_message());
    twin_ok(tt_device_open(&device, "auto", TT_FP32, 1));
    assert_string_equal(device->name, "cpu");
    tt_device_close(device);
    unsetenv("CUSIM_GPU");
}

static void drivers_and_cards(void **state) {
    (void)state;
    refuses_to_open("driver=0", "no NVIDIA driver is installed", "CUDA 13.0");
    refuses_to_open("driver=12040", "supports CUDA up to 12.4", "built with CUDA 13.0; update the driver");
    refuses_to_open("capability=75", "compute capability 7.5; 8.0 or later is needed", "GPU 0, cusim");
    refuses_to_open("code=0 capability=86", "no code for GPU 0", "-DTT_CUDA_ARCHITECTURES=86-real");
    setenv("CUDA_VISIBLE_DEVICES", "7", 1);
    setenv("CUSIM_DEVICES", "0", 1);
    refuses_to_open("", "none of CUDA_VISIBLE_DEVICES=7 exists", "no usable GPU");
    unsetenv("CUDA_VISIBLE_DEVICES");
    refuses_to_open("", "no usable GPU: none found", "device: auto or cpu");
    unsetenv("CUSIM_DEVICES");
    setenv("CUSIM_GPU", "capability=80 driver=13010", 1);
    tt_device *device;
    twin_ok(tt_device_open(&device, "cuda", TT_FP32, 1));
    tt_device_close(device);
    unsetenv("CUSIM_GPU");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(drivers_and_cards),
        cmocka_unit_test(products_are_refused), cmocka_unit_test(rows_share_a_choice),
        cmocka_unit_test(parts_are_added_in_fp32), cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(code_on_a_full_card), cmocka_unit_test(sums_are_aborted_first),
        cmocka_unit_test(uploads_have_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
