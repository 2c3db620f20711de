// Checkpoints as HDF5.
#include "host/model/checkpoint.h"

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/str.h"
#include "host/data/hdf5_file.h"
#include "host/data/renew.h"
#include "kernels/bf16.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 2, FORMAT_ADAPTED = 3 };
static const char SCALE[] = "scale_decoder_outputs", ADDED[] = "/added_tokens";

// The configuration's integers and reals under Hugging Face's names, each with its field. A file's
// "gated_gelu" is the value of tt_activation: 0 or 1.
#define INTEGERS(X)                                                                                          \
    X("vocab_size", vocab_size)                                                                              \
    X("d_model", d_model)                                                                                    \
    X("d_kv", d_kv)                                                                                          \
    X("d_ff", d_ff)                                                                                          \
    X("num_layers", num_layers)                                                                              \
    X("num_decoder_layers", num_decoder_layers)                                                              \
    X("num_heads", num_heads)                                                                                \
    X("relative_attention_num_buckets", relative_attention_num_buckets)                                      \
    X("relative_attention_max_distance", relative_attention_max_distance)                                    \
    X("gated_gelu", activation)                                                                              \
    X("tie_word_embeddings", tie_word_embeddings)
#define REALS(X)                                                                                             \
    X("dropout_rate", dropout_rate)                                                                          \
    X("layer_norm_epsilon", layer_norm_epsilon)                                                              \
    X("initializer_factor", initializer_factor)
static_assert(TT_RELU == 0 && TT_GATED_GELU == 1, "the values are written to checkpoints");

static tt_status put_config(const tt_h5 *h, const tt_model_config *c) {
#define PUT(name, field) TT_TRY(tt_h5_put_i64(h, "/model", name, (int64_t)c->field));
    INTEGERS(PUT)
#undef PUT
#define PUT(name, field) TT_TRY(tt_h5_put_f64(h, "/model", name, (double)c->field));
    REALS(PUT)
#undef PUT
    if (c->scale_decoder_outputs == c->tie_word_embeddings) return TT_OK;
    return tt_h5_put_i64(h, "/model", SCALE, c->scale_decoder_outputs);
}

static tt_status get_config(const tt_h5 *h, tt_model_config *c) {
    int64_t integer;
    double real;
#define GET(name, field)                                                                                     \
    TT_TRY(tt_h5_get_i64(h, "/model", name, &integer));                                                      \
    c->field = integer < 0 || integer > INT32_MAX ? -1 : (int)integer;
    *c = (tt_model_config){0};
    INTEGERS(GET)
#undef GET
    c->scale_decoder_outputs = c->tie_word_embeddings; // where the file does not say it
    if (tt_h5_has_attribute(h, "/model", SCALE)) {
        TT_TRY(tt_h5_get_i64(h, "/model", SCALE, &integer));
        c->scale_decoder_outputs = integer != 0;
    }
#define GET(name, field)                                                                                     \
    TT_TRY(tt_h5_get_f64(h, "/model", name, &real));                                                         \
    c->field = (float)real;
    REALS(GET)
#undef GET
    tt_status status = tt_model_config_check(c);
    return status == TT_OK ? TT_OK : tt_context(TT_ERR_FORMAT, "%s", h->path);
}

// Weights of a device pass through host memory tensor by tensor, so that no second copy of the whole model is needed.
typedef struct staging {
    float *w;       // NULL where the device's memory is the host's
    uint16_t *half; // NULL for fp32
} staging;

static void staging_close(staging *s) {
    free(s->w);
    free(s->half);
}

static tt_status staging_open(staging *s, const tt_model *model, bool bf16) {
    size_t largest = 0;
    for (int i = 0; i < model->n_parameters; ++i) {
        const size_t n = (size_t)model->parameters[i].rows * (size_t)model->parameters[i].columns;
        if (n > largest) largest = n;
    }
    *s = (staging){0};
    tt_status status = TT_OK;
    if (!tt_device_is_host(model->device)) status = tt_alloc(&s->w, largest, sizeof *s->w, "checkpoint");
    if (status == TT_OK && bf16) status = tt_alloc(&s->half, largest, sizeof *s->half, "checkpoint");
    if (status != TT_OK) staging_close(s);
    return status;
}

