// The feed-forward's activation with its dropout. gelu_new(x) = x (1 + tanh(u)) / 2 with
// u = sqrt(2/pi) (x + 0.044715 x^3) (Hendrycks, Gimpel 2016) is x sigmoid(2u), which is exact in both tails.
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/operand.h"

#define GELU_C 1.5957691216f // 2 sqrt(2/pi)
#define GELU_A 0.044715f

TT_MULTIVERSION(void, relu_forward, (int n, float *a, const float *h), (n, a, h)) {
#pragma omp simd
    for (int c = 0; c < n; ++c) a[c] = h[c] < 0 ? 0 : h[c]; // NaN passes
}

TT_MULTIVERSION(void, relu_backward, (int n, float *dh, const uint8_t *mask, const float *da, float kept),
    (n, dh, mask, da, kept)) {
    for (int c = 0; c < n; c += 8) {
        const int bits = mask[c / 8], rest = n - c < 8 ? n - c : 8;
#pragma omp simd
        for (int i = 0; i < rest; ++i) dh[c + i] = bits >> i & 1 ? da[c + i] * kept : 0;
    }
}

TT_MULTIVERSION(
    void, gelu_forward, (int n, float *a, const float *h, const float *linear), (n, a, h, linear)) {
#pragma omp simd
    for (int c = 0; c < n; ++c) {
        float x = h[c];
        a[c] = x * tt_sigmoidf(GELU_C * x * (1.0f + GELU_A * x * x)) * linear[c];
    }
}

TT_MULTIVERSION(void, gelu_backward,
    (int n, float *dh, float *dlinear, const float *h, const float *linear, const float *da),
    (n, dh, dlinear, h, linear, da)) {
#pragma omp simd
    for (int c = 0; c < n; ++c) {
        float x = h[c], l = linear[c], g = da[c];
        float s = tt_sigmoidf(GELU_C * x * (1.0f + GELU_A * x * x));
        float slope = s + x * s * (1.0f - s) * GELU_C * (1.0f + 3.0f * GELU_A * x * x);
        dh[c] = g * l * slope;
        dlinear[c] = g * x * s;
    }
}

static tt_status check_ffn(const tt_ffn *p, const char *op) {
    if (p->rows < 0 || p->f < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d, expected rows >= 0 and f >= 1", op, p->rows, p->f);
    if (p->activation != TT_RELU && p->activation != TT_GATED_GELU)
        return tt_fail(TT_ERR_INPUT, "%s: unknown activation %d", op, (int)p->activation);
    return tt_dropout_check(&p->drop, op);
}

TT_MULTIVERSION(void, multiply_by, (int n, float *x, const float *y), (n, x, y)) {
#pragma omp simd
    for (int c = 0; c < n; ++c) x[c] *= y[c];
}

static void write_mask(uint8_t *mask, const float *a, int n) {
    for (int c = 0; c < n; c += 8) {
        int bits = 0;
        for (int i = 0; i < 8 && c + i < n; ++i) bits |= !(a[c + i] <= 0) << i;
        mask[c / 8] = (uint8_t)bits;
    }
}

// Elements from .. from + n - 1 of row t, of at most TT_DROPOUT_TILE.
static void forward_tile(const tt_ffn *p, bool narrow, int t, int from, int n) {
    const size_t f = (size_t)p->f, at = (size_t)t * f + (size_t)from;
    float space[TT_DROPOUT_TILE], h_space[TT_DROPOUT_TILE], linear_space[TT_DROPOUT_TILE];
    float *a = tt_target(narrow, p->a, at, space);
    if (p->activation == TT_RELU) {
        relu_forward(n, a, tt_load(narrow, p->h, at, n, h_space));
    } else {
        const size_t h = at + (size_t)t * f;
        gelu_forward(
            n, a, tt_load(narrow, p->h, h, n, h_space), tt_load(narrow, p->h, h + f, n, linear_space));
    }
    if (p->drop.p > 0) {
        float kept[TT_DROPOUT_TILE];
        tt_dropout_factors(&p->drop, p->drop.site, t, from, n, kept);
        multiply_by(n, a, kept);
    }
    if (p->mask && p->activation == TT_RELU)
        write_mask(p->mask + (size_t)t * (size_t)tt_mask_bytes(p->f) + from / 8, a, n);
    tt_store(narrow, p->a, at, n, a);
}

static void backward_tile(const tt_ffn *p, bool narrow, int t, int from, int n) {
    const size_t f = (size_t)p->f, at = (size_t)t * f + (size_t)from;
    float da_space[TT_DROPOUT_TILE], space[TT_DROPOUT_TILE];
    const float *da = tt_load(narrow, p->da, at, n, da_space);
    if (p->activation == TT_RELU) {
        const uint8_t *mask = p->mask + (size_t)t * (size_t)tt_mask_bytes(p->f) + from / 8;
        float *dh = tt_target(narrow, p->dh, at, space);
        relu_backward(n, dh, mask, da, 1.0f / (1.0f - p->drop.p));
        tt_store(narrow, p->dh, at, n, dh);
        return;
    }
    float dropped[TT_DROPOUT_TILE];
    if (p->drop.p > 0) {
        tt_dropout_factors(&p->drop, p->drop.site, t, from, n, dropped);
        multiply_by(n, dropped, da);
        da = dropped;
    }
    const size_t h = at + (size_t)t * f;
    float h_space[TT_DROPOUT_TILE], linear_space[TT_DROPOUT_TILE], dlinear_space[TT_DROPOUT_TILE];
    float *dh = tt_target(narrow, p->dh, h, space), *dlinear = tt_target(narrow, p->dh, h + f, dlinear_space);
    gelu_backward(n, dh, dlinear, tt_load(narrow, p->h, h, n, h_space),
        tt_load(narrow, p->h, h + f, n, linear_space), da);
    tt_store(narrow, p->dh, h, n, dh);
    tt_store(narrow, p->dh, h + f, n, dlinear);
}

static void run_tiles(
    tt_device *device, const tt_ffn *p, void (*run)(const tt_ffn *, bool, int t, int from, int n)) {
    const bool narrow = tt_narrow(device);
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int t = 0; t < p->rows; ++t)
        for (int from = 0; from < p->f; from += TT_DROPOUT_TILE)
            run(p, narrow, t, from, p->f - from < TT_DROPOUT_TILE ? p->f - from : TT_DROPOUT_TILE);
}

tt_status tt_cpu_ffn_fwd(tt_device *device, const tt_ffn *p) {
    TT_TRY(check_ffn(p, "ffn_fwd"));
    run_tiles(device, p, forward_tile);
    return TT_OK;
}

tt_status tt_cpu_ffn_bwd(tt_device *device, const tt_ffn *p) {
    TT_TRY(check_ffn(p, "ffn_bwd"));
    if (p->activation == TT_RELU && !p->mask)
        return tt_fail(TT_ERR_INPUT, "ffn_bwd: ReLU needs the mask that forward wrote");
    run_tiles(device, p, backward_tile);
    return TT_OK;
}
