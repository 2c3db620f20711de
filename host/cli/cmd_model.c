// tinythinker model: makes random students; shows, imports, exports and converts checkpoints.
#include "host/base/log.h"
#include "host/base/str.h"
#include "host/base/target.h"
#include "host/base/version.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/model/checkpoint.h"
#include "host/model/huggingface/huggingface.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Writes a new model with a note of how it was made.
static tt_status save_start(
    const char *out, const tt_checkpoint_write *start, const char *how, int64_t seed) {
    json_t *root = json_pack("{s:{s:s, s:s, s:s, s:I}}", "provenance", "made_by", tt_version_line(),
        "command", "model init", "init", how, "seed", (json_int_t)seed);
    char *state = root ? json_dumps(root, 0) : NULL;
    json_decref(root);
    if (!state) return tt_fail(TT_ERR_NOMEM, "%s: provenance", out);
    tt_checkpoint_write whole = *start;
    whole.state = state;
    tt_status status = tt_checkpoint_save(out, &whole);
    free(state);
    return status;
}

static tt_status init_model(int argc, char **argv) {
    const char *out = NULL, *tokenizer = NULL, *shape = NULL, *how = "t5";
    int64_t seed = 1, extra_ids = 100, d_model = 128, d_kv = 32, d_ff = 512, layers = 2, decoder_layers = 0,
            heads = 4;
    bool bf16 = false, gated = false, untied = false, help;
    tt_texts rest;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.h5", TT_OUTPUT_FILE, "The checkpoint to write."),
        TT_OPTION_PATH(
            "tokenizer", &tokenizer, "F.model", TT_INPUT, "SentencePiece model, which is stored inside."),
        TT_OPTION_WORD(
            "shape", &shape, "NAME", TT_WORDS(TT_SHAPE_MAP), "Shape by name. Without it, the sizes below."),
        TT_OPTION_INTEGER("d-model", &d_model, "N", 1, 65536, "Width of the model (default 128)."),
        TT_OPTION_INTEGER("d-kv", &d_kv, "N", 1, 4096, "Width of an attention head (default 32)."),
        TT_OPTION_INTEGER("d-ff", &d_ff, "N", 1, 1048576, "Width of the feed-forward layer (default 512)."),
        TT_OPTION_INTEGER("layers", &layers, "N", 1, 255, "Encoder layers (default 2)."),
        TT_OPTION_INTEGER("decoder-layers", &decoder_layers, "N", 0, 255,
            "Decoder layers (default 0: as many as encoder layers)."),
        TT_OPTION_INTEGER("heads", &heads, "N", 1, 256, "Attention heads (default 4)."),
        TT_OPTION_FLAG("gated-gelu", &gated, "Uses the gated GELU of T5 1.1 instead of ReLU."),
        TT_OPTION_FLAG("untied", &untied, "Gives the LM head its own weights, as in T5 1.1."),
        TT_OPTION_INTEGER(
            "extra-ids", &extra_ids, "N", 0, 1000, "Sentinels of span corruption (default 100)."),
        TT_OPTION_WORD("init", &how, "HOW", TT_WORDS(TT_INIT_MAP),
            "Initialisation (default t5). copy is structured so that the student can copy from the start."),
        TT_OPTION_INTEGER("seed", &seed, "N", 0, 9e15, "Seed for the random weights (default 1)."),
        TT_OPTION_FLAG("bf16", &bf16, "Stores the weights in bf16."),
    };
    const tt_args args = {.usage = "tinythinker model init --tokenizer F.model -o F.h5 [options]",
        .about = "Makes a student with random weights.",
        .options = options,
        .n = sizeof options / sizeof *options};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out || !tokenizer)
        return tt_fail(TT_ERR_USAGE, "model init: %s is missing", out ? "--tokenizer" : "-o");
    tt_init kind;
    if (tt_init_parse(&kind, how) != TT_OK) return tt_context(TT_ERR_USAGE, "model init: --init");
    tt_model_config c = {.d_model = (int)d_model,
        .d_kv = (int)d_kv,
        .d_ff = (int)d_ff,
        .num_layers = (int)layers,
        .num_decoder_layers = (int)(decoder_layers ? decoder_layers : layers),
        .num_heads = (int)heads,
        .relative_attention_num_buckets = 32,
        .relative_attention_max_distance = 128,
        .dropout_rate = 0.1f,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1,
        .activation = gated ? TT_GATED_GELU : TT_RELU,
        .tie_word_embeddings = !untied,
        .scale_decoder_outputs = !untied};
    if (shape) TT_TRY(tt_model_preset(&c, shape));
    tt_tokenizer *t;
    tt_device *device = NULL;
    tt_model *model = NULL;
    TT_TRY(tt_tokenizer_load(&t, tokenizer, (int)extra_ids));
    if (!shape || tt_tokenizer_size(t) > c.vocab_size) c.vocab_size = (tt_tokenizer_size(t) + 63) / 64 * 64;
    tt_status status = tt_device_open(&device, "cpu", TT_FP32, 0);
    if (status == TT_OK) status = tt_model_open(&model, &c, device);
    if (status == TT_OK) status = tt_model_init(model, kind, (uint64_t)seed);
    if (status == TT_OK) {
        const tt_checkpoint_write start = {.model = model, .tokenizer = t, .bf16 = bf16};
        status = save_start(out, &start, how, seed);
    }
    if (status == TT_OK) tt_info("wrote %s: %.2f M parameters", out, (double)model->size / 1e6);
    tt_model_close(model);
    tt_device_close(device);
    tt_tokenizer_close(t);
    return status;
}