// *out: where the host has the parameter's n weights.
static tt_status weights_at(
    const tt_model *model, const tt_parameter *p, size_t n, const staging *s, const float **out) {
    *out = s->w ? s->w : model->w + p->offset;
    return s->w ? tt_device_download(model->device, s->w, model->w + p->offset, n * sizeof *s->w) : TT_OK;
}

// A parameter as a data set: name, elements, and shape (a vector has columns 0).
typedef struct data_set {
    char name[128];
    size_t n, rows, columns;
} data_set;

static data_set data_set_of(const tt_parameter *p) {
    data_set d = {.n = (size_t)p->rows * (size_t)p->columns};
    snprintf(d.name, sizeof d.name, "/model/%s", p->name);
    d.rows = (size_t)(p->rows > 1 ? p->rows : p->columns);
    d.columns = p->rows > 1 ? (size_t)p->columns : 0;
    return d;
}

static tt_status check_finite(const tt_h5 *h, const tt_parameter *p, const float *w, tt_status failure) {
    const size_t n = (size_t)p->rows * (size_t)p->columns;
    const size_t i = tt_find_not_finite(w, n);
    if (i == n) return TT_OK;
    return tt_fail(failure, "%s: %s contains %g at element %zu", h->path, p->name, (double)w[i], i);
}

static tt_status put_parameter(const tt_h5 *h, const tt_model *model, const tt_parameter *p, staging *s) {
    const data_set d = data_set_of(p);
    const float *w;
    TT_TRY(weights_at(model, p, d.n, s, &w));
    TT_TRY(check_finite(h, p, w, TT_ERR_NUMERIC));
    if (!s->half) return tt_h5_write(h, d.name, (tt_h5_layout){H5T_NATIVE_FLOAT, d.rows, d.columns}, w);
    tt_bf16_from_float((int64_t)d.n, s->half, w);
    return tt_h5_write(h, d.name, (tt_h5_layout){H5T_NATIVE_UINT16, d.rows, d.columns}, s->half);
}

static tt_status put_weights(const tt_h5 *h, const tt_model *model, bool bf16) {
    staging s;
    TT_TRY(staging_open(&s, model, bf16));
    tt_status status = tt_h5_put_text(h, "/model", "dtype", bf16 ? "bf16" : "fp32");
    for (int i = 0; i < model->n_parameters && status == TT_OK; ++i)
        status = put_parameter(h, model, &model->parameters[i], &s);
    staging_close(&s);
    return status;
}

static const char *const moment_names[TT_MOMENTS] = {"/optimizer/m", "/optimizer/v"};

typedef struct moment_reader {
    tt_moment_source source;
    tt_moment which;
} moment_reader;

static tt_status read_moment(void *self, size_t from, size_t n, void *data) {
    const moment_reader *r = self;
    return r->source.read(r->source.self, r->which, from, n, data);
}

static tt_status put_moments(const tt_h5 *h, const tt_checkpoint_write *what) {
    for (int i = 0; i < TT_MOMENTS; ++i) {
        moment_reader reader = {what->moments, (tt_moment)i};
        TT_TRY(tt_h5_write_pieces(h, moment_names[i], H5T_NATIVE_FLOAT, tt_model_trained(what->model).size,
            (tt_h5_pieces){&reader, read_moment}));
    }
    return TT_OK;
}

// The tokens that were added to the tokenizer's file, as JSON.
static tt_status put_added(const tt_h5 *h, const char *json) {
    return json ? tt_h5_write(h, ADDED, (tt_h5_layout){H5T_NATIVE_UINT8, strlen(json), 0}, json) : TT_OK;
}

