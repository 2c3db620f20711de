// Hugging Face directories: round trips to the bit, tied weights under any name, shards, and what is refused.
#include "golden.h"
#include "host/base/fs.h"
#include "host/base/str.h"
#include "host/model/decoder.h"
#include "host/model/huggingface/huggingface.h"
#include "host/model/huggingface/safetensors.h"

#include <dirent.h>
#include <unistd.h>

static const char directory[] = "imported";
enum { MOST = 128 };

// A model's tensors as they shall be written: to be renamed, added to, damaged.
typedef struct tensors {
    tt_st_entry entries[MOST];
    char names[MOST][96];
    float *data[MOST];
    int n;
} tensors;

static tt_device *device;
static tt_tokenizer *tokenizer;
static tt_model *models[2]; // T5 1.0 tied, T5 1.1 untied

static int open_all(void **state) {
    (void)state;
    tt_h5 h;
    size_t n;
    golden_open(&h, "tokenizer");
    unsigned char *bytes = golden_read(&h, "model", H5T_NATIVE_UINT8, 1, &n);
    OK(tt_tokenizer_parse(&tokenizer, bytes, n, 20));
    free(bytes);
    tt_h5_close(&h);
    OK(tt_device_open(&device, "cpu", TT_FP32, 1));
    for (int i = 0; i < 2; ++i) {
        tt_model_config c = i ? tiny_1_1() : tiny_1_0;
        c.vocab_size = 1536;
        c.dropout_rate = 0.1f;
        OK(tt_model_open(&models[i], &c, device));
        OK(tt_model_init(models[i], TT_INIT_T5, 5));
    }
    return 0;
}

static int close_all(void **state) {
    (void)state;
    tt_model_close(models[0]);
    tt_model_close(models[1]);
    tt_device_close(device);
    tt_tokenizer_close(tokenizer);
    return 0;
}

static void clear(void) {
    DIR *folder = opendir(directory);
    for (struct dirent *e; folder && (e = readdir(folder));)
        if (e->d_name[0] != '.') unlinkat(dirfd(folder), e->d_name, 0);
    if (folder) closedir(folder);
    rmdir(directory);
}

static void fill(tensors *t, const tt_model *model) {
    t->n = 0;
    assert_true(model->n_parameters < MOST);
    for (int i = 0; i < model->n_parameters; ++i, ++t->n) {
        const tt_parameter *p = &model->parameters[i];
        strcpy(t->names[i], p->name);
        t->entries[i] = (tt_st_entry){.name = t->names[i],
            .rank = p->rows == 1 ? 1 : 2,
            .shape = {p->rows == 1 ? p->columns : p->rows, p->columns},
            .n = (size_t)p->rows * (size_t)p->columns};
        t->data[i] = malloc(t->entries[i].n * sizeof(float));
        memcpy(t->data[i], model->w + p->offset, t->entries[i].n * sizeof(float));
    }
}

static void release(tensors *t) {
    for (int i = 0; i < t->n; ++i) free(t->data[i]);
}

static int place(const tensors *t, const char *name) {
    for (int i = 0; i < t->n; ++i)
        if (strcmp(t->names[i], name) == 0) return i;
    fail_msg("no tensor %s", name);
    return -1;
}

static void drop(tensors *t, const char *name) {
    const int i = place(t, name);
    free(t->data[i]);
    --t->n;
    if (i == t->n) return;
    strcpy(t->names[i], t->names[t->n]);
    t->entries[i] = t->entries[t->n];
    t->entries[i].name = t->names[i];
    t->data[i] = t->data[t->n];
}

// A copy of a tensor under another name.
static void add(tensors *t, const char *like, const char *name) {
    const int i = place(t, like);
    strcpy(t->names[t->n], name);
    t->entries[t->n] = t->entries[i];
    t->entries[t->n].name = t->names[t->n];
    t->data[t->n] = malloc(t->entries[i].n * sizeof(float));
    memcpy(t->data[t->n], t->data[i], t->entries[i].n * sizeof(float));
    ++t->n;
}