static tt_status open_checkpoint(tt_checkpoint *c, tt_device **device, const char *path) {
    TT_TRY(tt_device_open(device, "cpu", TT_FP32, 0));
    tt_status status = tt_checkpoint_load(c, path, *device);
    if (status != TT_OK) tt_device_close(*device);
    return status;
}

// Prints where the weights come from: made, imported, or trained by a phase of a run.
static void show_provenance(const char *state) {
    json_t *root = json_loads(state ? state : "", 0, NULL), *made = json_object_get(root, "provenance"),
           *value;
    const char *key, *phase = json_string_value(json_object_get(root, "phase"));
    if (phase)
        printf("  training     %s, step %lld of %lld; best after step %lld (score %.4f); %.2f million tokens "
               "in %.0f s\n",
            phase, (long long)json_integer_value(json_object_get(root, "step")),
            (long long)json_integer_value(json_object_get(root, "total")),
            (long long)json_integer_value(json_object_get(root, "best_step")),
            json_number_value(json_object_get(root, "best_score")),
            json_number_value(json_object_get(root, "tokens")) / 1e6,
            json_number_value(json_object_get(root, "seconds")));
    json_object_foreach(made, key, value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        const bool string = json_is_string(value);
        if (text) printf("  %-17s %s\n", key, string ? json_string_value(value) : text);
        free(text);
    }
    if (!phase && !made) printf("  provenance   none recorded\n");
    json_decref(root);
}

static void show_adapters(const tt_checkpoint *c) {
    char targets[TT_ADAPTER_TARGETS_TEXT];
    const tt_adapters *live = c->model->adapters;
    if (!c->adapted) return;
    printf(
        "  adapters     on %s, hash %016llx\n", c->adapted->base, (unsigned long long)c->adapted->base_hash);
    for (int i = 0; i < c->adapted->n + (live != NULL); ++i) {
        const tt_adapter_options *o = i < c->adapted->n ? &c->adapted->sets[i].options : &live->options;
        tt_adapter_targets_text(o->targets, targets);
        printf("    set %-3d    rank %d, alpha %g, for %s\n", i + 1, o->rank, o->alpha, targets);
    }
}

