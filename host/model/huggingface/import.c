// A Hugging Face directory to a checkpoint.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/number.h"
#include "host/base/python_json.h"
#include "host/model/huggingface/huggingface.h"
#include "host/model/huggingface/parts.h"
#include "host/model/huggingface/safetensors.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SHARDS = 1024 };

typedef struct source {
    const char *directory;
    tt_safetensors *shards; // [n]
    int n;
    bool **used;             // [n][tensors]
    float *embedding, *head; // [vocab_size, d_model]; head: NULL where the embedding is the head
    float *buffer;           // of the largest other parameter
} source;

// Names of the embedding; those that are present must contain the same values.
static const char *const embeddings[] = {
    "shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"};
static const char head[] = "lm_head.weight";
// Published T5 1.0 files contain this tensor, but cross-attention uses no bias.
static const char leftover[] = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

// ---- files

static tt_status check_directory(const char *directory) {
    struct stat st;
    if (stat(directory, &st) != 0)
        return tt_fail(TT_ERR_IO, "%s: %s", directory, strerror(errno)); // also symbolic links in a loop
    if (!S_ISDIR(st.st_mode)) return tt_fail(TT_ERR_IO, "%s: not a directory", directory);
    return TT_OK;
}

static bool path_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0; // true for a broken or looping link: opening it reports the reason
}

static tt_status open_shard(source *s, const char *name) {
    char path[TT_PATH_MAX];
    if (strchr(name, '/') || strcmp(name, "..") == 0 || !*name)
        return tt_fail(TT_ERR_FORMAT, "%s/model.safetensors.index.json: shard '%s' is not a plain file name",
            s->directory, name);
    if (s->n == MAX_SHARDS)
        return tt_fail(TT_ERR_FORMAT, "%s: more than %d shards", s->directory, MAX_SHARDS);
    TT_TRY(tt_path_join(path, sizeof path, s->directory, name));
    TT_TRY(tt_safetensors_open(&s->shards[s->n], path));
    s->n++;
    return tt_alloc(&s->used[s->n - 1], (size_t)s->shards[s->n - 1].n, sizeof **s->used, "tensors");
}

static int shard_of(const source *s, const char *name) {
    for (int i = 0; i < s->n; ++i)
        if (tt_ends_with(s->shards[i].path, name)) {
            const size_t n = strlen(s->shards[i].path), m = strlen(name);
            if (n > m && s->shards[i].path[n - m - 1] == '/') return i;
        }
    return -1;
}

static const tt_st_tensor *in_shard(const tt_safetensors *f, const char *name) {
    for (int i = 0; i < f->n; ++i)
        if (strcmp(f->tensors[i].name, name) == 0) return &f->tensors[i];
    return NULL;
}

static tt_status open_index(source *s, const char *path) {
    json_t *root, *file;
    const char *name;
    TT_TRY(tt_python_json_read(&root, path));
    json_t *map = json_object_get(root, "weight_map");
    tt_status status =
        json_is_object(map) ? TT_OK : tt_fail(TT_ERR_FORMAT, "%s: weight_map is missing or no object", path);
    json_object_foreach(map, name, file) {
        if (status != TT_OK) break;
        const char *shard = json_string_value(file);
        if (!shard)
            status = tt_fail(TT_ERR_FORMAT, "%s: the entry of %s is not a file name", path, name);
        else if (shard_of(s, shard) < 0)
            status = open_shard(s, shard);
        if (status == TT_OK && !in_shard(&s->shards[shard_of(s, shard)], name))
            status = tt_fail(TT_ERR_FORMAT, "%s: %s is not in %s", path, name, shard);
    }
    json_decref(root);
    return status;
}

