// Every key of a configuration.
#include "host/config/config_keys.h"

#include "host/base/memory.h"
#include "host/base/str.h"
#include "kernels/device.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(tt_config, field)
#define TEXT(path, field, initial, words, help)                                                              \
    { path, TT_KEY_TEXT, AT(field), initial, 0, 0, words, help }
#define INTEGER(path, field, initial, low, high, help)                                                       \
    { path, TT_KEY_INTEGER, AT(field), initial, low, high, NULL, help }
#define REAL(path, field, initial, low, high, help)                                                          \
    { path, TT_KEY_REAL, AT(field), initial, low, high, NULL, help }
#define BOOL(path, field, initial, help)                                                                     \
    { path, TT_KEY_BOOL, AT(field), initial, 0, 0, NULL, help }
#define LIST(path, field, initial, words, help)                                                              \
    { path, TT_KEY_LIST, AT(field), initial, 0, 0, words, help }

// What all phases share; their defaults differ where the arguments say.
#define UPDATES(name, field, batch, lr, dropout_, validate, validate_help, save)                             \
    INTEGER(name ".batch_size", field.batch_size, batch, 1, 1e7,                                             \
        "examples of the global batch, whatever the number of ranks"),                                       \
        INTEGER(name ".accumulate", field.accumulate, "1", 1, 1e6,                                           \
            "parts that a batch is cut into to save memory; the result is the same"),                        \
        REAL(name ".learning_rate", field.learning_rate, lr, 0, 10, "peak learning rate"),                   \
        REAL(name ".warmup", field.warmup, "0.1", 0, 1, "share of all steps with a linearly rising rate"),   \
        TEXT(name ".schedule", field.schedule, "cosine", "cosine|linear|constant", "after the warm-up"),     \
        REAL(name ".min_learning_rate", field.min_learning_rate, "0", 0, 1,                                  \
            "share of learning_rate that the schedule ends at"),                                             \
        REAL(name ".beta1", field.beta1, "0.9", 0, 0.999999, "AdamW"),                                       \
        REAL(name ".beta2", field.beta2, "0.999", 0, 0.999999999, "AdamW"),                                  \
        REAL(name ".eps", field.eps, "1e-8", 1e-30, 1, "AdamW"),                                             \
        REAL(name ".weight_decay", field.weight_decay, "0", 0, 10, "AdamW, decoupled"),                      \
        REAL(name ".clip", field.clip, "1", 0, 1e9, "largest norm of the gradient; 0 = never clipped"),      \
        REAL(name ".dropout", field.dropout, dropout_, -1, 0.99, "-1 = the model's own rate"),               \
        INTEGER(name ".validate_every", field.validate_every, validate, 0, 1e12, validate_help),             \
        INTEGER(name ".patience", field.patience, "0", 0, 1e9,                                               \
            "stop early after so many validations in a row that are not better than the best; 0 = never"),   \
        INTEGER(name ".validation_questions", field.validation_questions, "0", 0, 1e9,                       \
            "validate on the first so many; 0 = the whole split"),                                           \
        INTEGER(name ".log_every", field.log_every, "10", 1, 1e9, "steps between lines of metrics.jsonl"),   \
        INTEGER(name ".save_every", field.save_every, save, 0, 1e12,                                         \
            "steps between checkpoints to resume from, besides those at validations; 0 = none")

// A supervised phase.
#define TRAINING(name, field, on, steps_, batch, lr, dropout_, validate, validate_help, save)                \
    BOOL(name ".enabled", field.enabled, on, "run this phase"),                                              \
        REAL(name ".epochs", field.epochs, "10", 0, 1e6,                                                     \
            "total steps = epochs x batches of all its data sets, unless steps says"),                       \
        INTEGER(name ".steps", field.steps, steps_, 0, 1e12, "total optimiser steps; 0 = from epochs"),      \
        INTEGER(name ".max_input", field.max_input, "512", 2, 1e6,                                           \
            "tokens of an input that is trained on, </s> included"),                                         \
        INTEGER(name ".max_target", field.max_target, "200", 2, 1e6,                                         \
            "tokens of a target that is trained on, </s> included"),                                         \
        UPDATES(name, field, batch, lr, dropout_, validate, validate_help, save)

