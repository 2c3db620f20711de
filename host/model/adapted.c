#include "host/model/adapted.h"

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/shipped.h"
#include "host/base/str.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char GROUP[] = "/adapters";

tt_status tt_adapted_base_path(char out[TT_PATH_MAX], const char *path) {
    char shipped[TT_PATH_MAX];
    char *whole = realpath(tt_shipped_find(path, shipped, sizeof shipped), NULL);
    const int reason = whole ? ENAMETOOLONG : errno;
    const bool fits = whole && snprintf(out, TT_PATH_MAX, "%s", whole) < TT_PATH_MAX;
    free(whole);
    if (fits) return TT_OK;
    return tt_fail(TT_ERR_IO, "%s: cannot be named as the base of adapters: %s", path, strerror(reason));
}

tt_status tt_adapted_open(tt_adapted **out, const char *path, uint64_t hash) {
    TT_TRY(tt_alloc(out, 1, sizeof **out, "adapted student"));
    (*out)->base_hash = (*out)->hash = hash;
    const tt_status status = tt_adapted_base_path((*out)->base, path);
    if (status == TT_OK) return TT_OK;
    tt_adapted_close(*out);
    *out = NULL;
    return status;
}

static void close_set(tt_adapter_set *set) {
    free(set->items);
    free(set->w);
}

void tt_adapted_close(tt_adapted *a) {
    if (!a) return;
    for (int i = 0; i < a->n; ++i) close_set(&a->sets[i]);
    free(a->sets);
    free(a);
}

// The set that model->adapters are, but for the table, which stays theirs.
static tt_status download(const tt_model *model, tt_adapter_set *out) {
    const tt_adapters *a = model->adapters;
    *out = (tt_adapter_set){.options = a->options, .items = a->items, .n = a->n, .size = a->size};
    TT_TRY(tt_alloc(&out->w, a->size, sizeof *out->w, "adapters"));
    return tt_device_download(model->device, out->w, a->w, a->size * sizeof *out->w);
}

static uint64_t hash_with(uint64_t before, const tt_adapter_set *set) {
    char options[96];
    tt_format(
        options, sizeof options, "%d %.17g %u", set->options.rank, set->options.alpha, set->options.targets);
    const uint64_t hash = (before ^ tt_hash(options, strlen(options))) * 0x9E3779B97F4A7C15ull;
    return (hash ^ tt_hash(set->w, set->size * sizeof *set->w)) * 0x9E3779B97F4A7C15ull;
}

tt_status tt_adapted_settle(tt_adapted *a, tt_model *model) {
    tt_adapter_set set;
    TT_TRY(tt_grow(&a->sets, &a->capacity, (size_t)a->n + 1, sizeof *a->sets, "adapters"));
    tt_status status = download(model, &set);
    set.items = NULL;
    if (status == TT_OK) status = tt_alloc(&set.items, (size_t)set.n, sizeof *set.items, "adapters");
    if (status == TT_OK) {
        memcpy(set.items, model->adapters->items, (size_t)set.n * sizeof *set.items);
        status = tt_adapters_merge(model);
    }
    if (status != TT_OK) {
        close_set(&set);
        return status;
    }
    a->hash = hash_with(a->hash, &set);
    a->sets[a->n++] = set;
    return TT_OK;
}

// ---- file

static void name_of(char out[192], int set, const tt_parameter *weight, char which) {
    const int stem = (int)(strlen(weight->name) - strlen(".weight"));
    snprintf(out, 192, "%s/%d/%.*s.lora_%c.weight", GROUP, set, stem, weight->name, which);
}

// A (0) or B (1) of an adapter: rows x columns elements from `offset` on.
typedef struct tensor {
    char name[192];
    size_t offset;
    size_t rows, columns;
} tensor;

static tensor tensor_of(const tt_adapter_set *set, int number, int item, int which) {
    const tt_adapter *a = &set->items[item];
    tensor t = {.offset = which ? a->b : a->a,
        .rows = (size_t)(which ? a->weight->rows : set->options.rank),
        .columns = (size_t)(which ? set->options.rank : a->weight->columns)};
    name_of(t.name, number, a->weight, which ? 'B' : 'A');
    return t;
}

