// Checkpoints as HDF5.
#include "host/model/checkpoint.h"

#include "host/base/str.h"
#include "host/data/hdf5_file.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FORMAT = 1 };

// The configuration's integers and reals under Hugging Face's names.
#define INTEGERS(X)                                                                                          \
    X(vocab_size)                                                                                            \
    X(d_model)                                                                                               \
    X(d_kv)                                                                                                  \
    X(d_ff)                                                                                                  \
    X(num_layers)                                                                                            \
    X(num_decoder_layers)                                                                                    \
    X(num_heads)                                                                                             \
    X(relative_attention_num_buckets)                                                                        \
    X(relative_attention_max_distance)                                                                       \
    X(gated_gelu)                                                                                            \
    X(tie_word_embeddings)
#define REALS(X)                                                                                             \
    X(dropout_rate)                                                                                          \
    X(layer_norm_epsilon)                                                                                    \
    X(initializer_factor)

static tt_status put_config(const tt_h5 *h, const tt_model_config *c) {
#define PUT(name) TT_TRY(tt_h5_put_i64(h, "/model", #name, (int64_t)c->name));
    INTEGERS(PUT)
#undef PUT
#define PUT(name) TT_TRY(tt_h5_put_f64(h, "/model", #name, (double)c->name));
    REALS(PUT)
#undef PUT
    return TT_OK;
}