static const tt_key keys[] = {
    TEXT("name", name, "run", NULL, "of the run; its directory is output/name"),
    INTEGER("seed", seed, "1", 0, 9e15, "Seed for every random choice: order, dropout, sampling."),
    TEXT("device", device, "auto", "auto|cpu|cuda", "where to compute"),
    TEXT("precision", precision, "auto", TT_PRECISION_WORDS,
        "of matrix products; bf16 keeps fp32 weights, norms, softmax and loss; auto = bf16 where the device "
        "is "
        "fast in it, else fp32, and a run keeps what it began with"),
    INTEGER("threads", threads, "0", 0, 4096, "of a rank; 0 = all cores"),
    TEXT("output", output, "runs", NULL, "folder that holds the run directory"),
    TEXT("log", log, "metrics", "metrics|tensorboard",
        "metrics.jsonl alone, or event files for TensorBoard as well"),
    TEXT("corpus", corpus, "", NULL, "corpus .h5, or a world .yaml that is built into the run directory"),
    TEXT("stages", stages, "all", "all|no_recall|no_analyze|summarize_only|chain_of_thought|step_by_step",
        "stages of the student; or a baseline: summarize_only = answers alone, chain_of_thought = rationale "
        "and answer in one text, step_by_step = Distilling step-by-step"),
    TEXT("model.start", model.start, "", NULL,
        "checkpoint to start from; empty = random weights of the shape below"),
    TEXT("model.tokenizer", model.tokenizer, "", NULL, "SentencePiece .model, for a random start"),
    INTEGER("model.extra_ids", model.extra_ids, "100", 0, 1000,
        "sentinels of span corruption, for a random start"),
    TEXT("model.shape", model.shape, "t5-small",
        "t5-small|t5-base|t5-large|t5-3b|t5-11b|t5-v1_1-small|t5-v1_1-base|t5-v1_1-large|t5-v1_1-xl|t5-v1_1-"
        "xxl|custom",
        "a known shape, or custom with the sizes below"),
    TEXT("model.init", model.init, "t5", "t5|copy",
        "random weights: as in T5, or structured so that copying is there"),
    INTEGER("model.d_model", model.d_model, "128", 1, 65536, "custom shape"),
    INTEGER("model.d_kv", model.d_kv, "32", 1, 4096, "custom shape"),
    INTEGER("model.d_ff", model.d_ff, "512", 1, 1048576, "custom shape"),
    INTEGER("model.num_layers", model.num_layers, "2", 1, 255, "custom shape: encoder layers"),
    INTEGER(
        "model.num_decoder_layers", model.num_decoder_layers, "2", 1, 255, "custom shape: decoder layers"),
    INTEGER("model.num_heads", model.num_heads, "4", 1, 256, "custom shape"),
    INTEGER("model.relative_attention_num_buckets", model.relative_attention_num_buckets, "32", 4, 4096,
        "custom shape"),
    INTEGER("model.relative_attention_max_distance", model.relative_attention_max_distance, "128", 1, 1048576,
        "custom shape"),
    REAL("model.dropout_rate", model.dropout_rate, "0.1", 0, 0.99, "custom shape"),
    TEXT("model.feed_forward", model.feed_forward, "relu", "relu|gated-gelu", "custom shape"),
    BOOL("model.tie_word_embeddings", model.tie_word_embeddings, "true", "custom shape"),
    TRAINING("pretraining", pretraining.train, "false", "10000", "128", "1e-3", "0", "1000",
        "steps between validations; 0 = at the end", "1000"),
    LIST("pretraining.text", pretraining.text, "", NULL, "text files, one document a line: span corruption"),
    LIST("pretraining.pairs", pretraining.pairs, "", NULL,
        "JSONL files of {\"input\", \"target\"}: reading tasks"),
    REAL("pretraining.pairs_share", pretraining.pairs_share, "0.5", 0, 1,
        "share of examples that are reading tasks"),
    REAL("pretraining.noise_density", pretraining.noise_density, "0.15", 0.01, 0.9,
        "share of tokens that are masked"),
    REAL("pretraining.mean_span", pretraining.mean_span, "3", 1, 100, "mean tokens of a masked span"),
    INTEGER("pretraining.window", pretraining.window, "128", 8, 100000,
        "tokens of a document that an example takes"),
    TRAINING("acquisition", acquisition, "true", "0", "64", "5e-4", "-1", "1",
        "cycles between validations; 0 = at the end", "0"),
    INTEGER("acquisition.interval", acquisition.interval, "100", 1, 1e9,
        "steps of recall before the cycle moves on (analyze: times the number of options)"),
    REAL("acquisition.rationale_weight", rationale_weight, "0.5", 0, 100,
        "stages: step_by_step: loss = label + rationale_weight x rationale"),
    INTEGER("reflection.iterations", reflection.iterations, "0", 0, 99,
        "rounds of preference training on the student's own generations; 0 = none"),
    TEXT("reflection.targets", reflection.targets, "both", "recall|analyze|both", "what pairs are made of"),
    INTEGER("reflection.samples", reflection.samples, "10", 1, 1000, "runs per training question"),
    INTEGER("reflection.questions", reflection.questions, "0", 0, 1e9,
        "generate for so many training questions, drawn anew each iteration; 0 = all"),
    REAL("reflection.temperature", reflection.temperature, "0.7", 1e-6, 100, "of sampled texts"),
    INTEGER("reflection.top_k", reflection.top_k, "0", 0, 1e6, "0 = all"),
    REAL("reflection.top_p", reflection.top_p, "1", 1e-6, 1, "1 = all"),
    TEXT("reflection.loss", reflection.loss, "sigmoid", "sigmoid|hinge|ipo|robust", "preference loss"),
    REAL("reflection.beta", reflection.beta, "0.5", 1e-9, 1000, "strength of the tie to the reference model"),
    REAL("reflection.nll_weight", reflection.nll_weight, "0.5", 0, 1000,
        "loss = preference + nll_weight x mean cross-entropy over the tokens of the chosen texts"),
    REAL("reflection.label_smoothing", reflection.label_smoothing, "0", 0, 0.499999,
        "share of pairs taken to be the wrong way round (sigmoid, robust)"),
    BOOL("reflection.length_normalised", reflection.length_normalised, "false",
        "log-probabilities of texts are means over their tokens instead of sums"),
    INTEGER("reflection.cycles", reflection.cycles, "10", 1, 1e6,
        "per iteration; a cycle is one pass over all recall pairs, then one over all analyze pairs, each in "
        "a "
        "new shuffled order (with targets: recall or analyze, over those alone)"),
    INTEGER("reflection.max_input", reflection.train.max_input, "200", 2, 1e6,
        "tokens of a pair's prompt in training, </s> included; texts are written and answers validated under "
        "evaluation.max_input"),
    INTEGER("reflection.max_target", reflection.train.max_target, "200", 2, 1e6,
        "tokens of a pair's text in training, </s> included; texts are written under evaluation.max_length"),
    UPDATES("reflection", reflection.train, "32", "5e-6", "0", "1",
        "cycles between validations; 0 = at the end", "0"),
    LIST(
        "evaluation.splits", evaluation.splits, "test", "train|validation|test|control", "scored at the end"),
    INTEGER("evaluation.questions", evaluation.questions, "0", 0, 1e9,
        "score the first so many of each split; 0 = all"),
    INTEGER("evaluation.samples", evaluation.samples, "10", 0, 10000,
        "self-consistency: runs per question that vote; 0 = off"),
    REAL("evaluation.temperature", evaluation.temperature, "0.7", 0, 100, "of sampled recall and analyze"),
    INTEGER("evaluation.top_k", evaluation.top_k, "0", 0, 1e6, "0 = all"),
    REAL("evaluation.top_p", evaluation.top_p, "1", 1e-6, 1, "1 = all"),
    INTEGER("evaluation.max_input", evaluation.max_input, "0", 0, 1e6,
        "tokens of a prompt, </s> included, wherever the student writes: pairs of reflection, validation of "
        "every phase, the final evaluation; 0 = acquisition.max_input"),
    INTEGER("evaluation.max_length", evaluation.max_length, "200", 2, 1e6,
        "generated tokens, the start token counted: of pairs, validation and the final evaluation"),
    INTEGER("evaluation.min_length", evaluation.min_length, "0", 0, 1e6,
        "no text ends before so many tokens, the start token counted; 0 = off"),
    REAL("evaluation.repetition_penalty", evaluation.repetition_penalty, "1", 1e-3, 100,
        "of tokens that the text has already; 1 = off"),
    INTEGER("evaluation.beams", evaluation.beams, "1", 1, 256,
        "beam search where texts are not sampled, in the final evaluation; 1 = greedy"),
    REAL("evaluation.length_penalty", evaluation.length_penalty, "1", -100, 100,
        "of beam search: score = sum of log-probabilities / length^length_penalty"),
    TEXT("evaluation.early_stopping", evaluation.early_stopping, "false", "false|true|never",
        "of beam search, as in Hugging Face's generate"),
    INTEGER("evaluation.slots", evaluation.slots, "256", 1, 65536, "sequences decoded at a time"),
};
enum { KEYS = sizeof keys / sizeof *keys };

