// The model against an independent T5 in float64: written from the papers' formulas, one sequence at a time,
// weights looked up by Hugging Face's names. Log-probabilities, and by central differences of the float64
// model the gradient of every tensor.
#include "tiny_t5.h"

#include <stdio.h>

typedef struct naive {
    const tt_model *model; // names, shapes, offsets
    const double *w;       // the weights in float64
} naive;

enum { MAX_ROWS = 32 };

TT_PRINTF(2, 3)
static const double *weight(const naive *m, const char *format, ...) {
    char name[128];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const tt_parameter *p = tt_model_find(m->model, name);
    if (!p) fail_msg("no parameter %s", name);
    return m->w + p->offset;
}

static double *matrix(int rows, int columns) {
    double *x = calloc((size_t)rows * (size_t)columns, sizeof *x);
    if (!x) fail_msg("out of memory");
    return x;
}

// y[rows, out] = x[rows, in] w[out, in]^T
static double *linear(const double *x, const double *w, int rows, int in, int out) {
    double *y = matrix(rows, out);
    for (int r = 0; r < rows; ++r)
        for (int o = 0; o < out; ++o)
            for (int i = 0; i < in; ++i) y[r * out + o] += x[r * in + i] * w[o * in + i];
    return y;
}

static double *rmsnorm(const naive *m, const double *x, const double *w, int rows) {
    const int d = m->model->config.d_model;
    double *y = matrix(rows, d);
    for (int r = 0; r < rows; ++r) {
        double square = 0;
        for (int c = 0; c < d; ++c) square += x[r * d + c] * x[r * d + c];
        const double scale = 1 / sqrt(square / d + (double)m->model->config.layer_norm_epsilon);
        for (int c = 0; c < d; ++c) y[r * d + c] = x[r * d + c] * scale * w[c];
    }
    return y;
}

// Raffel et al. 2020: buckets of exact distances, then logarithmically wider ones up to max_distance.
static int bucket_of(const tt_model_config *c, int key, int query, bool bidirectional) {
    int n = c->relative_attention_num_buckets, base = 0, distance = query - key;
    if (bidirectional) {
        n /= 2;
        if (key > query) base = n, distance = -distance;
    } else if (distance < 0) {
        distance = 0;
    }
    const int exact = n / 2;
    if (distance < exact) return base + distance;
    int bucket = exact;
    while (bucket < n - 1 && distance >= exact * pow((double)c->relative_attention_max_distance / exact,
                                                     (double)(bucket + 1 - exact) / (n - exact)) -
                                             1e-9)
        ++bucket;
    return base + bucket;
}

// softmax(q k^T + bias) v, head by head, then the output projection. `bias` NULL: cross-attention.
static double *attention(const naive *m, const char *at, const double *queries, int rows, const double *keys,
    int key_rows, const double *bias, bool causal) {
    const tt_model_config *c = &m->model->config;
    const int d = c->d_model, inner = c->num_heads * c->d_kv;
    double *q = linear(queries, weight(m, "%s.q.weight", at), rows, d, inner);
    double *k = linear(keys, weight(m, "%s.k.weight", at), key_rows, d, inner);
    double *v = linear(keys, weight(m, "%s.v.weight", at), key_rows, d, inner);
    double *mixed = matrix(rows, inner), p[MAX_ROWS];
    for (int h = 0; h < c->num_heads; ++h)
        for (int i = 0; i < rows; ++i) {
            const int seen = causal ? i + 1 : key_rows;
            double sum = 0;
            for (int j = 0; j < seen; ++j) {
                double score = bias ? bias[bucket_of(c, j, i, !causal) * c->num_heads + h] : 0;
                for (int x = 0; x < c->d_kv; ++x)
                    score += q[i * inner + h * c->d_kv + x] * k[j * inner + h * c->d_kv + x];
                sum += p[j] = exp(score);
            }
            for (int j = 0; j < seen; ++j)
                for (int x = 0; x < c->d_kv; ++x)
                    mixed[i * inner + h * c->d_kv + x] += p[j] / sum * v[j * inner + h * c->d_kv + x];
        }
    double *out = linear(mixed, weight(m, "%s.o.weight", at), rows, inner, d);
    free(q), free(k), free(v), free(mixed);
    return out;
}

