// Enumerations that configurations, commands, files and reports spell as words: one table for each, from which come
// the enumerators, the words that a key allows, parsing, error messages and what a report says. A new row is
// everywhere at once, and -Wswitch names each switch that lacks it.
//
// A row is X(code, word, ...); the order of rows is the order of the enumerators. Orders of TT_SPLIT_MAP and
// TT_STAGE_MAP enter files: append only.
#ifndef TT_CONFIG_WORDS_H
#define TT_CONFIG_WORDS_H

#include "host/base/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// typedef enum tt_split { TT_SPLIT_MAP(TT_WORD_CODE) TT_SPLITS } tt_split;
#define TT_WORD_CODE(code, ...) code,
// static const char *const words[] = {TT_SPLIT_MAP(TT_WORD_TEXT)};
#define TT_WORD_TEXT(code, word, ...) word,
// TT_WORDS(TT_SPLIT_MAP) is "train|validation|test|control", a constant.
#define TT_WORD_ALTERNATIVE(code, word, ...) "|" word
#define TT_WORDS(MAP) (&MAP(TT_WORD_ALTERNATIVE)[1])

// The words of one enumeration, in its order.
typedef struct tt_words {
    const char *what; // for messages: "split"
    const char *const *words;
    int n;
    tt_status error; // what an unknown word is
} tt_words;

// *out receives the enumerator of `word`. Errors: words->error, naming the word and those allowed.
tt_status tt_word_parse(const tt_words *words, const char *word, int *out) TT_MUST_CHECK;

// Checks that `text` is one of the words "a|b|c". Errors: `code`, as `where: ... allowed are a, b, c`; where `where` ends in
// "precision", with the reason that fp16 is refused.
tt_status tt_word_check(tt_status code, const char *where, const char *words, const char *text) TT_MUST_CHECK;

// Part of a data set (tt_split).
#define TT_SPLIT_MAP(X)                                                                                      \
    X(TT_TRAIN, "train")                                                                                     \
    X(TT_VALIDATION, "validation")                                                                           \
    X(TT_TEST, "test")                                                                                       \
    X(TT_CONTROL, "control")

// The three stages (tt_stage).
#define TT_STAGE_MAP(X)                                                                                      \
    X(TT_RECALL, "recall")                                                                                   \
    X(TT_ANALYZE, "analyze")                                                                                 \
    X(TT_SUMMARIZE, "summarize")

// Which of them a student goes through, or a baseline (tt_stage_set).
#define TT_STAGE_SET_MAP(X)                                                                                  \
    X(TT_SET_ALL, "all")                                                                                     \
    X(TT_SET_NO_RECALL, "no_recall")                                                                         \
    X(TT_SET_NO_ANALYZE, "no_analyze")                                                                       \
    X(TT_SET_SUMMARIZE_ONLY, "summarize_only")     /* the answer alone */                                    \
    X(TT_SET_CHAIN_OF_THOUGHT, "chain_of_thought") /* rationale, then answer, in one text */                 \
    X(TT_SET_STEP_BY_STEP, "step_by_step")         /* Hsieh et al. 2023: answer or rationale, by prefix */

// Learning rate after the warm-up (tt_schedule_kind).
#define TT_SCHEDULE_MAP(X)                                                                                   \
    X(TT_COSINE, "cosine")                                                                                   \
    X(TT_LINEAR, "linear")                                                                                   \
    X(TT_CONSTANT, "constant")

// Preference losses (tt_preference_kind), documented in host/train/preference.h. With the margin m = beta h and the
// label smoothing e, the columns are
//   the loss of a pair where e = 0, and where e > 0
//   its value where m = 0
//   whether the loss uses label_smoothing
//   whether log-probabilities are means over tokens whatever length_normalised says
#define TT_LOSS_MAP(X)                                                                                       \
    X(TT_PREFER_SIGMOID, "sigmoid", "\u2212log \u03c3(m)",                                                   \
        "\u2212(1 \u2212 \u03b5) log \u03c3(m) \u2212 \u03b5 log \u03c3(\u2212m)", "ln 2 = 0.693", true,     \
        false)                                                                                               \
    X(TT_PREFER_HINGE, "hinge", "max(0, 1 \u2212 m)", "max(0, 1 \u2212 m)", "1", false, false)               \
    X(TT_PREFER_IPO, "ipo", "(m / \u03b2 \u2212 1 / (2\u03b2))\u00b2",                                       \
        "(m / \u03b2 \u2212 1 / (2\u03b2))\u00b2", "1 / (4\u03b2\u00b2)", false, true)                       \
    X(TT_PREFER_ROBUST, "robust", "\u2212log \u03c3(m)",                                                     \
        "[\u2212(1 \u2212 \u03b5) log \u03c3(m) + \u03b5 log \u03c3(\u2212m)] / (1 \u2212 2\u03b5)",         \
        "ln 2 = 0.693", true, false)