// Keys of earlier versions. None of them ever changed what a run does.
static const struct {
    const char *path, *advice;
} removed[] = {
    {"pretraining.interval",
        "it never had an effect, since pretraining has no stages to take turns; remove it"},
};

const char *tt_key_removed(const char *path) {
    for (size_t i = 0; i < sizeof removed / sizeof *removed; ++i)
        if (strcmp(removed[i].path, path) == 0) return removed[i].advice;
    return NULL;
}

const tt_key *tt_keys(int *n) {
    *n = KEYS;
    return keys;
}

const tt_key *tt_key_find(const char *path) {
    for (int i = 0; i < KEYS; ++i)
        if (strcmp(keys[i].path, path) == 0) return &keys[i];
    return NULL;
}

bool tt_key_is_section(const char *path) {
    const size_t n = strlen(path);
    for (int i = 0; i < KEYS; ++i)
        if (strncmp(keys[i].path, path, n) == 0 && keys[i].path[n] == '.') return true;
    return false;
}

const char *tt_key_nearest(const char *path) {
    const char *names[KEYS + 5] = {"model", "pretraining", "acquisition", "reflection", "evaluation"};
    for (int i = 0; i < KEYS; ++i) names[5 + i] = keys[i].path;
    return tt_nearest(path, names, KEYS + 5);
}