static double *feed_forward(const naive *m, const char *at, const double *x, int rows) {
    const tt_model_config *c = &m->model->config;
    double *h = linear(x, weight(m, c->activation == TT_GATED_GELU ? "%s.wi_0.weight" : "%s.wi.weight", at),
        rows, c->d_model, c->d_ff);
    double *gate = c->activation == TT_GATED_GELU
                       ? linear(x, weight(m, "%s.wi_1.weight", at), rows, c->d_model, c->d_ff)
                       : NULL;
    for (int i = 0; i < rows * c->d_ff; ++i)
        h[i] = gate
                   ? gate[i] * 0.5 * h[i] *
                         (1 + tanh(sqrt(2 / 3.14159265358979323846) * (h[i] + 0.044715 * h[i] * h[i] * h[i])))
                   : fmax(h[i], 0);
    double *y = linear(h, weight(m, "%s.wo.weight", at), rows, c->d_ff, c->d_model);
    free(h), free(gate);
    return y;
}

static void add(double *x, double *branch, size_t n) {
    for (size_t i = 0; i < n; ++i) x[i] += branch[i];
    free(branch);
}

// The decoder if `encoded` is given.
static double *stack(const naive *m, const int32_t *ids, int rows, const double *encoded, int encoded_rows) {
    const tt_model_config *c = &m->model->config;
    const char *side = encoded ? "decoder" : "encoder";
    const int d = c->d_model, layers = encoded ? c->num_decoder_layers : c->num_layers;
    const size_t n = (size_t)rows * (size_t)d;
    const double *shared = weight(m, "shared.weight");
    const double *bias = weight(m, "%s.block.0.layer.0.SelfAttention.relative_attention_bias.weight", side);
    double *x = matrix(rows, d), *y;
    for (int r = 0; r < rows; ++r) memcpy(x + r * d, shared + ids[r] * d, (size_t)d * sizeof *x);
    for (int l = 0; l < layers; ++l) {
        char at[96];
        int sub = 0;
        y = rmsnorm(m, x, weight(m, "%s.block.%d.layer.0.layer_norm.weight", side, l), rows);
        snprintf(at, sizeof at, "%s.block.%d.layer.%d.SelfAttention", side, l, sub++);
        add(x, attention(m, at, y, rows, y, rows, bias, encoded != NULL), n);
        free(y);
        if (encoded) {
            y = rmsnorm(m, x, weight(m, "%s.block.%d.layer.1.layer_norm.weight", side, l), rows);
            snprintf(at, sizeof at, "%s.block.%d.layer.%d.EncDecAttention", side, l, sub++);
            add(x, attention(m, at, y, rows, encoded, encoded_rows, NULL, false), n);
            free(y);
        }
        y = rmsnorm(m, x, weight(m, "%s.block.%d.layer.%d.layer_norm.weight", side, l, sub), rows);
        snprintf(at, sizeof at, "%s.block.%d.layer.%d.DenseReluDense", side, l, sub);
        add(x, feed_forward(m, at, y, rows), n);
        free(y);
    }
    y = rmsnorm(m, x, weight(m, "%s.final_layer_norm.weight", side), rows);
    free(x);
    return y;
}

static void naive_logp(const naive *m, const tt_batch *batch, double *logp) {
    const tt_model_config *c = &m->model->config;
    const double *head = weight(m, c->tie_word_embeddings ? "shared.weight" : "lm_head.weight");
    const double scale = c->scale_decoder_outputs ? 1 / sqrt(c->d_model) : 1;
    for (int i = 0; i < batch->dec_seqs; ++i) {
        const int s = batch->dec_source[i], enc = batch->enc_offsets[s], dec = batch->dec_offsets[i];
        const int enc_rows = batch->enc_offsets[s + 1] - enc, rows = batch->dec_offsets[i + 1] - dec;
        double *encoded = stack(m, batch->enc_ids + enc, enc_rows, NULL, 0);
        double *h = stack(m, batch->dec_ids + dec, rows, encoded, enc_rows);
        double *logits = linear(h, head, rows, c->d_model, c->vocab_size);
        for (int t = 0; t < rows; ++t) {
            double sum = 0;
            for (int v = 0; v < c->vocab_size; ++v) sum += exp(scale * logits[t * c->vocab_size + v]);
            logp[dec + t] = scale * logits[t * c->vocab_size + batch->dec_targets[dec + t]] - log(sum);
        }
        free(encoded), free(h), free(logits);
    }
}