static tt_status show_model(int argc, char **argv) {
    tt_texts rest;
    bool help, parameters = false;
    const tt_arg options[] = {TT_OPTION_FLAG("parameters", &parameters, "Lists every tensor.")};
    const tt_args args = {.usage = "tinythinker model show F.h5 [options]",
        .about = "Shows the shape, tokenizer, weights and history of a checkpoint.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = 1};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    tt_checkpoint c;
    tt_device *device;
    uint64_t hash = 0;
    TT_TRY(open_checkpoint(&c, &device, rest.items[0]));
    const tt_status status = tt_checkpoint_hash(&c, &hash);
    if (status != TT_OK) {
        tt_checkpoint_close(&c);
        tt_device_close(device);
        return status;
    }
    const tt_model_config *m = &c.model->config;
    printf("%s\n", rest.items[0]);
    printf("  model        T5 %s, %d + %d layers, d_model %d, %d heads of %d, d_ff %d (%s), %s embedding%s\n",
        m->activation == TT_GATED_GELU ? "1.1" : "1.0", m->num_layers, m->num_decoder_layers, m->d_model,
        m->num_heads, m->d_kv, m->d_ff, m->activation == TT_GATED_GELU ? "gated GELU" : "ReLU",
        m->tie_word_embeddings ? "tied" : "untied",
        m->tie_word_embeddings == m->scale_decoder_outputs ? ""
        : m->scale_decoder_outputs                         ? ", scaled decoder outputs"
                                                           : ", unscaled decoder outputs");
    printf("  parameters   %zu in %d tensors (%.2f M)\n", c.model->size, c.model->n_parameters,
        (double)c.model->size / 1e6);
    printf("  positions    %d buckets up to distance %d\n", m->relative_attention_num_buckets,
        m->relative_attention_max_distance);
    printf("  vocabulary   %d rows; dropout %g, layer norm epsilon %g\n", m->vocab_size,
        (double)m->dropout_rate, (double)m->layer_norm_epsilon);
    printf("  tokenizer    %d pieces and %d sentinels, hash %016llx\n", tt_tokenizer_pieces(c.tokenizer),
        tt_tokenizer_extra_ids(c.tokenizer), (unsigned long long)tt_tokenizer_hash(c.tokenizer));
    printf("  weights      hash %016llx%s\n", (unsigned long long)hash,
        c.has_moments ? ", with optimizer moments" : "");
    show_adapters(&c);
    show_provenance(c.state);
    for (int i = 0; i < c.model->n_parameters && parameters; ++i) {
        const tt_parameter *p = &c.model->parameters[i];
        printf("  %-64s [%d, %d]\n", p->name, p->rows, p->columns);
    }
    tt_checkpoint_close(&c);
    tt_device_close(device);
    return TT_OK;
}

static tt_status convert_model(int argc, char **argv) {
    const char *out = NULL;
    bool bf16 = false, help;
    tt_texts rest;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.h5", TT_OUTPUT_FILE, "The checkpoint to write."),
        TT_OPTION_FLAG("bf16", &bf16, "Stores the weights in bf16."),
    };
    const tt_args args = {.usage = "tinythinker model convert F.h5 -o G.h5 [options]",
        .about = "Copies a checkpoint's weights and tokenizer, without optimizer moments; adapters are "
                 "merged into the "
                 "weights.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = 1};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return tt_fail(TT_ERR_USAGE, "model convert: -o is missing");
    tt_checkpoint c;
    tt_device *device;
    TT_TRY(open_checkpoint(&c, &device, rest.items[0]));
    tt_status status = tt_checkpoint_settle(&c);
    if (status == TT_OK)
        status = tt_checkpoint_save(
            out, &(tt_checkpoint_write){
                     .model = c.model, .tokenizer = c.tokenizer, .bf16 = bf16, .state = c.state});
    if (status == TT_OK) tt_info("wrote %s", out);
    tt_checkpoint_close(&c);
    tt_device_close(device);
    return status;
}

// A file in the folder that is read is replaced only where its name says that it is a checkpoint of this program.
static tt_status check_import(const char *folder, const char *out) {
    tt_target target;
    char place[TT_PATH_MAX];
    TT_TRY(tt_target_find(&target, out));
    TT_TRY(tt_path_dir(place, sizeof place, out));
    if (!target.exists || !tt_target_same(place, folder) || tt_ends_with(out, ".h5")) return TT_OK;
    return tt_fail(
        TT_ERR_USAGE, "model import: -o %s: is a file of the model that is read; write to another one", out);
}

static tt_status import_model(int argc, char **argv) {
    const char *out = NULL;
    bool bf16 = false, allow_unused = false, help;
    tt_texts rest;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.h5", TT_OUTPUT_FILE, "The checkpoint to write."),
        TT_OPTION_FLAG("bf16", &bf16, "Stores the weights in bf16."),
        TT_OPTION_FLAG("allow-unused", &allow_unused, "Ignores tensors that the model does not have."),
    };
    const tt_args args = {.usage = "tinythinker model import DIR -o F.h5 [options]",
        .about = "Imports a T5, T5 1.1, Flan-T5 or mT5 from a Hugging Face directory with config.json, "
                 "model.safetensors, and spiece.model or tokenizer.json.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = 1};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return tt_fail(TT_ERR_USAGE, "model import: -o is missing");
    TT_TRY(check_import(rest.items[0], out));
    tt_checkpoint c;
    tt_device *device;
    TT_TRY(tt_device_open(&device, "cpu", TT_FP32, 0));
    tt_status status = tt_huggingface_import(&c, rest.items[0], allow_unused, device);
    if (status == TT_OK) {
        status = tt_checkpoint_save(
            out, &(tt_checkpoint_write){
                     .model = c.model, .tokenizer = c.tokenizer, .bf16 = bf16, .state = c.state});
        if (status == TT_OK) tt_info("wrote %s: %.2f M parameters", out, (double)c.model->size / 1e6);
        tt_checkpoint_close(&c);
    }
    tt_device_close(device);
    return status;
}

static tt_status export_model(int argc, char **argv) {
    const char *out = NULL;
    bool bf16 = false, force = false, adapters = false, help;
    tt_texts rest;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "DIR", TT_OUTPUT_FOLDER, "The directory to write."),
        TT_OPTION_FLAG("adapters", &adapters,
            "Writes the adapters alone, as PEFT does. Without it they are merged into the weights."),
        TT_OPTION_FLAG("bf16", &bf16, "Writes the weights in BF16 instead of F32."),
        TT_OPTION_FLAG("force", &force, "Replaces a model's files in a directory that is not empty."),
    };
    const tt_args args = {.usage = "tinythinker model export F.h5 -o DIR [options]",
        .about = "Exports a directory that Hugging Face's AutoModelForSeq2SeqLM and T5Tokenizer can load.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = 1};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return tt_fail(TT_ERR_USAGE, "model export: -o is missing");
    tt_checkpoint c;
    tt_device *device;
    TT_TRY(open_checkpoint(&c, &device, rest.items[0]));
    tt_status status = tt_checkpoint_settle(&c);
    if (status == TT_OK)
        status = adapters ? tt_huggingface_export_adapters(&c, out, bf16, force)
                          : tt_huggingface_export(&c, out, bf16, force);
    if (status == TT_OK) tt_info("wrote %s", out);
    tt_checkpoint_close(&c);
    tt_device_close(device);
    return status;
}

tt_status tt_cmd_model(int argc, char **argv) {
    static const tt_subcommand commands[] = {
        {"init", init_model, "Makes a student with random weights."},
        {"show", show_model, "Shows the contents of a checkpoint."},
        {"import", import_model, "Imports a checkpoint from a Hugging Face directory."},
        {"export", export_model, "Exports a checkpoint to a Hugging Face directory."},
        {"convert", convert_model, "Copies the weights alone, in fp32 or bf16."},
    };
    return tt_subcommand_run("model", commands, sizeof commands / sizeof *commands, argc, argv);
}