static tt_status put_all(const tt_h5 *h, const tt_checkpoint_write *what) {
    TT_TRY(tt_h5_put_i64(h, "/", "format", what->adapted ? FORMAT_ADAPTED : FORMAT));
    TT_TRY(tt_h5_group(h, "/model"));
    TT_TRY(put_config(h, &what->model->config));
    if (what->adapted)
        TT_TRY(tt_adapted_write(h, what->adapted, what->model));
    else
        TT_TRY(put_weights(h, what->model, what->bf16));
    size_t n;
    const void *bytes = tt_tokenizer_bytes(what->tokenizer, &n);
    TT_TRY(tt_h5_write(h, "/tokenizer", (tt_h5_layout){H5T_NATIVE_UINT8, n, 0}, bytes));
    TT_TRY(tt_h5_put_i64(h, "/tokenizer", "extra_ids", tt_tokenizer_extra_ids(what->tokenizer)));
    TT_TRY(put_added(h, tt_tokenizer_added(what->tokenizer)));
    if (what->moments.read) TT_TRY(put_moments(h, what));
    if (what->state) TT_TRY(tt_h5_write_text(h, "/state", what->state));
    return TT_OK;
}

tt_status tt_checkpoint_save(const char *path, const tt_checkpoint_write *what) {
    tt_h5 h;
    TT_TRY(tt_h5_create(&h, path, "checkpoint"));
    h.output.keep = what->keep;
    tt_status status = put_all(&h, what);
    if (status != TT_OK) {
        tt_h5_close(&h);
        return status;
    }
    return tt_h5_commit(&h);
}

static tt_status get_parameter(const tt_h5 *h, const tt_model *model, const tt_parameter *p, staging *s) {
    const data_set d = data_set_of(p);
    float *w = s->w ? s->w : model->w + p->offset;
    if (s->half) {
        TT_TRY(tt_h5_read(h, d.name, (tt_h5_layout){H5T_NATIVE_UINT16, d.rows, d.columns}, s->half));
        tt_float_from_bf16((int64_t)d.n, w, s->half);
    } else {
        TT_TRY(tt_h5_read(h, d.name, (tt_h5_layout){H5T_NATIVE_FLOAT, d.rows, d.columns}, w));
    }
    TT_TRY(check_finite(h, p, w, TT_ERR_FORMAT));
    return s->w ? tt_device_upload(model->device, model->w + p->offset, w, d.n * sizeof *w) : TT_OK;
}

static tt_status hash_weights(const tt_model *model, uint64_t *hash) {
    staging s;
    *hash = 0;
    TT_TRY(staging_open(&s, model, false));
    tt_status status = TT_OK;
    for (int i = 0; i < model->n_parameters && status == TT_OK; ++i) {
        const float *w;
        const size_t n = data_set_of(&model->parameters[i]).n;
        status = weights_at(model, &model->parameters[i], n, &s, &w);
        if (status == TT_OK) *hash = (*hash ^ tt_hash(w, n * sizeof *w)) * 0x9E3779B97F4A7C15ull;
    }
    staging_close(&s);
    return status;
}

tt_status tt_checkpoint_hash(tt_checkpoint *c, uint64_t *hash) {
    if (!c->hashed && c->loaded) TT_TRY(hash_weights(c->model, &c->hash));
    c->hashed = true;
    *hash = c->hash;
    return TT_OK;
}

static tt_status get_dtype(const tt_h5 *h, bool *bf16) {
    char *dtype;
    TT_TRY(tt_h5_get_text(h, "/model", "dtype", &dtype));
    *bf16 = strcmp(dtype, "bf16") == 0;
    const bool known = *bf16 || strcmp(dtype, "fp32") == 0;
    tt_status status =
        known ? TT_OK
              : tt_fail(TT_ERR_FORMAT, "%s: weights of type '%s'; expected fp32 or bf16", h->path, dtype);
    free(dtype);
    return status;
}