// There are no safetensors: says what there is instead, and how to convert it.
static tt_status refuse_other_weights(const char *directory) {
    static const struct {
        const char *file, *what, *argument;
    } others[] = {{"pytorch_model.bin", "is a pickle, which runs code when it is read", ""},
        {"pytorch_model.bin.index.json", "names pickles, which run code when they are read", ""},
        {"tf_model.h5", "is of TensorFlow, which transformers 4 reads", ", from_tf=True"},
        {"flax_model.msgpack", "is of Flax, which transformers 4 reads", ", from_flax=True"}};
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, directory, "adapter_config.json"));
    if (path_exists(path))
        return tt_fail(TT_ERR_UNSUPPORTED,
            "%s: this is an adapter without its model; merge them with Python (peft: merge_and_unload) and "
            "save the result",
            directory);
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
        TT_TRY(tt_path_join(path, sizeof path, directory, others[i].file));
        if (path_exists(path))
            return tt_fail(TT_ERR_UNSUPPORTED,
                "%s: %s %s; convert it once with Python:\n"
                "  python3 -c \"from transformers import AutoModelForSeq2SeqLM as M; "
                "M.from_pretrained('%s'%s).save_pretrained('%s', safe_serialization=True)\"",
                directory, others[i].file, others[i].what, directory, others[i].argument, directory);
    }
    return tt_fail(TT_ERR_IO, "%s: no model.safetensors and no model.safetensors.index.json", directory);
}

static tt_status open_weights(source *s) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_alloc(&s->shards, MAX_SHARDS, sizeof *s->shards, "shards"));
    TT_TRY(tt_alloc(&s->used, MAX_SHARDS, sizeof *s->used, "shards"));
    TT_TRY(tt_path_join(path, sizeof path, s->directory, "model.safetensors"));
    if (path_exists(path)) return open_shard(s, "model.safetensors");
    TT_TRY(tt_path_join(path, sizeof path, s->directory, "model.safetensors.index.json"));
    if (path_exists(path)) return open_index(s, path);
    return refuse_other_weights(s->directory);
}

static void close_source(source *s) {
    for (int i = 0; i < s->n; ++i) {
        tt_safetensors_close(&s->shards[i]);
        free(s->used[i]);
    }
    free(s->shards);
    free(s->used);
    free(s->embedding);
    free(s->head);
    free(s->buffer);
}

// ---- tensors

// The tensor and its file, marked as used; NULL if there is none. Errors: TT_ERR_FORMAT when two shards have
// it.
static tt_status find_tensor(source *s, const char *name, const tt_st_tensor **out, const char **path) {
    *out = NULL;
    for (int i = 0; i < s->n; ++i) {
        const tt_st_tensor *t = in_shard(&s->shards[i], name);
        if (!t) continue;
        if (*out) return tt_fail(TT_ERR_FORMAT, "%s and %s both have %s", *path, s->shards[i].path, name);
        *out = t;
        *path = s->shards[i].path;
        s->used[i][t - s->shards[i].tensors] = true;
    }
    return TT_OK;
}