typedef struct slice {
    const tensors *t;
    int first;
} slice;

static tt_status give(void *context, int entry, float *out) {
    const slice *s = context;
    memcpy(out, s->t->data[s->first + entry], s->t->entries[s->first + entry].n * sizeof *out);
    return TT_OK;
}

static void write_tensors(const tensors *t, const char *name, int first, int n) {
    char path[256];
    slice s = {t, first};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    OK(tt_safetensors_write(
        path, &(tt_st_content){
                  .entries = t->entries + first, .n = n, .dtype = TT_ST_F32, .data = give, .context = &s}));
}

static void write_text(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    OK(tt_write_file(path, text, strlen(text)));
}

// Replaces `from` in config.json, where it must be.
static void edit_config(const char *from, const char *to) {
    char *text, *at;
    size_t bytes;
    char path[256];
    tt_str edited = {0};
    snprintf(path, sizeof path, "%s/config.json", directory);
    OK(tt_read_file(path, 0, &text, &bytes));
    if (!(at = strstr(text, from))) fail_msg("no %s in config.json", from);
    tt_str_append_n(&edited, text, (size_t)(at - text));
    tt_str_format(&edited, "%s%s", to, at + strlen(from));
    write_text("config.json", edited.data);
    tt_str_close(&edited);
    free(text);
}

// A directory of the model, in its config.json `from` (or NULL) replaced by `to`.
static void write_directory(const tt_model *model, const char *from, const char *to) {
    clear();
    const tt_checkpoint c = {.model = (tt_model *)model, .tokenizer = tokenizer};
    OK(tt_huggingface_export(&c, directory, false, false));
    if (from) edit_config(from, to);
}

static void expect_same(const tt_checkpoint *c, const tt_model *model) {
    assert_int_equal(c->model->size, model->size);
    assert_memory_equal(c->model->w, model->w, model->size * sizeof *model->w);
    assert_memory_equal(&c->model->config, &model->config, sizeof model->config);
    assert_true(tt_tokenizer_hash(c->tokenizer) == tt_tokenizer_hash(tokenizer));
}

static void expect_import(const tt_model *model, bool allow_unused) {
    tt_checkpoint c;
    OK(tt_huggingface_import(&c, directory, allow_unused, device));
    expect_same(&c, model);
    tt_checkpoint_close(&c);
}

static void expect_refusal(const char *what, const char *message) {
    tt_checkpoint c;
    if (tt_huggingface_import(&c, directory, false, device) == TT_OK) fail_msg("%s was imported", what);
    if (!strstr(tt_error_message(), message) || !strstr(tt_error_message(), directory))
        fail_msg("%s:\n  said      %s\n  expected  %s", what, tt_error_message(), message);
    assert_null(c.model);
}

static void there_and_back(void **state) {
    (void)state;
    for (int i = 0; i < 2; ++i) {
        write_directory(models[i], NULL, NULL);
        expect_import(models[i], false);
        // In BF16: the second import has the bits of the first.
        clear();
        tt_checkpoint c = {.model = models[i], .tokenizer = tokenizer}, once, twice;
        OK(tt_huggingface_export(&c, directory, true, false));
        OK(tt_huggingface_import(&once, directory, false, device));
        assert_int_equal(tt_huggingface_export(&once, directory, false, false), TT_ERR_IO); // not empty
        OK(tt_huggingface_export(&once, directory, false, true));
        OK(tt_huggingface_import(&twice, directory, false, device));
        expect_same(&twice, once.model);
        assert_true(tiny_distance(once.model->w, models[i]->w, models[i]->size) < 4e-3);
        tt_checkpoint_close(&once);
        tt_checkpoint_close(&twice);
    }
    clear();
}

