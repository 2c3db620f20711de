// Every key of a configuration.
#include "host/config/config_keys.h"

#include "host/base/str.h"
#include "host/config/words.h"
#include "kernels/device.h"
#include "kernels/ops.h"

#include <string.h>

// The offset of a field, and a compile error where the field has another type than the row says.
#define FIELD(type, field) _Generic(&((tt_config *)0)->field, type * : offsetof(tt_config, field))

#define TEXT(role_, path_, field, initial_, words_, help_)                                                   \
    {                                                                                                        \
        .path = path_, .role = TT_ROLE_##role_, .type = TT_KEY_TEXT, .offset = FIELD(char *, field),         \
        .initial = initial_, .words = words_, .help = help_                                                  \
    }
#define INTEGER(role_, path_, field, initial_, low_, high_, help_)                                           \
    {                                                                                                        \
        .path = path_, .role = TT_ROLE_##role_, .type = TT_KEY_INTEGER, .offset = FIELD(int64_t, field),     \
        .initial = initial_, .low = low_, .high = high_, .help = help_                                       \
    }
#define REAL(role_, path_, field, initial_, low_, high_, help_)                                              \
    {                                                                                                        \
        .path = path_, .role = TT_ROLE_##role_, .type = TT_KEY_REAL, .offset = FIELD(double, field),         \
        .initial = initial_, .low = low_, .high = high_, .help = help_                                       \
    }
#define BOOL(role_, path_, field, initial_, help_)                                                           \
    {                                                                                                        \
        .path = path_, .role = TT_ROLE_##role_, .type = TT_KEY_BOOL, .offset = FIELD(bool, field),           \
        .initial = initial_, .help = help_                                                                   \
    }
#define LIST(role_, path_, field, initial_, words_, help_)                                                   \
    {                                                                                                        \
        .path = path_, .role = TT_ROLE_##role_, .type = TT_KEY_LIST, .offset = FIELD(tt_text_list, field),   \
        .initial = initial_, .words = words_, .help = help_                                                  \
    }

// What all phases share; their defaults differ where the arguments say.
#define UPDATES(name, field, batch, lr, dropout_, validate, validate_help, save)                             \
    INTEGER(TRAINING, name ".batch_size", field.batch_size, batch, 1, 1e7,                                   \
        "Examples in the global batch, whatever the number of ranks."),                                      \
        INTEGER(TRAINING, name ".accumulate", field.accumulate, "1", 1, 4096,                                \
            "Number of parts that a batch is cut into to save memory. The result is the same."),             \
        TEXT(PLACE, name ".recompute", field.recompute, "none", TT_WORDS(TT_RECOMPUTE_MAP),                  \
            "What backward computes again instead of keeping it, to save memory. layers = the inside of "    \
            "every layer, from the layer's input. The result is the same, on the CPU to the bit."),          \
        INTEGER(PLACE, name ".zero", field.zero, "0", 0, 1,                                                  \
            "Whether AdamW's moments are divided among the ranks: 1 = each rank updates its share of the "   \
            "weights and receives the others'. 0 = every rank has all of them."),                            \
        TEXT(TRAINING, name ".reduction", field.reduction, "fp32", TT_WORDS(TT_REDUCTION_MAP),               \
            "Precision in which the ranks' gradients are sent and added. bf16 halves the bytes; no effect "  \
            "with one rank."),                                                                               \
        REAL(TRAINING, name ".learning_rate", field.learning_rate, lr, 0, 10, "Peak learning rate."),        \
        REAL(TRAINING, name ".warmup", field.warmup, "0.1", 0, 1,                                            \
            "Share of all steps during which the learning rate rises linearly to its peak."),                \
        TEXT(TRAINING, name ".schedule", field.schedule, "cosine", TT_WORDS(TT_SCHEDULE_MAP),                \
            "How the learning rate falls after the warm-up."),                                               \
        REAL(TRAINING, name ".min_learning_rate", field.min_learning_rate, "0", 0, 1,                        \
            "Where the schedule ends, as a share of learning_rate."),                                        \
        REAL(TRAINING, name ".beta1", field.beta1, "0.9", 0, 0.999999,                                       \
            "AdamW: decay of the mean of gradients."),                                                       \
        REAL(TRAINING, name ".beta2", field.beta2, "0.999", 0, 0.999999999,                                  \
            "AdamW: decay of the mean of squared gradients."),                                               \
        REAL(TRAINING, name ".eps", field.eps, "1e-8", 1e-30, 1, "AdamW: added to the denominator."),        \
        REAL(TRAINING, name ".weight_decay", field.weight_decay, "0", 0, 10,                                 \
            "AdamW: decoupled weight decay."),                                                               \
        REAL(TRAINING, name ".clip", field.clip, "1", 0, 1e9,                                                \
            "Largest norm of the gradient; a longer one is scaled down to it. 0 = never."),                  \
        INTEGER(PLACE, name ".skip_limit", field.skip_limit, "5", 0, 1e9,                                    \
            "A step whose loss or gradient is NaN or infinite is skipped and counted. Training stops "       \
            "after this many of them in a row. 0 = never."),                                                 \
        REAL(TRAINING, name ".dropout", field.dropout, dropout_, -1, 0.99,                                   \
            "Dropout rate. -1 = the model's own."),                                                          \
        INTEGER(TRAINING, name ".validate_every", field.validate_every, validate, 0, 1e12, validate_help),   \
        INTEGER(TRAINING, name ".patience", field.patience, "0", 0, 1e9,                                     \
            "Training stops after this many validations in a row without an improvement. 0 = never."),       \
        INTEGER(TRAINING, name ".validation_questions", field.validation_questions, "0", 0, 1e9,             \
            "Validation uses this many questions, the first of the split. 0 = all."),                        \
        INTEGER(TRAINING, name ".log_every", field.log_every, "10", 1, 1e9,                                  \
            "Steps between lines of metrics.jsonl."),                                                        \
        INTEGER(TRAINING, name ".save_every", field.save_every, save, 0, 1e12,                               \
            "Steps between checkpoints to resume from, besides those at validations. 0 = none.")