static double naive_loss(const naive *m, const tiny *f) {
    double logp[TINY_TOKENS], sum = 0;
    naive_logp(m, &f->batch, logp);
    for (int t = 0; t < f->batch.dec_tokens; ++t) sum += (double)f->dlogp[t] * logp[t];
    return sum;
}

// T5 1.0, T5 1.1, and all mixtures of what they differ in.
enum { STYLES = 8 };
static tt_model_config style(int i) {
    tt_model_config c = i & 1 ? tiny_1_1() : tiny_1_0;
    if (i & 2) c.tie_word_embeddings = !c.tie_word_embeddings;
    if (i & 4) c.scale_decoder_outputs = !c.scale_decoder_outputs;
    return c;
}

static double *in_float64(const tt_model *model) {
    double *w = matrix(1, (int)model->size);
    for (size_t i = 0; i < model->size; ++i) w[i] = (double)model->w[i];
    return w;
}

static void log_probabilities_agree(void **state) {
    (void)state;
    for (int i = 0; i < STYLES; ++i) {
        const tt_model_config c = style(i);
        tiny f;
        tiny_open(&f, &c);
        double *w = in_float64(f.model), want[TINY_TOKENS];
        naive_logp(&(naive){f.model, w}, &f.batch, want);
        OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, f.logp)); // without gradients: memory is shared
        float kept[TINY_TOKENS];
        OK(tt_model_train(f.model));
        OK(tt_forward(f.pass, &f.batch, (tt_dropout_key){0}, kept));
        for (int t = 0; t < f.batch.dec_tokens; ++t) {
            if (!(fabs(f.logp[t] - want[t]) <= 1e-5 * fabs(want[t])))
                fail_msg("style %d, token %d: %.9g, in float64 %.9g", i, t, (double)f.logp[t], want[t]);
            if (!(kept[t] == f.logp[t]))
                fail_msg(
                    "style %d, token %d: %.9g, for backward %.9g", i, t, (double)f.logp[t], (double)kept[t]);
        }
        free(w);
        tiny_close(&f);
    }
}

// Along a random direction u within the tensor: g . u against a central difference in float64 (step 1e-5: its
// own error is near 1e-9). What remains is the rounding of fp32, relative to |g|.
static void expect_gradient(const tiny *f, double *w, const tt_parameter *at, uint32_t key) {
    const naive m = {f->model, w};
    const size_t n = (size_t)at->rows * (size_t)at->columns;
    double *u = matrix(at->rows, at->columns), size = 0, dot = 0, square = 0, side[2];
    tt_rng rng;
    tt_rng_open(&rng, 11, TT_FOR_TEST, at->offset, key);
    for (size_t j = 0; j < n; ++j) size += pow(u[j] = tt_rng_normal(&rng), 2);
    for (size_t j = 0; j < n; ++j) {
        const double g = (double)f->model->g[at->offset + j];
        dot += g * (u[j] /= sqrt(size));
        square += g * g;
    }
    const double step = 1e-5;
    for (int s = 0; s < 2; ++s) {
        for (size_t j = 0; j < n; ++j) w[at->offset + j] += (s ? step : -step) * u[j];
        side[s] = naive_loss(&m, f);
        for (size_t j = 0; j < n; ++j) w[at->offset + j] = (double)f->model->w[at->offset + j];
    }
    const double numeric = (side[1] - side[0]) / (2 * step);
    if (!(sqrt(square) > 1e-4 && fabs(dot - numeric) <= 1e-5 * sqrt(square)))
        fail_msg("style %u, %s: %.9g, in float64 %.9g, |gradient| %.6g", key, at->name, dot, numeric,
            sqrt(square));
    free(u);
}

static void gradients_agree(void **state) {
    (void)state;
    for (int i = 0; i < STYLES; ++i) {
        const tt_model_config c = style(i);
        tiny f;
        tiny_open(&f, &c);
        OK(tt_model_train(f.model));
        OK(tt_forward_backward(f.pass, &f.batch, (tt_dropout_key){0}, f.dlogp, f.logp));
        double *w = in_float64(f.model);
        for (int p = 0; p < f.model->n_parameters; ++p)
            expect_gradient(&f, w, &f.model->parameters[p], (uint32_t)i);
        free(w);
        tiny_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_probabilities_agree),
        cmocka_unit_test(gradients_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