static void tied_weights_under_any_name(void **state) {
    (void)state;
    static const char *const names[] = {
        "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"};
    for (int only = 0; only < 3; ++only) {
        tensors t;
        write_directory(models[0], NULL, NULL);
        fill(&t, models[0]);
        add(&t, "shared.weight", names[only]);
        write_tensors(&t, "model.safetensors", 0, t.n);
        expect_import(models[0], false);
        drop(&t, "shared.weight");
        write_tensors(&t, "model.safetensors", 0, t.n);
        expect_import(models[0], false);
        t.data[place(&t, names[only])][3] += 1;
        add(&t, names[only], "shared.weight");
        t.data[place(&t, "shared.weight")][3] -= 1;
        write_tensors(&t, "model.safetensors", 0, t.n);
        expect_refusal("two embeddings", names[only]);
        release(&t);
    }
    clear();
}

static void shards(void **state) {
    (void)state;
    tensors t;
    write_directory(models[1], NULL, NULL);
    unlink("imported/model.safetensors");
    fill(&t, models[1]);
    const int half = t.n / 2;
    write_tensors(&t, "model-00001-of-00002.safetensors", 0, half);
    write_tensors(&t, "model-00002-of-00002.safetensors", half, t.n - half);
    static const struct {
        const char *what, *first, *extra, *message;
    } table[] = {
        {"shards", "model-00001-of-00002.safetensors", "", NULL},
        {"a shard outside", "../model-00001-of-00002.safetensors", "", "is not a plain file name"},
        {"an absolute shard", "/model-00001-of-00002.safetensors", "", "is not a plain file name"},
        {"a shard that is not there", "model-00003-of-00002.safetensors", "", "cannot open"},
        {"a tensor in the wrong shard", "model-00002-of-00002.safetensors", "", "is not in model-00002"},
        {"a tensor nobody has", "model-00001-of-00002.safetensors",
            ",\"x\":\"model-00002-of-00002.safetensors\"", "x is not in"},
    };
    for (size_t k = 0; k < sizeof table / sizeof *table; ++k) {
        tt_str index = {0};
        tt_str_append(&index, "{\"metadata\":{},\"weight_map\":{");
        for (int i = 0; i < t.n; ++i)
            tt_str_format(&index, "%s\"%s\":\"%s\"", i ? "," : "", t.names[i],
                i < half ? table[k].first : "model-00002-of-00002.safetensors");
        tt_str_format(&index, "%s}}", table[k].extra);
        write_text("model.safetensors.index.json", index.data);
        tt_str_close(&index);
        if (table[k].message)
            expect_refusal(table[k].what, table[k].message);
        else
            expect_import(models[1], false);
    }
    release(&t);
    clear();
}

static void tensors_at_odds(void **state) {
    (void)state;
    static const char norm[] = "encoder.final_layer_norm.weight",
                      q[] = "decoder.block.1.layer.0.SelfAttention.q.weight",
                      leftover[] = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
    tensors t;
    write_directory(models[0], NULL, NULL);
    fill(&t, models[0]);
    drop(&t, norm);
    write_tensors(&t, "model.safetensors", 0, t.n);
    expect_refusal("a missing tensor", "encoder.final_layer_norm.weight is missing");
    add(&t, "decoder.final_layer_norm.weight", norm);
    float *one = &t.data[place(&t, norm)][2], held = *one;
    *one = NAN;
    write_tensors(&t, "model.safetensors", 0, t.n);
    expect_refusal("NaN", "encoder.final_layer_norm.weight contains NaN at element 2");
    *one = -INFINITY;
    write_tensors(&t, "model.safetensors", 0, t.n);
    expect_refusal("Inf", "encoder.final_layer_norm.weight contains Inf");
    *one = held;
    tt_st_entry *e = &t.entries[place(&t, q)];
    e->shape[0] = 12, e->shape[1] = 15;
    write_tensors(&t, "model.safetensors", 0, t.n);
    expect_refusal("a shape", "SelfAttention.q.weight is [12, 15], config.json says [15, 12]");
    e->shape[0] = 15, e->shape[1] = 12;
    add(&t, "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", leftover);
    write_tensors(&t, "model.safetensors", 0, t.n);
    expect_import(models[0], false); // published files have it
    add(&t, norm, "classifier.weight");
    write_tensors(&t, "model.safetensors", 0, t.n);
    expect_refusal("a surplus tensor", "1 tensors do not belong to this model");
    assert_non_null(strstr(tt_error_message(), "unused:\n    classifier.weight"));
    assert_non_null(strstr(tt_error_message(), "--allow-unused"));
    expect_import(models[0], true);
    drop(&t, "classifier.weight");
    for (int i = 0; i < t.n; ++i) {
        char name[sizeof t.names[i]];
        strcpy(name, t.names[i]);
        snprintf(t.names[i], sizeof t.names[i], "module.%.*s", (int)sizeof name - 8, name);
    }
    write_tensors(&t, "model.safetensors", 0, t.n);
    expect_refusal("a wrapper", "there is no shared.weight; the names of its tensors begin with \"module.\"");
    release(&t);
    clear();
}