// A supervised phase.
#define SUPERVISED(name, field, on, steps_, batch, lr, dropout_, validate, validate_help, save)              \
    BOOL(TRAINING, name ".enabled", field.enabled, on, "Whether the run has this phase."),                   \
        REAL(TRAINING, name ".epochs", field.epochs, "10", 0, 1e6,                                           \
            "Passes over the data where steps is 0: total steps = epochs x batches of all its data sets."),  \
        INTEGER(TRAINING, name ".steps", field.steps, steps_, 0, 1e12,                                       \
            "Total optimiser steps. 0 = computed from epochs."),                                             \
        INTEGER(TRAINING, name ".max_input", field.max_input, "512", 2, 1e6,                                 \
            "Training inputs are cut to this many tokens, </s> included."),                                  \
        INTEGER(TRAINING, name ".max_target", field.max_target, "200", 2, 1e6,                               \
            "Training targets are cut to this many tokens, </s> included."),                                 \
        UPDATES(name, field, batch, lr, dropout_, validate, validate_help, save)

static const tt_key keys[] = {
    TEXT(RUN, "name", name, "run", NULL, "Name of the run. Its directory is output/name."),
    INTEGER(RUN, "seed", seed, "1", 0, 9e15, "Seed for every random choice: order, dropout, sampling."),
    TEXT(PLACE, "device", device, "auto", TT_DEVICE_WORDS,
        "Where to compute. auto = cuda if this build and machine have it, else cpu."),
    TEXT(TRAINING, "precision", precision, "auto", TT_PRECISION_WORDS,
        "Precision of matrix products. bf16 keeps weights, norms, softmax and loss in fp32. "
        "auto = bf16 where the device is fast in it, else fp32; a run keeps the precision it began with."),
    INTEGER(PLACE, "threads", threads, "0", 0, 4096, "Compute threads of a rank. 0 = all cores."),
    TEXT(PLACE, "output", output, "runs", NULL, "Folder that contains the run directory."),
    TEXT(PLACE, "log", log, "metrics", TT_WORDS(TT_LOG_MAP),
        "Where metrics go: to metrics.jsonl alone, or to event files for TensorBoard as well."),
    TEXT(TRAINING, "corpus", corpus, "", NULL,
        "Questions and reasoning: a corpus .h5, or a world .yaml that is built into the run directory."),
    TEXT(TRAINING, "stages", stages, "all", TT_WORDS(TT_STAGE_SET_MAP),
        "Stages that the student goes through, or a baseline: summarize_only answers without reasoning, "
        "chain_of_thought writes rationale and answer as one text, step_by_step is Distilling step-by-step."),
    TEXT(TRAINING, "model.start", model.start, "", NULL,
        "Checkpoint to start from. Empty = random weights of the shape below."),
    TEXT(TRAINING, "model.tokenizer", model.tokenizer, "", NULL,
        "SentencePiece .model for a start from random weights."),
    INTEGER(TRAINING, "model.extra_ids", model.extra_ids, "100", 0, 1000,
        "Number of sentinels for span corruption, for a start from random weights."),
    TEXT(TRAINING, "model.shape", model.shape, "t5-small", TT_SHAPE_WORDS,
        "A known shape, or custom with the sizes below."),
    TEXT(TRAINING, "model.init", model.init, "t5", TT_WORDS(TT_INIT_MAP),
        "Random weights: t5 = as in T5, copy = with heads that copy from the start."),
    INTEGER(TRAINING, "model.d_model", model.d_model, "128", 1, 65536, "Custom shape: width of the model."),
    INTEGER(TRAINING, "model.d_kv", model.d_kv, "32", 1, 4096, "Custom shape: width of a head."),
    INTEGER(TRAINING, "model.d_ff", model.d_ff, "512", 1, 1048576,
        "Custom shape: width of the feed-forward layers."),
    INTEGER(TRAINING, "model.num_layers", model.num_layers, "2", 1, 255, "Custom shape: encoder layers."),
    INTEGER(TRAINING, "model.num_decoder_layers", model.num_decoder_layers, "2", 1, 255,
        "Custom shape: decoder layers."),
    INTEGER(TRAINING, "model.num_heads", model.num_heads, "4", 1, 256, "Custom shape: attention heads."),
    INTEGER(TRAINING, "model.relative_attention_num_buckets", model.relative_attention_num_buckets, "32", 4,
        4096, "Custom shape: buckets of relative positions."),
    INTEGER(TRAINING, "model.relative_attention_max_distance", model.relative_attention_max_distance, "128",
        1, 1048576, "Custom shape: distance from which on all positions share a bucket."),
    REAL(TRAINING, "model.dropout_rate", model.dropout_rate, "0.1", 0, 0.99,
        "The model's own dropout rate, for a start from random weights."),
    TEXT(TRAINING, "model.feed_forward", model.feed_forward, "relu", TT_WORDS(TT_FEED_FORWARD_MAP),
        "Custom shape: activation of the feed-forward layers."),
    BOOL(TRAINING, "model.tie_word_embeddings", model.tie_word_embeddings, "true",
        "Custom shape: whether the LM head shares its weights with the embedding."),
    INTEGER(TRAINING, "model.adapters.rank", model.adapters.rank, "0", 0, 65536,
        "Rank of low-rank adapters (LoRA), which acquisition and reflection train in place of the weights, "
        "for a "
        "student that is too large to train whole. 0 = none."),
    REAL(TRAINING, "model.adapters.alpha", model.adapters.alpha, "0", 0, 1e6,
        "Adapters are scaled by alpha / rank. 0 = alpha is the rank."),
    LIST(TRAINING, "model.adapters.targets", model.adapters.targets, "q, v", TT_WORDS(TT_ADAPTER_TARGET_MAP),
        "The weights that have adapters: of all attentions and all feed-forward layers. wi is that of ReLU, "
        "wi_0 and "
        "wi_1 are those of the gated GELU."),
    SUPERVISED("pretraining", pretraining.train, "false", "10000", "128", "1e-3", "0", "1000",
        "Steps between validations. 0 = at the end only.", "1000"),
    LIST(TRAINING, "pretraining.text", pretraining.text, "", NULL,
        "Text files for span corruption, one document a line."),
    LIST(TRAINING, "pretraining.pairs", pretraining.pairs, "", NULL,
        "JSONL files of reading tasks, one {\"input\", \"target\"} a line."),
    REAL(TRAINING, "pretraining.pairs_share", pretraining.pairs_share, "0.5", 0, 1,
        "Share of examples that are reading tasks."),
    REAL(TRAINING, "pretraining.noise_density", pretraining.noise_density, "0.15", 0.01, 0.9,
        "Span corruption: share of tokens that are masked."),
    REAL(TRAINING, "pretraining.mean_span", pretraining.mean_span, "3", 1, 100,
        "Span corruption: mean length of a masked span in tokens."),
    INTEGER(TRAINING, "pretraining.window", pretraining.window, "128", 8, 100000,
        "Span corruption: tokens of a document that an example takes."),
    SUPERVISED("acquisition", acquisition, "true", "0", "64", "5e-4", "-1", "1",
        "Cycles between validations. 0 = at the end only.", "0"),
    INTEGER(TRAINING, "acquisition.interval", acquisition.interval, "100", 1, 1e9,
        "Steps on recall before the cycle moves on to analyze, which gets this many steps times the "
        "number of options."),
    INTEGER(TRAINING, "acquisition.reasonings", reasonings, "0", 0, 1e9,
        "Learns from this many of each question's reasonings that lead to its right answer, the first of "
        "them. 0 = all. With stages: summarize_only it has no effect."),
    REAL(TRAINING, "acquisition.rationale_weight", rationale_weight, "0.5", 0, 100,
        "Weight of rationales with stages: step_by_step: loss = label + rationale_weight x rationale."),
    INTEGER(TRAINING, "reflection.iterations", reflection.iterations, "0", 0, 99,
        "Rounds of preference training on the student's own generations. 0 = none."),
    TEXT(TRAINING, "reflection.targets", reflection.targets, "both", TT_WORDS(TT_TARGETS_MAP),
        "The stages whose texts are paired."),
    INTEGER(TRAINING, "reflection.samples", reflection.samples, "10", 1, 1000,
        "Runs that are sampled for each training question."),
    INTEGER(TRAINING, "reflection.questions", reflection.questions, "0", 0, 1e9,
        "Number of training questions that runs are sampled for, drawn again for each iteration. 0 = all."),
    REAL(TRAINING, "reflection.temperature", reflection.temperature, "0.7", 1e-6, 100,
        "Sampling temperature."),
    INTEGER(TRAINING, "reflection.top_k", reflection.top_k, "0", 0, 1e6,
        "Sampling draws from this many of the likeliest tokens. 0 = all."),
    REAL(TRAINING, "reflection.top_p", reflection.top_p, "1", 1e-6, 1,
        "Sampling draws from the likeliest tokens that together have this probability. 1 = all."),
    TEXT(TRAINING, "reflection.loss", reflection.loss, "sigmoid", TT_WORDS(TT_LOSS_MAP),
        "Preference loss. sigmoid is DPO, or cDPO with label_smoothing."),
    REAL(TRAINING, "reflection.beta", reflection.beta, "0.5", 1e-9, 1000,
        "How strongly the student is tied to the reference model."),
    REAL(TRAINING, "reflection.nll_weight", reflection.nll_weight, "0.5", 0, 1000,
        "Weight of cross-entropy: loss = preference + nll_weight x mean cross-entropy over the tokens of the "
        "chosen texts."),
    REAL(TRAINING, "reflection.label_smoothing", reflection.label_smoothing, "0", 0, 0.499999,
        "Share of pairs that are assumed to be labelled the wrong way round. "
        "With a loss that does not use it, the run warns."),
    BOOL(TRAINING, "reflection.length_normalised", reflection.length_normalised, "false",
        "Whether a text's log-probability is the mean over its tokens instead of the sum. "
        "Always so for ipo."),
    INTEGER(TRAINING, "reflection.cycles", reflection.cycles, "10", 1, 1e6,
        "Cycles per iteration. A cycle is one pass over all recall pairs, then one over all analyze pairs, "
        "each in a new shuffled order (with targets: recall or analyze, over those alone)."),
    INTEGER(TRAINING, "reflection.max_input", reflection.train.max_input, "200", 2, 1e6,
        "In training, prompts of pairs are cut to this many tokens, </s> included. Where the student writes, "
        "evaluation.max_input limits them."),
    INTEGER(TRAINING, "reflection.max_target", reflection.train.max_target, "200", 2, 1e6,
        "In training, texts of pairs are cut to this many tokens, </s> included. Where the student writes, "
        "evaluation.max_length limits them."),
    UPDATES("reflection", reflection.train, "32", "5e-6", "0", "1",
        "Cycles between validations. 0 = at the end only.", "0"),
    LIST(SCORING, "evaluation.splits", evaluation.splits, "test", TT_WORDS(TT_SPLIT_MAP),
        "Splits that are scored at the end of the run."),
    INTEGER(SCORING, "evaluation.questions", evaluation.questions, "0", 0, 1e9,
        "Number of questions of each split that are scored, the first of it. 0 = all."),
    INTEGER(SCORING, "evaluation.samples", evaluation.samples, "10", 0, 10000,
        "Self-consistency: runs per question that vote. 0 = off."),
    REAL(SCORING, "evaluation.temperature", evaluation.temperature, "0.7", 0, 100,
        "Self-consistency: temperature of sampled recall and analyze."),
    INTEGER(SCORING, "evaluation.top_k", evaluation.top_k, "0", 0, 1e6,
        "Self-consistency: sampling draws from this many of the likeliest tokens. 0 = all."),
    REAL(SCORING, "evaluation.top_p", evaluation.top_p, "1", 1e-6, 1,
        "Self-consistency: sampling draws from the likeliest tokens that together have this probability. "
        "1 = all."),
    INTEGER(TRAINING, "evaluation.max_input", evaluation.max_input, "0", 0, 1e6,
        "Prompts are cut to this many tokens, </s> included, wherever the student writes: "
        "pairs of reflection, validation of every phase, the final evaluation. 0 = acquisition.max_input."),
    INTEGER(TRAINING, "evaluation.max_length", evaluation.max_length, "200", 2, 1e6,
        "Generated texts end after this many tokens, the start token counted: in pairs, validation and the "
        "final evaluation."),
    INTEGER(SCORING, "evaluation.min_length", evaluation.min_length, "0", 0, 1e6,
        "No text ends before it has this many tokens, the start token counted. 0 = off."),
    REAL(SCORING, "evaluation.repetition_penalty", evaluation.repetition_penalty, "1", 1e-3, 100,
        "Penalty on tokens that the text already contains. 1 = off."),
    INTEGER(SCORING, "evaluation.beams", evaluation.beams, "1", 1, TT_MOST_BEAMS,
        "Beams of beam search for greedy texts in the final evaluation. 1 = no beam search."),
    REAL(SCORING, "evaluation.length_penalty", evaluation.length_penalty, "1", -100, 100,
        "Beam search: a text's score is the sum of its log-probabilities / length^length_penalty."),
    TEXT(SCORING, "evaluation.early_stopping", evaluation.early_stopping, "false",
        TT_WORDS(TT_EARLY_STOPPING_MAP), "Beam search: when it is over, as in Hugging Face's generate."),
    INTEGER(PLACE, "evaluation.slots", evaluation.slots, "256", 1, 65536,
        "Sequences that are decoded at the same time."),
    INTEGER(PLACE, "checkpoints.keep", checkpoints.keep, "2", 1, 1000,
        "Checkpoints to resume from that each phase keeps: the newest, and those before it in case it is "
        "damaged."),
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
    const char *names[KEYS + 6] = {
        "model", "pretraining", "acquisition", "reflection", "evaluation", "checkpoints"};
    for (int i = 0; i < KEYS; ++i) names[6 + i] = keys[i].path;
    return tt_nearest(path, names, KEYS + 6);
}