static tt_status check_shape(const tt_st_tensor *t, const char *path, const tt_parameter *p) {
    const bool vector = p->rows == 1;
    const bool same = vector ? t->rank == 1 && t->shape[0] == p->columns
                             : t->rank == 2 && t->shape[0] == p->rows && t->shape[1] == p->columns;
    if (same) return TT_OK;
    tt_str shape = {0};
    for (int i = 0; i < t->rank; ++i) tt_str_format(&shape, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
    if (vector)
        tt_fail(TT_ERR_FORMAT, "%s: %s is [%s], config.json says [%d]", path, t->name, tt_str_text(&shape),
            p->columns);
    else
        tt_fail(TT_ERR_FORMAT, "%s: %s is [%s], config.json says [%d, %d]", path, t->name,
            tt_str_text(&shape), p->rows, p->columns);
    tt_str_close(&shape);
    return TT_ERR_FORMAT;
}

static tt_status read_tensor(const tt_st_tensor *t, const char *path, const tt_parameter *p, float *out) {
    TT_TRY(check_shape(t, path, p));
    if (!tt_st_is_numeric(t))
        return tt_fail(TT_ERR_UNSUPPORTED, "%s: %s has dtype %s; a weight must be F32, F16, BF16 or F64",
            path, t->name, tt_st_dtype_name(t->dtype));
    tt_st_read(t, out);
    const size_t i = tt_find_not_finite(out, t->n);
    if (i == t->n) return TT_OK;
    return tt_fail(
        TT_ERR_FORMAT, "%s: %s contains %s at element %zu", path, t->name, isnan(out[i]) ? "NaN" : "Inf", i);
}

// What stands before `name` in some tensor's name, such as "module.", which a wrapper around the model adds; "" if nothing does.
static void find_prefix(const source *s, const char *name, char *out, size_t size) {
    *out = 0;
    for (int i = 0; i < s->n; ++i)
        for (int k = 0; k < s->shards[i].n; ++k) {
            const char *there = s->shards[i].tensors[k].name;
            const size_t before = strlen(there) - (tt_ends_with(there, name) ? strlen(name) : strlen(there));
            if (before > 0 && before < size && there[before - 1] == '.') {
                memcpy(out, there, before);
                out[before] = 0;
                return;
            }
        }
}

static tt_status missing_tensor(const source *s, const char *name, const char *hint) {
    char prefix[64];
    find_prefix(s, name, prefix, sizeof prefix);
    if (!*prefix && strcmp(name, "shared.weight") == 0)
        find_prefix(s, "encoder.embed_tokens.weight", prefix, sizeof prefix);
    if (*prefix)
        return tt_fail(TT_ERR_FORMAT,
            "%s: there is no %s; the names of its tensors begin with \"%s\", which a wrapper around the "
            "model adds. "
            "Save the model inside the wrapper with its save_pretrained",
            s->shards[0].path, name, prefix);
    return tt_fail(TT_ERR_FORMAT, "%s: %s is missing%s", s->shards[0].path, name, hint);
}

// *out receives the tensor in memory that the caller releases; NULL where there is none.
static tt_status read_new(
    source *s, const char *name, const tt_parameter *p, float **out, const char **path) {
    const tt_st_tensor *t;
    *out = NULL;
    TT_TRY(find_tensor(s, name, &t, path));
    if (!t) return TT_OK;
    TT_TRY(tt_alloc(out, (size_t)p->rows * (size_t)p->columns, sizeof **out, "tensor"));
    return read_tensor(t, *path, p, *out);
}

static bool same_values(const float *a, const float *b, const tt_parameter *p) {
    return memcmp(a, b, (size_t)p->rows * (size_t)p->columns * sizeof *a) == 0;
}

// The embedding has three names. Where there are several, they must have the same values.
static tt_status read_embedding(source *s, const tt_parameter *p) {
    const char *known = NULL, *path;
    for (int i = 0; i < 3; ++i) {
        float *found;
        tt_status status = read_new(s, embeddings[i], p, &found, &path);
        if (status == TT_OK && found && s->embedding && !same_values(s->embedding, found, p))
            status = tt_fail(
                TT_ERR_FORMAT, "%s: %s differs from %s; a T5 has one embedding", path, embeddings[i], known);
        if (s->embedding || status != TT_OK) {
            free(found);
        } else if (found) {
            s->embedding = found;
            known = embeddings[i];
        }
        TT_TRY(status);
    }
    return TT_OK;
}

// Whether the head has weights of its own must fit the configuration, or is what the configuration waits for.
static tt_status check_head(
    const source *s, const tt_huggingface_config *config, bool own, const char *path) {
    const bool tied = config->model.tie_word_embeddings;
    if (config->weights_tell) return TT_OK;
    if (tied && own)
        return tt_fail(TT_ERR_FORMAT,
            "%s: %s differs from the embedding, though tie_word_embeddings is true; if the model has an LM "
            "head "
            "of its own, add \"scale_decoder_outputs\": %s to config.json, as transformers 5 computes it",
            path, head, config->mt5 ? "false" : "true");
    if (!tied && !s->head)
        return missing_tensor(s, head,
            ", though tie_word_embeddings is false; if the embedding is the head, too, add "
            "\"scale_decoder_outputs\": false to config.json, as transformers 5 computes it");
    return TT_OK;
}

// Reads the embedding and the head, which complete the configuration. A head of its own that reads scaled outputs takes the
// scale into its weights: so no file that this program writes needs both, which transformers 4 cannot read.
static tt_status read_both_ends(source *s, tt_huggingface_config *config) {
    tt_model_config *c = &config->model;
    const tt_parameter p = {.rows = c->vocab_size, .columns = c->d_model};
    const char *path = NULL;
    TT_TRY(read_embedding(s, &p));
    TT_TRY(read_new(s, head, &p, &s->head, &path));
    if (!s->embedding && (c->tie_word_embeddings || config->weights_tell)) {
        s->embedding = s->head;
        s->head = NULL;
    }
    if (!s->embedding) return missing_tensor(s, "shared.weight", ", and so is encoder.embed_tokens.weight");
    const bool own = s->head && !same_values(s->embedding, s->head, &p);
    TT_TRY(check_head(s, config, own, path));
    if (config->weights_tell) c->tie_word_embeddings = !own;
    if (own && c->scale_decoder_outputs) {
        const float scale = 1.0f / sqrtf((float)c->d_model);
        for (size_t i = 0; i < (size_t)p.rows * (size_t)p.columns; ++i) s->head[i] *= scale;
        c->scale_decoder_outputs = false;
    }
    return TT_OK;
}

// The embedding or the head, which have been read; NULL for other parameters.
static const float *end_of(const source *s, const tt_parameter *p) {
    if (strcmp(p->name, embeddings[0]) == 0) return s->embedding;
    return strcmp(p->name, head) == 0 ? s->head : NULL;
}

static tt_status import_parameter(source *s, tt_model *model, const tt_parameter *p) {
    const float *values = end_of(s, p);
    const bool in_place = tt_device_is_host(model->device);
    if (!values) {
        const tt_st_tensor *t;
        const char *path;
        TT_TRY(find_tensor(s, p->name, &t, &path));
        if (!t) return missing_tensor(s, p->name, "");
        float *to = in_place ? model->w + p->offset : s->buffer;
        TT_TRY(read_tensor(t, path, p, to));
        if (in_place) return TT_OK;
        values = to;
    }
    return tt_device_upload(
        model->device, model->w + p->offset, values, (size_t)p->rows * (size_t)p->columns * sizeof *values);
}

// Reports tensors that the model has no place for.
static tt_status check_unused(source *s, bool allowed) {
    const tt_st_tensor *t;
    const char *path;
    int n = 0;
    TT_TRY(find_tensor(s, leftover, &t, &path));
    if (t) tt_info("%s: %s is ignored: T5 has no bias there", path, leftover);
    tt_str used = {0}, unused = {0};
    for (int i = 0; i < s->n; ++i)
        for (int k = 0; k < s->shards[i].n; ++k) {
            tt_str_format(s->used[i][k] ? &used : &unused, "\n    %s", s->shards[i].tensors[k].name);
            n += !s->used[i][k];
        }
    tt_status status = TT_OK;
    if (n && allowed)
        tt_warn("%s: ignored tensors that this model does not have:%s", s->directory, tt_str_text(&unused));
    else if (n)
        status = tt_fail(TT_ERR_FORMAT,
            "%s: %d tensors do not belong to this model; is config.json the right one? --allow-unused leaves "
            "them out.\n  used:%s\n  unused:%s",
            s->directory, n, tt_str_text(&used), tt_str_text(&unused));
    tt_str_close(&used);
    tt_str_close(&unused);
    return status;
}

static tt_status import_weights(source *s, tt_model *model, bool allow_unused) {
    size_t largest = 0;
    for (int i = 0; i < model->n_parameters; ++i) {
        const size_t n = (size_t)model->parameters[i].rows * (size_t)model->parameters[i].columns;
        if (n > largest && !end_of(s, &model->parameters[i])) largest = n;
    }
    if (!tt_device_is_host(model->device)) TT_TRY(tt_alloc(&s->buffer, largest, sizeof *s->buffer, "tensor"));
    for (int i = 0; i < model->n_parameters; ++i) TT_TRY(import_parameter(s, model, &model->parameters[i]));
    TT_TRY(tt_model_written(model));
    return check_unused(s, allow_unused);
}

// ---- provenance

// Names the settings of generation_config.json: none of them is used, since those of this program decide.
static void name_unused(const char *path, const json_t *generation) {
    static const char *const notes[] = {"_from_model_config", "transformers_version", "use_cache",
        "output_attentions", "output_hidden_states", "pad_token_id", "eos_token_id",
        "decoder_start_token_id"};
    tt_str names = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)generation, key, value) {
        bool note = json_is_null(value);
        for (size_t i = 0; i < sizeof notes / sizeof *notes; ++i) note |= strcmp(key, notes[i]) == 0;
        if (!note) tt_str_format(&names, "%s%s", names.length ? ", " : "", key);
    }
    if (names.length)
        tt_info("%s: kept for an export, but not used here, where evaluation.* and --temperature and the "
                "like decide: %s",
            path, tt_str_text(&names));
    tt_str_close(&names);
}

