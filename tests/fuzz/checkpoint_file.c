// A checkpoint, damaged and edited (hdf5_changes.h).
#include "tests/fuzz/hdf5_changes.h"

#include "host/base/str.h"
#include "host/model/checkpoint.h"
#include "host/model/huggingface/parts.h"

#include <stdlib.h>
#include <string.h>

static fuzz_h5 original;
static uint64_t original_content;
static tt_device *device;

static tt_status weights_as_moments(void *self, tt_moment which, size_t from, size_t n, float *out) {
    const tt_model *model = self;
    (void)which;
    memcpy(out, model->w + from, n * sizeof *out);
    return TT_OK;
}

static tt_status read_moments(void *self, tt_moment which, size_t from, size_t n, float *out) {
    return tt_checkpoint_moments(self, which, from, n, out);
}

// Moments are read after the rest, and a file may be refused then.
static bool hash_moments(const tt_checkpoint *c, uint64_t out[TT_MOMENTS]) {
    out[TT_MOMENT_M] = out[TT_MOMENT_V] = 0;
    if (!c->has_moments) return true;
    float *moment = malloc(c->moment_size * sizeof *moment);
    bool good = moment != NULL;
    for (int i = 0; i < TT_MOMENTS && good; ++i) {
        good = fuzz_accepted(tt_checkpoint_moments(c, (tt_moment)i, 0, c->moment_size, moment));
        if (good) out[i] = tt_hash(moment, c->moment_size * sizeof *moment);
    }
    free(moment);
    return good;
}

// False where the moments are refused.
static bool hash_content(const tt_checkpoint *c, uint64_t *out) {
    tt_str config = {0};
    uint64_t moments[TT_MOMENTS];
    if (!hash_moments(c, moments)) return false;
    fuzz_must(tt_huggingface_config_write(&config, &c->model->config, false), "no configuration");
    const uint64_t parts[] = {tt_hash(tt_str_text(&config), config.length),
        tt_hash(c->model->w, c->model->size * sizeof *c->model->w), moments[TT_MOMENT_M],
        moments[TT_MOMENT_V], tt_tokenizer_hash(c->tokenizer),
        c->state ? tt_hash(c->state, strlen(c->state)) : 0};
    tt_str_close(&config);
    *out = tt_hash(parts, sizeof parts);
    return true;
}

static void use_checkpoint(tt_checkpoint *c, uint64_t content) {
    tt_checkpoint again;
    uint64_t other;
    const tt_checkpoint_write what = {.model = c->model,
        .tokenizer = c->tokenizer,
        .moments = {c, c->has_moments ? read_moments : NULL},
        .state = c->state};
    fuzz_must(tt_checkpoint_save("again.h5", &what), "an accepted checkpoint is not saved");
    fuzz_must(tt_checkpoint_load(&again, "again.h5", device), "a saved checkpoint is refused");
    fuzz_require(hash_content(&again, &other) && other == content, "a saved checkpoint reads as another one");
    tt_checkpoint_close(&again);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    tt_model_config config = {.d_model = 4,
        .d_kv = 2,
        .d_ff = 4,
        .num_layers = 1,
        .num_decoder_layers = 1,
        .num_heads = 2,
        .relative_attention_num_buckets = 4,
        .relative_attention_max_distance = 8,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1};
    tt_tokenizer *tokenizer;
    tt_model *model;
    fuzz_begin(NULL, 0);
    fuzz_write_tokenizer("t.model");
    fuzz_must(tt_tokenizer_load(&tokenizer, "t.model", 10), "no tokenizer");
    config.vocab_size = tt_tokenizer_size(tokenizer);
    fuzz_must(tt_device_open(&device, "cpu", TT_FP32, 1), "no device");
    fuzz_must(tt_model_open(&model, &config, device), "no model");
    fuzz_must(tt_model_init(model, TT_INIT_T5, 1), "no weights");
    const tt_checkpoint_write what = {.model = model,
        .tokenizer = tokenizer,
        .moments = {model, weights_as_moments},
        .state = "{\"step\": 3}"};
    fuzz_must(tt_checkpoint_save("c.h5", &what), "no checkpoint");
    tt_checkpoint c;
    fuzz_must(tt_checkpoint_load(&c, "c.h5", device), "no checkpoint");
    fuzz_require(hash_content(&c, &original_content), "no moments");
    tt_checkpoint_close(&c);
    fuzz_h5_open(&original, "c.h5");
    tt_model_close(model);
    tt_tokenizer_close(tokenizer);
    return fuzz_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_checkpoint c;
    fuzz_begin(data, size);
    const fuzz_h5_change change = fuzz_h5_write(&original, "c.h5", data, size);
    if (fuzz_accepted(tt_checkpoint_load(&c, "c.h5", device))) {
        uint64_t content;
        if (hash_content(&c, &content)) {
            fuzz_require(change == FUZZ_H5_EDITED || content == original_content,
                "a damaged checkpoint is read as another one");
            use_checkpoint(&c, content);
        } else
            fuzz_require(change == FUZZ_H5_EDITED, "the moments of a good checkpoint are refused");
        tt_checkpoint_close(&c);
    } else
        fuzz_require(change != FUZZ_H5_SAME, "a good checkpoint is refused");
    return fuzz_end();
}