static tt_status get_weights(const tt_h5 *h, tt_model *model) {
    bool bf16;
    staging s;
    TT_TRY(get_dtype(h, &bf16));
    TT_TRY(staging_open(&s, model, bf16));
    tt_status status = TT_OK;
    for (int i = 0; i < model->n_parameters && status == TT_OK; ++i)
        status = get_parameter(h, model, &model->parameters[i], &s);
    staging_close(&s);
    return status == TT_OK ? tt_model_written(model) : status;
}

// Checks the moments' shapes; they are read when somebody asks for them.
static tt_status find_moments(const tt_h5 *h, tt_checkpoint *out) {
    const size_t size = tt_model_trained(out->model).size;
    for (int i = 0; i < TT_MOMENTS; ++i) {
        size_t n, columns;
        if (!tt_h5_has(h, moment_names[i])) return TT_OK;
        TT_TRY(tt_h5_shape(h, moment_names[i], &n, &columns));
        if (n != size || columns != 0)
            return tt_fail(TT_ERR_FORMAT, "%s: %s is [%zu, %zu], expected [%zu, 0]", h->path, moment_names[i],
                n, columns, size);
    }
    out->moment_size = size;
    out->has_moments = true;
    return TT_OK;
}

typedef struct moment_writer {
    tt_device *device;
    size_t from; // that `out` begins with
    float *out;
} moment_writer;

static tt_status write_moment(void *self, size_t from, size_t n, void *data) {
    const moment_writer *w = self;
    return tt_device_upload(w->device, w->out + (from - w->from), data, n * sizeof *w->out);
}

tt_status tt_checkpoint_moments(const tt_checkpoint *c, tt_moment which, size_t from, size_t n, float *out) {
    if (!c->has_moments) return tt_fail(TT_ERR_INTERNAL, "the checkpoint has no moments");
    if (from > c->moment_size || n > c->moment_size - from)
        return tt_fail(TT_ERR_FORMAT, "%s: %s has %zu elements, %zu from %zu are needed", c->file->path,
            moment_names[which], c->moment_size, n, from);
    moment_writer writer = {c->model->device, from, out};
    return tt_h5_read_pieces(c->file, moment_names[which], H5T_NATIVE_FLOAT,
        (tt_h5_range){c->moment_size, from, n}, (tt_h5_pieces){&writer, write_moment});
}

void tt_checkpoint_forget_moments(tt_checkpoint *c) {
    if (c->file) tt_h5_close(c->file);
    free(c->file);
    c->file = NULL;
    c->has_moments = false;
}

static tt_status get_added(const tt_h5 *h, tt_tokenizer *tokenizer) {
    size_t n, columns;
    char *json;
    if (!tt_h5_has(h, ADDED)) return TT_OK;
    TT_TRY(tt_h5_shape(h, ADDED, &n, &columns));
    TT_TRY(tt_alloc(&json, n + 1, 1, "added tokens"));
    tt_status status = tt_h5_read(h, ADDED, (tt_h5_layout){H5T_NATIVE_UINT8, n, 0}, json);
    if (status == TT_OK) {
        status = tt_tokenizer_add(tokenizer, json);
        if (status != TT_OK && status != TT_ERR_NOMEM)
            status = tt_context(TT_ERR_FORMAT, "%s: %s", h->path, ADDED);
    }
    free(json);
    return status;
}

static tt_status get_tokenizer(const tt_h5 *h, tt_tokenizer **out) {
    size_t n, columns;
    int64_t extra_ids;
    unsigned char *bytes;
    TT_TRY(tt_h5_shape(h, "/tokenizer", &n, &columns));
    TT_TRY(tt_h5_get_i64(h, "/tokenizer", "extra_ids", &extra_ids));
    TT_TRY(tt_alloc(&bytes, n, 1, "tokenizer"));
    tt_status status = tt_h5_read(h, "/tokenizer", (tt_h5_layout){H5T_NATIVE_UINT8, n, 0}, bytes);
    if (status == TT_OK) {
        status = tt_tokenizer_parse(out, bytes, n, (int)extra_ids);
        if (status != TT_OK && status != TT_ERR_NOMEM)
            status = tt_context(TT_ERR_FORMAT, "%s: /tokenizer", h->path);
    }
    free(bytes);
    return status;
}

