// Reading tests/golden/*.h5 (tools/make_golden.py): what PyTorch and Hugging Face computed.
#ifndef TT_TESTS_GOLDEN_H
#define TT_TESTS_GOLDEN_H

#include "host/base/memory.h"
#include "host/data/hdf5_file.h"
#include "tiny_t5.h"

#include <stdio.h>

// As h5py wrote it, so without a seal.
static inline void golden_open(tt_h5 *h, const char *name) {
    *h = (tt_h5){.bytes = UINT64_MAX};
    snprintf(h->path, sizeof h->path, TT_SOURCE_DIR "/tests/golden/%s.h5", name);
    h->file = H5Fopen(h->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(h->file >= 0);
}

// Whole data set of any rank up to 2; *n elements; free().
static inline void *golden_read(const tt_h5 *h, const char *name, hid_t type, size_t size, size_t *n) {
    size_t rows, columns;
    void *data;
    OK(tt_h5_shape(h, name, &rows, &columns));
    *n = rows * (columns ? columns : 1);
    OK(tt_alloc(&data, *n, size, "golden"));
    OK(tt_h5_read(h, name, (tt_h5_layout){type, rows, columns}, data));
    return data;
}

// Texts of variable length; *n pointers; free() each of them, then all.
static inline char **golden_strings(const tt_h5 *h, const char *name, size_t *n) {
    char **texts;
    hid_t set = H5Dopen2(h->file, name, H5P_DEFAULT), space = H5Dget_space(set), type = H5Tcopy(H5T_C_S1);
    *n = (size_t)H5Sget_simple_extent_npoints(space);
    OK(tt_alloc(&texts, *n, sizeof *texts, "golden"));
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) >= 0);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
    return texts;
}

static inline float *golden_floats(const tt_h5 *h, const char *name, size_t *n) {
    return golden_read(h, name, H5T_NATIVE_FLOAT, sizeof(float), n);
}
static inline double *golden_doubles(const tt_h5 *h, const char *name, size_t *n) {
    return golden_read(h, name, H5T_NATIVE_DOUBLE, sizeof(double), n);
}
static inline int32_t *golden_ints(const tt_h5 *h, const char *name, size_t *n) {
    return golden_read(h, name, H5T_NATIVE_INT32, sizeof(int32_t), n);
}

typedef struct golden_texts {
    int32_t *ids, *offsets;
    int n;
} golden_texts;

static inline golden_texts golden_sequences(const tt_h5 *h, const char *name) {
    golden_texts t;
    char offsets[256];
    size_t n;
    snprintf(offsets, sizeof offsets, "%s_offsets", name);
    t.ids = golden_ints(h, name, &n);
    t.offsets = golden_ints(h, offsets, &n);
    t.n = (int)n - 1;
    return t;
}
static inline void golden_texts_close(golden_texts *t) {
    free(t->ids);
    free(t->offsets);
}
static inline int golden_length(const golden_texts *t, int i) {
    return t->offsets[i + 1] - t->offsets[i];
}

// A model with the file's configuration and weights, on a device of its own.
static inline void golden_model(
    const tt_h5 *h, tt_precision precision, tt_device **device, tt_model **model) {
    size_t n;
    int32_t *c = golden_ints(h, "config", &n);
    assert_int_equal(n, 11);
    const tt_model_config config = {.vocab_size = c[0],
        .d_model = c[1],
        .d_kv = c[2],
        .d_ff = c[3],
        .num_layers = c[4],
        .num_decoder_layers = c[5],
        .num_heads = c[6],
        .relative_attention_num_buckets = c[7],
        .relative_attention_max_distance = c[8],
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1,
        .activation = c[9] ? TT_GATED_GELU : TT_RELU,
        .tie_word_embeddings = c[10] != 0,
        .scale_decoder_outputs = c[10] != 0};
    free(c);
    OK(tt_device_open(device, "cpu", precision, 1));
    OK(tt_model_open(model, &config, *device));
    for (int i = 0; i < (*model)->n_parameters; ++i) {
        const tt_parameter *p = &(*model)->parameters[i];
        char name[160];
        snprintf(name, sizeof name, "weights/%s", p->name);
        float *w = golden_floats(h, name, &n);
        assert_int_equal(n, (size_t)p->rows * (size_t)p->columns);
        memcpy((*model)->w + p->offset, w, n * sizeof *w);
        free(w);
    }
    OK(tt_model_written(*model));
}

// Fails, naming `what`, unless norm(got - want) / norm(want) is at most `tolerance`. NaN fails.
static inline void golden_near(
    const char *what, const float *got, const float *want, size_t n, double tolerance) {
    const double distance = tiny_distance(got, want, n);
    if (!(distance <= tolerance))
        fail_msg("%s: %.3g away from PyTorch, allowed is %.1g", what, distance, tolerance);
}

// got[model->size] against the data sets prefix/<parameter>.
static inline void golden_near_each(
    const tt_h5 *h, const char *prefix, const tt_model *model, const float *got, double tolerance) {
    for (int i = 0; i < model->n_parameters; ++i) {
        char name[256];
        size_t n;
        snprintf(name, sizeof name, "%s/%s", prefix, model->parameters[i].name);
        float *want = golden_floats(h, name, &n);
        golden_near(name, got + model->parameters[i].offset, want, n, tolerance);
        free(want);
    }
}

// Sources and targets as one packed batch, target i attending to source i.
static inline void golden_batch(tt_batch *batch, const golden_texts *sources, const golden_texts *targets) {
    for (int i = 0; i < sources->n; ++i) {
        OK(tt_batch_add_source(
            batch, sources->ids + sources->offsets[i], golden_length(sources, i), (uint32_t)i));
        OK(tt_batch_add_target(batch, &(tt_batch_target){.ids = targets->ids + targets->offsets[i],
                                          .n = golden_length(targets, i),
                                          .source = i,
                                          .example = (uint32_t)i}));
    }
}

#endif