static void configurations(void **state) {
    (void)state;
    static const struct {
        int model;
        const char *from, *to, *message;
    } table[] = {
        {0, "\"model_type\": \"t5\"", "\"model_type\": \"bert\"", "model_type is bert"},
        {0, "\"model_type\": \"t5\"", "\"model_type\": \"umt5\"", "model_type is umt5"},
        {0, "\"model_type\": \"t5\"", "\"x\": 1", "model_type is missing"},
        {0, "\"is_encoder_decoder\": true", "\"is_encoder_decoder\": false", "must have a decoder"},
        {0, "\"feed_forward_proj\": \"relu\"", "\"feed_forward_proj\": \"gated-silu\"", "gated-silu"},
        {0, "\"decoder_start_token_id\": 0", "\"decoder_start_token_id\": 5", "decoder_start_token_id is 5"},
        {0, "\"d_ff\": 19", "\"d_ff\": \"19\"", "d_ff must be a whole number"},
        {0, "\"d_ff\": 19", "\"d_fff\": 19", "d_ff is missing"},
        {0, "\"d_ff\": 19", "\"d_ff\": 0", "d_ff is 0"},
        {0, "\"d_model\": 12", "\"d_model\": 13", "shared.weight is [1536, 12], config.json says [1536, 13]"},
        {0, "\"num_decoder_layers\": 3", "\"num_decoder_layers\": 2", "tensors do not belong to this model"},
        {0, "\"vocab_size\": 1536", "\"vocab_size\": 1499",
            "1500 pieces, but the model's vocabulary has 1499"},
        {0, "{", "{{", "config.json:1"},
        {0, "\"dropout_rate\": 0.1", "\"dropout_rate\": \"0.1\"",
            "dropout_rate must be a number, but is the string \"0.1\""},
        {0, "\"layer_norm_epsilon\": ", "\"layer_norm_epsilon\": \"1e-6\", \"x\": ",
            "layer_norm_epsilon must be a number"},
        {0, "\"dropout_rate\": 0.1", "\"dropout_rate\": NaN", "dropout_rate must be a number"},
        {0, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": \"true\"",
            "must be true or false, but is the string"},
        {0, "\"eos_token_id\": 1", "\"eos_token_id\": [1, 2]", "eos_token_id is a list; T5 needs 1"},
        {0, "\"eos_token_id\": 1", "\"eos_token_id\": \"1\"", "eos_token_id is the string \"1\""},
        {0, "\"dense_act_fn\": \"relu\"", "\"dense_act_fn\": \"silu\"", "but dense_act_fn is silu"},
        {1, "\"is_gated_act\": true", "\"is_gated_act\": false",
            "but dense_act_fn is gelu_new and is_gated_act false"},
        {0, "\"d_model\": 12", "\"hidden_size\": 13, \"d_model\": 12",
            "d_model is 12, but hidden_size, another name of it, is 13"},
        {0, "\"use_cache\": true", "\"quantization_config\": {\"quant_method\": \"bitsandbytes\"}",
            "quantization_config is set (bitsandbytes)"},
        {0, "\"use_cache\": true", "\"logits_scaling\": 8.0",
            "logits_scaling is 8, but a T5 has no such setting"},
        {0, "\"use_cache\": true", "\"tie_encoder_decoder\": true", "tie_encoder_decoder is set"},
        {0, "\"use_cache\": true", "\"auto_map\": {\"AutoModel\": \"m.M\"}", "auto_map is set"},
        {0, "\"d_ff\": 19", "\"d_ff\": 19, \"d_ff\": 20", "duplicate"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        write_directory(models[table[i].model], table[i].from, table[i].to);
        expect_refusal(table[i].to, table[i].message);
    }
    // Keys that are not needed may have any value, and null is no value.
    static const char *const idle[] = {"\"label_smoothing\": NaN", "\"limit\": Infinity", "\"x\": -Infinity",
        "\"model_max_length\": 1000000000000000019884624838656", "\"y\": 1e999",
        "\"d_model\": 12, \"hidden_size\": null", "\"logits_scaling\": null", "\"quantization_config\": null",
        "\"eos_token_id\": [1]"};
    for (size_t i = 0; i < sizeof idle / sizeof *idle; ++i) {
        write_directory(models[0],
            strncmp(idle[i], "\"d_model", 8) == 0 ? "\"d_model\": 12"
            : strstr(idle[i], "eos")              ? "\"eos_token_id\": 1"
                                                  : "\"use_cache\": true",
            idle[i]);
        expect_import(models[0], false);
    }
    // Older files: no num_decoder_layers where it is num_layers, no tie_word_embeddings.
    write_directory(models[0], "\"tie_word_embeddings\": true", "\"x\": 1");
    expect_import(models[0], false);
    clear();
}

// transformers 5 scales decoder outputs where scale_decoder_outputs says so, and ties the head where it is the embedding.
static void scale_of_decoder_outputs(void **state) {
    (void)state;
    tensors t;
    tt_checkpoint once, twice;
    write_directory(models[0], "\"tie_word_embeddings\": true",
        "\"tie_word_embeddings\": true, \"scale_decoder_outputs\": false, \"transformers_version\": "
        "\"5.24.0\"");
    OK(tt_huggingface_import(&once, directory, false, device));
    assert_true(once.model->config.tie_word_embeddings && !once.model->config.scale_decoder_outputs);
    OK(tt_checkpoint_save(
        "test_scale.h5", &(tt_checkpoint_write){.model = once.model, .tokenizer = once.tokenizer}));
    OK(tt_checkpoint_load(&twice, "test_scale.h5", device));
    assert_memory_equal(&twice.model->config, &once.model->config, sizeof once.model->config);
    tt_checkpoint_close(&twice);
    unlink("test_scale.h5");
    // Exported with a head of its own, so that transformers 4 does not scale either; imported as it was.
    OK(tt_huggingface_export(&once, directory, false, true));
    OK(tt_huggingface_import(&twice, directory, false, device));
    expect_same(&twice, once.model);
    tt_checkpoint_close(&once);
    tt_checkpoint_close(&twice);
    // A head that differs is kept, and takes the scale of d_model^-0.5 into its weights.
    write_directory(models[0], "\"tie_word_embeddings\": true",
        "\"tie_word_embeddings\": true, \"scale_decoder_outputs\": true");
    fill(&t, models[0]);
    add(&t, "shared.weight", "lm_head.weight");
    t.data[place(&t, "lm_head.weight")][3] = 2;
    write_tensors(&t, "model.safetensors", 0, t.n);
    OK(tt_huggingface_import(&once, directory, false, device));
    assert_true(!once.model->config.tie_word_embeddings && !once.model->config.scale_decoder_outputs);
    assert_true(fabsf(once.model->w[tt_model_find(once.model, "lm_head.weight")->offset + 3] -
                      2 / sqrtf(12)) < 1e-6f);
    tt_checkpoint_close(&once);
    release(&t);
    clear();
}

// The first logits for some source.
static void compute_logits(tt_model *model, float *out) {
    const int32_t slot = 0, token = 0, position = 0, start = 0, length = 7;
    tt_decoder *decoder;
    tt_batch batch = {0};
    float *logits;
    tiny_source(&batch, model->config.vocab_size, length, 1);
    OK(tt_decoder_open(&decoder, model, 1, 4, TINY_TOKENS));
    OK(tt_decoder_encode(decoder, &batch, 0));
    OK(tt_decoder_step(
        decoder, &(tt_decoder_slots){1, &slot, &token, &position, &start, &length, NULL}, &logits));
    OK(tt_device_download(device, out, logits, (size_t)model->config.vocab_size * sizeof *out));
    tt_decoder_close(decoder);
    tt_batch_close(&batch);
}

// Where config.json says the opposite of what the weights have, the message tells which key settles it. What it says is done,
// and the logits are those of transformers 5: of T5 scaled by d_model^-0.5 where the key is true, of mT5 never.
static void hints_about_the_head_are_right(void **state) {
    (void)state;
    enum { VOCABULARY = 1536 };
    static const struct {
        int model; // 0 is tied and scales, 1 has a head of its own and does not
        const char *type, *complaint;
        double ratio; // of the logits to those of the model that was exported; d_model is 12
    } table[] = {
        {1, "t5", "lm_head.weight differs from the embedding, though tie_word_embeddings is true",
            0.28867513},
        {1, "mt5", "lm_head.weight differs from the embedding, though tie_word_embeddings is true", 1},
        {0, "t5", "lm_head.weight is missing, though tie_word_embeddings is false", 3.46410162},
        {0, "mt5", "lm_head.weight is missing, though tie_word_embeddings is false", 3.46410162},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        static const char *const tied[] = {"\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"};
        const char *wrong = tied[1 - table[i].model];
        char type[64], said[512], edited[256], *end = NULL;
        float want[VOCABULARY], got[VOCABULARY];
        tt_checkpoint c;
        write_directory(models[table[i].model], tied[table[i].model], wrong);
        snprintf(type, sizeof type, "\"model_type\": \"%s\"", table[i].type);
        edit_config("\"model_type\": \"t5\"", type);
        expect_refusal(table[i].type, table[i].complaint);
        snprintf(said, sizeof said, "%s", tt_error_message());
        const char *hint = strstr(said, "add \"");
        assert_true(hint && (end = strstr(said, " to config.json")));
        *end = '\0';
        snprintf(edited, sizeof edited, "%s, %s", wrong, hint + strlen("add "));
        edit_config(wrong, edited);
        OK(tt_huggingface_import(&c, directory, false, device));
        compute_logits(models[table[i].model], want);
        compute_logits(c.model, got);
        for (int k = 0; k < VOCABULARY; ++k)
            if (!(fabs(got[k] - table[i].ratio * want[k]) <= 1e-5))
                fail_msg("%s, %s: logit %d is %g, expected %g", table[i].type, edited, k, (double)got[k],
                    table[i].ratio * want[k]);
        tt_checkpoint_close(&c);
    }
    clear();
}

static void directories(void **state) {
    (void)state;
    clear();
    expect_refusal("nothing", "No such file");
    write_directory(models[0], NULL, NULL);
    unlink("imported/spiece.model");
    expect_refusal("no tokenizer", "no spiece.model and no tokenizer.json");
    write_directory(models[0], NULL, NULL);
    unlink("imported/model.safetensors");
    expect_refusal("no weights", "no model.safetensors");
    write_text("pytorch_model.bin", "x");
    expect_refusal("a pickle", "python3 -c");
    assert_int_equal(symlink("model.safetensors", "imported/model.safetensors"), 0);
    expect_refusal("a link to itself", "Too many levels of symbolic links");
    clear();
    assert_int_equal(symlink(directory, directory), 0);
    expect_refusal("a directory that links to itself", "Too many levels of symbolic links");
    unlink(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(tied_weights_under_any_name),
        cmocka_unit_test(shards),
        cmocka_unit_test(tensors_at_odds),
        cmocka_unit_test(configurations),
        cmocka_unit_test(scale_of_decoder_outputs),
        cmocka_unit_test(hints_about_the_head_are_right),
        cmocka_unit_test(directories),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