// Checks, before memory is allocated, that the largest data sets have the sizes of the configuration.
static tt_status check_sizes(const tt_h5 *h, const tt_model_config *c) {
    const struct {
        const char *name;
        int rows, columns;
    } sets[] = {
        {"/model/shared.weight", c->vocab_size, c->d_model},
        {"/model/encoder.block.0.layer.0.SelfAttention.q.weight", c->num_heads * c->d_kv, c->d_model},
        {"/model/encoder.block.0.layer.1.DenseReluDense.wo.weight", c->d_model, c->d_ff},
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; ++i) {
        size_t rows, columns;
        const data_set d = data_set_of(&(tt_parameter){.rows = sets[i].rows, .columns = sets[i].columns});
        TT_TRY(tt_h5_shape(h, sets[i].name, &rows, &columns));
        if (rows != d.rows || columns != d.columns)
            return tt_fail(TT_ERR_FORMAT, "%s: %s is [%zu, %zu], the configuration says [%zu, %zu]", h->path,
                sets[i].name, rows, columns, d.rows, d.columns);
    }
    return TT_OK;
}

static tt_status get_format(const tt_h5 *h, bool *adapted) {
    int64_t format;
    TT_TRY(tt_h5_get_i64(h, "/", "format", &format));
    *adapted = format == FORMAT_ADAPTED;
    if (format == FORMAT || *adapted) return TT_OK;
    return tt_fail(TT_ERR_FORMAT, "%s: checkpoint format %lld; this program reads formats %d and %d", h->path,
        (long long)format, FORMAT, FORMAT_ADAPTED);
}

// The model of a file with all weights, before they are read.
static tt_status open_model(const tt_h5 *h, tt_model **out, tt_device *device) {
    tt_model_config config;
    TT_TRY(get_config(h, &config));
    TT_TRY(check_sizes(h, &config));
    return tt_model_open(out, &config, device);
}

static tt_status get_model(const tt_h5 *h, tt_model **out, tt_device *device) {
    TT_TRY(open_model(h, out, device));
    return get_weights(h, *out);
}

// ---- adapted students

// *adapted: it has adapters in place of weights, like the student's own file, which may have the base's name.
static tt_status load_base(
    const char *path, tt_model **out, uint64_t *hash, bool *adapted, tt_device *device) {
    tt_h5 h;
    *hash = 0;
    *adapted = false;
    TT_TRY(tt_h5_open_any(&h, path, "checkpoint"));
    tt_status status = get_format(&h, adapted);
    if (status == TT_OK && !*adapted) status = get_model(&h, out, device);
    if (status == TT_OK && !*adapted) status = hash_weights(*out, hash);
    tt_h5_close(&h);
    if (status == TT_OK) return TT_OK;
    tt_model_close(*out);
    *out = NULL;
    return status;
}

// Loads the base from the first of its places where it is as it was, which is its path from here on. What is wrong is told of
// the first that is there.
static tt_status find_base(const tt_h5 *h, tt_adapted *adapted, tt_model **out, tt_device *device) {
    char path[TT_PATH_MAX], first[1024] = "";
    for (int place = 0; tt_adapted_place(adapted, h->path, place, path); ++place) {
        uint64_t hash;
        bool other;
        if (!tt_file_exists(path)) continue;
        tt_status status = load_base(path, out, &hash, &other, device);
        if (status == TT_OK && other) continue;
        if (status == TT_OK && hash == adapted->base_hash) return tt_adapted_base_path(adapted->base, path);
        if (status == TT_OK)
            status = tt_fail(TT_ERR_FORMAT, "%s: has changed: its weights' hash is %016llx and was %016llx",
                path, (unsigned long long)hash, (unsigned long long)adapted->base_hash);
        tt_model_close(*out);
        *out = NULL;
        if (status == TT_ERR_NOMEM || status == TT_ERR_DEVICE) return status;
        if (!*first) snprintf(first, sizeof first, "%s", tt_error_message());
    }
    if (*first)
        return tt_fail(TT_ERR_IO,
            "%s: contains adapters for %s (hash %016llx of its weights), which cannot be used: %s; restore "
            "that file",
            h->path, adapted->base, (unsigned long long)adapted->base_hash, first);
    return tt_fail(TT_ERR_IO,
        "%s: contains adapters for %s (hash %016llx of its weights), which is missing; put it there or into "
        "the folder of "
        "the adapters",
        h->path, adapted->base, (unsigned long long)adapted->base_hash);
}