static tt_status read_generation(const char *directory, json_t **out) {
    char path[TT_PATH_MAX];
    *out = NULL;
    TT_TRY(tt_path_join(path, sizeof path, directory, "generation_config.json"));
    if (!tt_file_exists(path)) return TT_OK;
    TT_TRY(tt_python_json_read(out, path));
    tt_status status = tt_huggingface_ids_check(path, *out);
    if (status == TT_OK) {
        name_unused(path, *out);
        return TT_OK;
    }
    json_decref(*out);
    *out = NULL;
    return status;
}

static tt_status write_provenance(
    tt_checkpoint *out, const char *directory, tt_st_dtype dtype, json_t *generation) {
    json_t *root = json_pack("{s:{s:s, s:s, s:s}}", "provenance", "command", "model import", "imported_from",
        directory, "dtype", tt_st_dtype_name(dtype));
    if (generation) json_object_set(json_object_get(root, "provenance"), "generation_config", generation);
    char *text = root ? json_dumps(root, 0) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "no memory for the checkpoint's state");
    tt_status status = tt_strdup(&out->state, text);
    free(text);
    return status;
}

static tt_status import_all(source *s, tt_checkpoint *out, bool allow_unused, tt_device *device) {
    char path[TT_PATH_MAX];
    tt_huggingface_config config;
    json_t *generation;
    TT_TRY(tt_path_join(path, sizeof path, s->directory, "config.json"));
    TT_TRY(tt_huggingface_config_read(&config, path));
    TT_TRY(tt_huggingface_tokenizer_read(&out->tokenizer, s->directory, config.model.vocab_size));
    TT_TRY(open_weights(s));
    if (s->n == 0) return tt_fail(TT_ERR_FORMAT, "%s: no weights", s->directory);
    TT_TRY(read_both_ends(s, &config));
    TT_TRY(tt_model_open(&out->model, &config.model, device));
    TT_TRY(import_weights(s, out->model, allow_unused));
    TT_TRY(read_generation(s->directory, &generation));
    tt_status status = write_provenance(
        out, s->directory, s->shards[0].n ? s->shards[0].tensors[0].dtype : TT_ST_F32, generation);
    json_decref(generation);
    return status;
}

tt_status tt_huggingface_import(
    tt_checkpoint *out, const char *directory, bool allow_unused, tt_device *device) {
    *out = (tt_checkpoint){0};
    source s = {.directory = directory};
    TT_TRY(check_directory(directory));
    tt_status status = import_all(&s, out, allow_unused, device);
    close_source(&s);
    if (status != TT_OK) tt_checkpoint_close(out);
    return status;
}