static bool word_allowed(const char *words, const char *text) {
    const size_t n = strlen(text);
    for (const char *p = words; p; p = strchr(p, '|')) {
        if (*p == '|') ++p;
        const size_t length = strcspn(p, "|");
        if (length == n && strncmp(p, text, n) == 0) return true;
    }
    return false;
}

static tt_status check_words(const tt_key *key, const char *text) {
    if (!key->words || word_allowed(key->words, text)) return TT_OK;
    tt_precision precision;
    if (strcmp(key->path, "precision") == 0 && tt_precision_parse(&precision, text) != TT_OK)
        return tt_context(TT_ERR_CONFIG, "%s", key->path); // which knows more about it
    tt_str list = {0};                                     // "a|b|c" as "a, b, c"
    for (const char *p = key->words; *p; ++p) tt_str_append_n(&list, *p == '|' ? ", " : p, *p == '|' ? 2 : 1);
    tt_fail(TT_ERR_CONFIG, "%s: '%s' is not allowed; allowed are %s", key->path, text, tt_str_text(&list));
    tt_str_close(&list);
    return TT_ERR_CONFIG;
}

static tt_status replace(char **slot, const char *text) {
    char *copy;
    TT_TRY(tt_strdup(&copy, text));
    free(*slot);
    *slot = copy;
    return TT_OK;
}