static tt_status get_adapted(const tt_h5 *h, tt_checkpoint *out, tt_device *device) {
    TT_TRY(tt_adapted_read(&out->adapted, h));
    TT_TRY(find_base(h, out->adapted, &out->model, device));
    out->hashed = true;
    return tt_adapted_read_sets(out->adapted, h, out->model, tt_h5_has(h, "/optimizer/m"), &out->hash);
}

// What there is beside model and optimiser.
static tt_status get_tokenizer_of(const tt_h5 *h, tt_checkpoint *out) {
    TT_TRY(get_tokenizer(h, &out->tokenizer));
    TT_TRY(get_added(h, out->tokenizer));
    const int vocab = out->model->config.vocab_size;
    if (tt_tokenizer_size(out->tokenizer) > vocab)
        return tt_fail(TT_ERR_FORMAT, "%s: the tokenizer has %d ids, the model's vocabulary %d", h->path,
            tt_tokenizer_size(out->tokenizer), vocab);
    return TT_OK;
}

static tt_status get_all(const tt_h5 *h, tt_checkpoint *out, tt_device *device) {
    bool adapted;
    TT_TRY(get_format(h, &adapted));
    out->loaded = true;
    TT_TRY(adapted ? get_adapted(h, out, device) : get_model(h, &out->model, device));
    TT_TRY(get_tokenizer_of(h, out));
    TT_TRY(find_moments(h, out));
    return tt_h5_has(h, "/state") ? tt_h5_read_text(h, "/state", &out->state) : TT_OK;
}

// Of an adapted student, whose base decides what the model is, all is read.
static tt_status get_outline(const tt_h5 *h, tt_checkpoint *out, tt_device *device) {
    bool adapted;
    TT_TRY(get_format(h, &adapted));
    if (adapted) return get_all(h, out, device);
    TT_TRY(open_model(h, &out->model, device));
    return get_tokenizer_of(h, out);
}

typedef tt_status get_parts(const tt_h5 *h, tt_checkpoint *out, tt_device *device);

static tt_status load(tt_checkpoint *out, const char *path, tt_device *device, get_parts *get) {
    *out = (tt_checkpoint){0};
    tt_h5 *h;
    TT_TRY(tt_alloc(&h, 1, sizeof *h, path));
    tt_status status = tt_h5_open_any(h, path, "checkpoint");
    if (status != TT_OK) {
        free(h);
        return status;
    }
    out->file = h;
    status = get(h, out, device);
    if (status != TT_OK)
        tt_checkpoint_close(out);
    else if (!out->has_moments)
        tt_checkpoint_forget_moments(out);
    return status;
}

tt_status tt_checkpoint_load(tt_checkpoint *out, const char *path, tt_device *device) {
    return load(out, path, device, get_all);
}

tt_status tt_checkpoint_outline(tt_checkpoint *out, const char *path, tt_device *device) {
    return load(out, path, device, get_outline);
}

tt_status tt_checkpoint_settle(tt_checkpoint *c) {
    tt_checkpoint_forget_moments(c);
    return c->model->adapters ? tt_adapted_settle(c->adapted, c->model) : TT_OK;
}

void tt_checkpoint_close(tt_checkpoint *c) {
    tt_checkpoint_forget_moments(c);
    tt_adapted_close(c->adapted);
    tt_model_close(c->model);
    tt_tokenizer_close(c->tokenizer);
    free(c->state);
    *c = (tt_checkpoint){0};
}