// What reflection makes pairs of: of recalls, of analyses.
#define TT_TARGETS_MAP(X)                                                                                    \
    X(TT_TARGETS_RECALL, "recall", true, false)                                                              \
    X(TT_TARGETS_ANALYZE, "analyze", false, true)                                                            \
    X(TT_TARGETS_BOTH, "both", true, true)
bool tt_targets_recall(const char *word); // false for an unknown word
// Whether pairs are made of analyses.
bool tt_targets_analyze(const char *word);

// What backward computes again instead of keeping it.
#define TT_RECOMPUTE_MAP(X)                                                                                  \
    X(TT_RECOMPUTE_NONE, "none")                                                                             \
    X(TT_RECOMPUTE_LAYERS, "layers")        /* the inside of every layer */
bool tt_recompute_layers(const char *word); // false for NULL

// Precision of the gradient's sum over ranks.
#define TT_REDUCTION_MAP(X)                                                                                  \
    X(TT_REDUCE_FP32, "fp32")                                                                                \
    X(TT_REDUCE_BF16, "bf16")
bool tt_reduction_bf16(const char *word); // false for NULL

// Weights that may have adapters, by their names in T5: of the attentions (of the cross-attention, too), and of the
// feed-forward layers. The order enters files: append only.
#define TT_ADAPTER_TARGET_MAP(X)                                                                             \
    X(TT_ADAPT_Q, "q")                                                                                       \
    X(TT_ADAPT_K, "k")                                                                                       \
    X(TT_ADAPT_V, "v")                                                                                       \
    X(TT_ADAPT_O, "o")                                                                                       \
    X(TT_ADAPT_WI, "wi")     /* of ReLU */                                                                   \
    X(TT_ADAPT_WI_0, "wi_0") /* of the gated GELU */                                                         \
    X(TT_ADAPT_WI_1, "wi_1")                                                                                 \
    X(TT_ADAPT_WO, "wo")

// Random weights (tt_init).
#define TT_INIT_MAP(X)                                                                                       \
    X(TT_INIT_T5, "t5")     /* Hugging Face's _init_weights with initializer_factor */                       \
    X(TT_INIT_COPY, "copy") /* structured: heads that copy and look at neighbours from the start (init.c) */

// When beam search is over for a prompt, as Hugging Face's early_stopping says (tt_early_stopping).
//   false  there are as many texts as beams, and the best running one would not join them if it ended now
//   true   there are as many texts as beams
//   never  as false, but for the greatest length if that is what scores favour
#define TT_EARLY_STOPPING_MAP(X)                                                                             \
    X(TT_STOP_HEURISTIC, "false")                                                                            \
    X(TT_STOP_EARLY, "true")                                                                                 \
    X(TT_STOP_NEVER, "never")

// Feed-forward layer of a custom shape.
#define TT_FEED_FORWARD_MAP(X)                                                                               \
    X(TT_RELU, "relu")                                                                                       \
    X(TT_GATED_GELU, "gated-gelu")

// Where metrics go.
#define TT_LOG_MAP(X)                                                                                        \
    X(TT_LOG_METRICS, "metrics")         /* metrics.jsonl alone */                                           \
    X(TT_LOG_TENSORBOARD, "tensorboard") /* event files for TensorBoard as well */

// Known shapes: Raffel et al. 2020 (T5 1.0) and the sizes published with T5 1.1. Columns: d_model, d_kv, d_ff, layers
// of encoder and of decoder, heads, T5 1.1 (gated GELU, an LM head of its own).
#define TT_SHAPE_MAP(X)                                                                                      \
    X(, "t5-small", 512, 64, 2048, 6, 8, false)                                                              \
    X(, "t5-base", 768, 64, 3072, 12, 12, false)                                                             \
    X(, "t5-large", 1024, 64, 4096, 24, 16, false)                                                           \
    X(, "t5-3b", 1024, 128, 16384, 24, 32, false)                                                            \
    X(, "t5-11b", 1024, 128, 65536, 24, 128, false)                                                          \
    X(, "t5-v1_1-small", 512, 64, 1024, 8, 6, true)                                                          \
    X(, "t5-v1_1-base", 768, 64, 2048, 12, 12, true)                                                         \
    X(, "t5-v1_1-large", 1024, 64, 2816, 24, 16, true)                                                       \
    X(, "t5-v1_1-xl", 2048, 64, 5120, 24, 32, true)                                                          \
    X(, "t5-v1_1-xxl", 4096, 64, 10240, 24, 64, true)

// "t5-small|...|custom": custom takes its sizes from other keys.
#define TT_SHAPE_WORDS (&TT_SHAPE_MAP(TT_WORD_ALTERNATIVE) "|custom"[1])

#ifdef __cplusplus
}
#endif
#endif