static tt_status get_config(const tt_h5 *h, tt_model_config *c) {
    int64_t integer;
    double real;
#define GET(name)                                                                                            \
    TT_TRY(tt_h5_get_i64(h, "/model", #name, &integer));                                                     \
    c->name = integer > 0x7fffffff ? -1 : (int)integer;
    *c = (tt_model_config){0};
    INTEGERS(GET)
#undef GET
#define GET(name)                                                                                            \
    TT_TRY(tt_h5_get_f64(h, "/model", #name, &real));                                                        \
    c->name = (float)real;
    REALS(GET)
#undef GET
    tt_status status = tt_model_config_check(c);
    return status == TT_OK ? TT_OK : tt_context(TT_ERR_FORMAT, "%s", h->path);
}

static tt_status put_weights(const tt_h5 *h, const tt_model *model, bool bf16) {
    float *w;
    uint16_t *half = NULL;
    tt_status status;
    TT_TRY(tt_alloc(&w, model->size, sizeof *w, "checkpoint"));
    TT_TRY_GOTO(status, tt_alloc(&half, bf16 ? model->size : 0, sizeof *half, "checkpoint"), done);
    TT_TRY_GOTO(status, tt_device_download(model->device, w, model->w, model->size * sizeof *w), done);
    if (bf16) TT_TRY_GOTO(status, tt_cpu_ops()->to_bf16(model->device, half, w, (int64_t)model->size), done);
    for (int i = 0; i < model->n_parameters; ++i) {
        const tt_parameter *p = &model->parameters[i];
        char name[128];
        snprintf(name, sizeof name, "/model/%s", p->name);
        const size_t rows = (size_t)(p->rows > 1 ? p->rows : p->columns),
                     columns = p->rows > 1 ? (size_t)p->columns : 0;
        status = bf16 ? tt_h5_write(h, name, H5T_NATIVE_UINT16, half + p->offset, rows, columns)
                      : tt_h5_write(h, name, H5T_NATIVE_FLOAT, w + p->offset, rows, columns);
        if (status != TT_OK) goto done;
    }
    status = tt_h5_put_text(h, "/model", "dtype", bf16 ? "bf16" : "fp32");
done:
    free(half);
    free(w);
    return status;
}

static tt_status put_moment(const tt_h5 *h, const tt_model *model, const char *name, const float *moment) {
    float *host;
    TT_TRY(tt_alloc(&host, model->size, sizeof *host, "checkpoint"));
    tt_status status = tt_device_download(model->device, host, moment, model->size * sizeof *host);
    if (status == TT_OK) status = tt_h5_write(h, name, H5T_NATIVE_FLOAT, host, model->size, 0);
    free(host);
    return status;
}

static tt_status put_all(const tt_h5 *h, const tt_checkpoint_write *what) {
    TT_TRY(tt_h5_put_i64(h, "/", "format", FORMAT));
    TT_TRY(tt_h5_group(h, "/model"));
    TT_TRY(put_config(h, &what->model->config));
    TT_TRY(put_weights(h, what->model, what->bf16));
    size_t n;
    const void *bytes = tt_tokenizer_bytes(what->tokenizer, &n);
    TT_TRY(tt_h5_write(h, "/tokenizer", H5T_NATIVE_UINT8, bytes, n, 0));
    TT_TRY(tt_h5_put_i64(h, "/tokenizer", "extra_ids", tt_tokenizer_extra_ids(what->tokenizer)));
    if (what->m) TT_TRY(put_moment(h, what->model, "/optimizer/m", what->m));
    if (what->v) TT_TRY(put_moment(h, what->model, "/optimizer/v", what->v));
    // A data set, since attributes are limited to 64 KiB.
    if (what->state) TT_TRY(tt_h5_write_texts(h, "/state", &what->state, 1));
    return TT_OK;
}

tt_status tt_checkpoint_save(const char *path, const tt_checkpoint_write *what) {
    tt_h5 h;
    TT_TRY(tt_h5_create(&h, path, "checkpoint"));
    tt_status status = put_all(&h, what);
    if (status != TT_OK) {
        tt_h5_close(&h);
        return status;
    }
    return tt_h5_commit(&h);
}

static tt_status get_parameter(const tt_h5 *h, const tt_model *model, const tt_parameter *p, bool bf16,
    float *w, uint16_t *half, uint64_t *hash) {
    char name[128];
    snprintf(name, sizeof name, "/model/%s", p->name);
    const size_t n = (size_t)p->rows * (size_t)p->columns;
    const size_t rows = (size_t)(p->rows > 1 ? p->rows : p->columns),
                 columns = p->rows > 1 ? (size_t)p->columns : 0;
    if (bf16) {
        TT_TRY(tt_h5_read(h, name, H5T_NATIVE_UINT16, half, rows, columns));
        TT_TRY(tt_cpu_ops()->from_bf16(model->device, w, half, (int64_t)n));
    } else {
        TT_TRY(tt_h5_read(h, name, H5T_NATIVE_FLOAT, w, rows, columns));
    }
    for (size_t i = 0; i < n; ++i)
        if (!isfinite(w[i]))
            return tt_fail(
                TT_ERR_FORMAT, "%s: %s holds %g at element %zu", h->path, p->name, (double)w[i], i);
    *hash = (*hash ^ tt_hash(w, n * sizeof *w)) * 0x9E3779B97F4A7C15ull;
    return TT_OK;
}

static tt_status get_weights(const tt_h5 *h, tt_model *model, uint64_t *hash) {
    char *dtype;
    TT_TRY(tt_h5_get_text(h, "/model", "dtype", &dtype));
    const bool bf16 = dtype[0] == 'b';
    free(dtype);
    float *w;
    uint16_t *half = NULL;
    tt_status status;
    TT_TRY(tt_alloc(&w, model->size, sizeof *w, "weights"));
    TT_TRY_GOTO(status, tt_alloc(&half, bf16 ? model->size : 0, sizeof *half, "weights"), done);
    for (int i = 0; i < model->n_parameters; ++i) {
        const tt_parameter *p = &model->parameters[i];
        TT_TRY_GOTO(status, get_parameter(h, model, p, bf16, w + p->offset, half, hash), done);
    }
    status = tt_device_upload(model->device, model->w, w, model->size * sizeof *w);
done:
    free(half);
    free(w);
    return status;
}

static tt_status get_moment(const tt_h5 *h, const tt_model *model, const char *name, float **moment) {
    if (!tt_h5_has(h, name)) return TT_OK;
    float *host;
    TT_TRY(tt_alloc(&host, model->size, sizeof *host, "optimizer state"));
    tt_status status = tt_h5_read(h, name, H5T_NATIVE_FLOAT, host, model->size, 0);
    if (status == TT_OK)
        status = tt_device_alloc(model->device, moment, model->size, sizeof *host, "optimizer state");
    if (status == TT_OK) status = tt_device_upload(model->device, *moment, host, model->size * sizeof *host);
    free(host);
    return status;
}

static tt_status get_tokenizer(const tt_h5 *h, tt_tokenizer **out) {
    size_t n, columns;
    int64_t extra_ids;
    unsigned char *bytes;
    TT_TRY(tt_h5_shape(h, "/tokenizer", &n, &columns));
    TT_TRY(tt_h5_get_i64(h, "/tokenizer", "extra_ids", &extra_ids));
    TT_TRY(tt_alloc(&bytes, n, 1, "tokenizer"));
    tt_status status = tt_h5_read(h, "/tokenizer", H5T_NATIVE_UINT8, bytes, n, 0);
    if (status == TT_OK) {
        status = tt_tokenizer_parse(out, bytes, n, (int)extra_ids);
        if (status != TT_OK) tt_context(status, "%s: /tokenizer", h->path);
    }
    free(bytes);
    return status;
}

static tt_status get_all(const tt_h5 *h, tt_checkpoint *out, tt_device *device) {
    int64_t format;
    TT_TRY(tt_h5_get_i64(h, "/", "format", &format));
    if (format != FORMAT)
        return tt_fail(TT_ERR_FORMAT, "%s: checkpoint format %lld, this program reads %d", h->path,
            (long long)format, FORMAT);
    tt_model_config config;
    TT_TRY(get_config(h, &config));
    TT_TRY(tt_model_open(&out->model, &config, device));
    TT_TRY(get_weights(h, out->model, &out->hash));
    TT_TRY(get_tokenizer(h, &out->tokenizer));
    if (tt_tokenizer_size(out->tokenizer) > config.vocab_size)
        return tt_fail(TT_ERR_FORMAT, "%s: the tokenizer has %d ids, the model's vocabulary %d", h->path,
            tt_tokenizer_size(out->tokenizer), config.vocab_size);
    TT_TRY(get_moment(h, out->model, "/optimizer/m", &out->m));
    TT_TRY(get_moment(h, out->model, "/optimizer/v", &out->v));
    if (!tt_h5_has(h, "/state")) return TT_OK;
    char **texts;
    size_t n;
    TT_TRY(tt_h5_read_texts(h, "/state", &texts, &n));
    tt_status status = n == 1 ? tt_strdup(&out->state, texts[0])
                              : tt_fail(TT_ERR_FORMAT, "%s: /state has %zu texts, expected 1", h->path, n);
    free(texts);
    return status;
}

tt_status tt_checkpoint_load(tt_checkpoint *out, const char *path, tt_device *device) {
    *out = (tt_checkpoint){0};
    tt_h5 h;
    TT_TRY(tt_h5_open(&h, path, "checkpoint"));
    tt_status status = get_all(&h, out, device);
    tt_h5_close(&h);
    if (status != TT_OK) tt_checkpoint_close(out);
    return status;
}

void tt_checkpoint_close(tt_checkpoint *c) {
    if (c->model) {
        tt_device_free(c->model->device, c->m);
        tt_device_free(c->model->device, c->v);
    }
    tt_model_close(c->model);
    tt_tokenizer_close(c->tokenizer);
    free(c->state);
    *c = (tt_checkpoint){0};
}