static tt_status check_finite(const tt_h5 *h, const tensor *t, const float *w, tt_status failure) {
    const size_t n = t->rows * t->columns, i = tt_find_not_finite(w, n);
    if (i == n) return TT_OK;
    return tt_fail(failure, "%s: %s contains %g at element %zu", h->path, t->name, (double)w[i], i);
}

static tt_status write_set(const tt_h5 *h, const tt_adapter_set *set, int number) {
    char group[32], targets[TT_ADAPTER_TARGETS_TEXT];
    snprintf(group, sizeof group, "%s/%d", GROUP, number);
    tt_adapter_targets_text(set->options.targets, targets);
    TT_TRY(tt_h5_group(h, group));
    TT_TRY(tt_h5_put_i64(h, group, "rank", set->options.rank));
    TT_TRY(tt_h5_put_f64(h, group, "alpha", set->options.alpha));
    TT_TRY(tt_h5_put_text(h, group, "targets", targets));
    for (int i = 0; i < 2 * set->n; ++i) {
        const tensor t = tensor_of(set, number, i / 2, i % 2);
        TT_TRY(check_finite(h, &t, set->w + t.offset, TT_ERR_NUMERIC));
        TT_TRY(
            tt_h5_write(h, t.name, (tt_h5_layout){H5T_NATIVE_FLOAT, t.rows, t.columns}, set->w + t.offset));
    }
    return TT_OK;
}

tt_status tt_adapted_write(const tt_h5 *h, const tt_adapted *a, const tt_model *model) {
    TT_TRY(tt_h5_group(h, GROUP));
    TT_TRY(tt_h5_put_text(h, GROUP, "base", a->base));
    TT_TRY(tt_h5_put_i64(h, GROUP, "base_hash", (int64_t)a->base_hash));
    TT_TRY(tt_h5_put_i64(h, GROUP, "sets", a->n + (model->adapters != NULL)));
    TT_TRY(tt_h5_put_i64(h, GROUP, "parameters", (int64_t)model->size));
    for (int i = 0; i < a->n; ++i) TT_TRY(write_set(h, &a->sets[i], i));
    if (!model->adapters) return TT_OK;
    tt_adapter_set last = {0};
    tt_status status = download(model, &last);
    if (status == TT_OK) status = write_set(h, &last, a->n);
    free(last.w);
    return status;
}

tt_status tt_adapted_read(tt_adapted **out, const tt_h5 *h) {
    char *base;
    int64_t hash;
    TT_TRY(tt_h5_get_i64(h, GROUP, "base_hash", &hash));
    TT_TRY(tt_h5_get_text(h, GROUP, "base", &base));
    tt_status status = strlen(base) < TT_PATH_MAX
                           ? tt_alloc(out, 1, sizeof **out, "adapted student")
                           : tt_fail(TT_ERR_FORMAT, "%s: the path of the base is too long", h->path);
    if (status == TT_OK) {
        snprintf((*out)->base, TT_PATH_MAX, "%s", base);
        (*out)->base_hash = (*out)->hash = (uint64_t)hash;
    }
    free(base);
    return status;
}

tt_status tt_adapted_base_of(char out[TT_PATH_MAX], const char *file) {
    tt_h5 h;
    tt_adapted *adapted = NULL;
    *out = '\0';
    TT_TRY(tt_h5_open(&h, file, "checkpoint"));
    const tt_status status = tt_h5_has(&h, GROUP) ? tt_adapted_read(&adapted, &h) : TT_OK;
    if (adapted) snprintf(out, TT_PATH_MAX, "%s", adapted->base);
    tt_adapted_close(adapted);
    tt_h5_close(&h);
    return status;
}

tt_status tt_adapted_copy(const char *from, const char *to, const char *base) {
    tt_h5 h;
    TT_TRY(tt_h5_edit(&h, from, to));
    const tt_status status = tt_h5_set_text(&h, GROUP, "base", base);
    if (status == TT_OK) return tt_h5_commit(&h);
    tt_h5_close(&h);
    return status;
}