static tt_status set_number(const tt_key *key, void *slot, const char *text) {
    char *end;
    errno = 0;
    const double value = strtod(text, &end);
    const bool integer = key->type == TT_KEY_INTEGER;
    if (*text == '\0' || *end || errno || !isfinite(value) || (integer && value != floor(value)))
        return tt_fail(
            TT_ERR_CONFIG, "%s: '%s' is no %s", key->path, text, integer ? "whole number" : "number");
    if (value < key->low || value > key->high)
        return tt_fail(TT_ERR_CONFIG, "%s: %s is out of range; allowed are %.10g to %.10g", key->path, text,
            key->low, key->high);
    if (integer)
        *(int64_t *)slot = (int64_t)value;
    else
        *(double *)slot = value;
    return TT_OK;
}

static tt_status set_bool(const tt_key *key, bool *slot, const char *text) {
    const bool yes = strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "on") == 0;
    const bool no = strcmp(text, "false") == 0 || strcmp(text, "no") == 0 || strcmp(text, "off") == 0;
    if (!yes && !no) return tt_fail(TT_ERR_CONFIG, "%s: '%s' is neither true nor false", key->path, text);
    *slot = yes;
    return TT_OK;
}

void tt_key_clear(tt_config *config, const tt_key *key) {
    tt_text_list *list = (tt_text_list *)((char *)config + key->offset);
    for (int i = 0; i < list->n; ++i) free(list->items[i]);
    *list = (tt_text_list){0};
}

tt_status tt_key_append(tt_config *config, const tt_key *key, const char *text) {
    tt_text_list *list = (tt_text_list *)((char *)config + key->offset);
    TT_TRY(check_words(key, text));
    if (list->n == TT_MAX_LIST)
        return tt_fail(TT_ERR_CONFIG, "%s: more than %d entries", key->path, TT_MAX_LIST);
    TT_TRY(replace(&list->items[list->n], text));
    list->n++;
    return TT_OK;
}

// "a, b" or "[a, b]"
static tt_status set_list(tt_config *config, const tt_key *key, const char *text) {
    tt_key_clear(config, key);
    const size_t n = strlen(text);
    const bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    const char *p = text + brackets, *end = text + n - brackets;
    while (p < end) {
        const char *stop = memchr(p, ',', (size_t)(end - p));
        if (!stop) stop = end;
        const char *from = p + strspn(p, " "), *to = stop;
        while (to > from && to[-1] == ' ') --to;
        if (to > from) {
            char item[4096];
            if ((size_t)(to - from) >= sizeof item)
                return tt_fail(TT_ERR_CONFIG, "%s: an entry is too long", key->path);
            memcpy(item, from, (size_t)(to - from));
            item[to - from] = '\0';
            TT_TRY(tt_key_append(config, key, item));
        }
        p = stop + 1;
    }
    return TT_OK;
}

tt_status tt_key_set(tt_config *config, const tt_key *key, const char *text) {
    void *slot = (char *)config + key->offset;
    switch (key->type) {
    case TT_KEY_TEXT:
        TT_TRY(check_words(key, text));
        return replace(slot, text);
    case TT_KEY_INTEGER:
    case TT_KEY_REAL:
        return set_number(key, slot, text);
    case TT_KEY_BOOL:
        return set_bool(key, slot, text);
    case TT_KEY_LIST:
        return set_list(config, key, text);
    }
    return tt_fail(TT_ERR_INTERNAL, "%s: unknown type of key", key->path);
}