// From "q, v".
static tt_status read_targets(const tt_h5 *h, const char *group, tt_adapter_targets *out) {
    char *text, *rest = NULL;
    tt_status status = TT_OK;
    TT_TRY(tt_h5_get_text(h, group, "targets", &text));
    for (char *word = strtok_r(text, ", ", &rest); word && status == TT_OK;
         word = strtok_r(NULL, ", ", &rest))
        status = tt_adapter_targets_add(out, word);
    free(text);
    return status;
}

static tt_status read_options(const tt_h5 *h, int number, tt_adapter_options *out) {
    char group[32];
    int64_t rank;
    *out = (tt_adapter_options){0};
    snprintf(group, sizeof group, "%s/%d", GROUP, number);
    TT_TRY(tt_h5_get_i64(h, group, "rank", &rank));
    TT_TRY(tt_h5_get_f64(h, group, "alpha", &out->alpha));
    out->rank = rank < 0 || rank > INT32_MAX ? -1 : (int)rank;
    if (!isfinite(out->alpha))
        return tt_fail(TT_ERR_FORMAT, "%s: %s: alpha is %g", h->path, group, out->alpha);
    const tt_status status = read_targets(h, group, &out->targets);
    return status == TT_ERR_CONFIG ? tt_context(TT_ERR_FORMAT, "%s: %s", h->path, group) : status;
}

// Set `number` becomes model->adapters; *hash goes on from what it was before.
static tt_status read_set(const tt_h5 *h, int number, tt_model *model, uint64_t *hash) {
    tt_adapter_options options;
    TT_TRY(read_options(h, number, &options));
    const tt_status fits = tt_adapters_open(model, &options);
    if (fits != TT_OK)
        return fits == TT_ERR_CONFIG ? tt_context(TT_ERR_FORMAT, "%s: %s/%d", h->path, GROUP, number) : fits;
    const tt_adapters *a = model->adapters;
    tt_adapter_set set = {.options = options, .items = a->items, .n = a->n, .size = a->size};
    TT_TRY(tt_alloc(&set.w, set.size, sizeof *set.w, "adapters"));
    tt_status status = TT_OK;
    for (int i = 0; i < 2 * set.n && status == TT_OK; ++i) {
        const tensor t = tensor_of(&set, number, i / 2, i % 2);
        status = tt_h5_read(h, t.name, (tt_h5_layout){H5T_NATIVE_FLOAT, t.rows, t.columns}, set.w + t.offset);
        if (status == TT_OK) status = check_finite(h, &t, set.w + t.offset, TT_ERR_FORMAT);
    }
    if (status == TT_OK) status = tt_device_upload(model->device, a->w, set.w, set.size * sizeof *set.w);
    *hash = hash_with(*hash, &set);
    free(set.w);
    return status == TT_OK ? tt_adapters_written(model) : status;
}

tt_status tt_adapted_read_sets(tt_adapted *a, const tt_h5 *h, tt_model *model, bool train, uint64_t *hash) {
    enum { MOST = 1000 };
    int64_t sets;
    TT_TRY(tt_h5_get_i64(h, GROUP, "sets", &sets));
    if (sets < train || sets > MOST)
        return tt_fail(TT_ERR_FORMAT, "%s: %lld sets of adapters; expected %d to %d", h->path,
            (long long)sets, train, MOST);
    *hash = a->base_hash;
    for (int i = 0; i < (int)sets; ++i) {
        TT_TRY(read_set(h, i, model, hash));
        if (i < (int)sets - 1 || !train) TT_TRY(tt_adapted_settle(a, model));
    }
    return TT_OK;
}

bool tt_adapted_place(const tt_adapted *a, const char *file, int place, char path[TT_PATH_MAX]) {
    static const char *const folders[] = {"", "/checkpoints", "/.."};
    char here[TT_PATH_MAX], folder[TT_PATH_MAX];
    const char *slash = strrchr(a->base, '/'), *name = slash ? slash + 1 : a->base;
    if (place < 0 || place > (int)(sizeof folders / sizeof *folders)) return false;
    snprintf(path, TT_PATH_MAX, "%s", a->base);
    if (place == 0) return true;
    return tt_path_dir(here, sizeof here, file) == TT_OK &&
           tt_format(folder, sizeof folder, "%s%s", here, folders[place - 1]) < (int)sizeof folder &&
           tt_path_join(path, TT_PATH_MAX, folder, name) == TT_OK;
}
