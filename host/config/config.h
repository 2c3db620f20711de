// A run's configuration: YAML to a typed struct, overrides, schema and help text. All come from one table of keys
// (config_keys.h), so that they always agree. The words that a key allows are in words.h.
#ifndef TT_CONFIG_CONFIG_H
#define TT_CONFIG_CONFIG_H

#include "host/base/status.h"
#include "host/base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_MAX_LIST = 16 };
typedef struct tt_text_list {
    char *items[TT_MAX_LIST];
    int n;
} tt_text_list;

// What one supervised phase needs; acquisition and pretraining share it. Texts of a configuration are owned by it.
typedef struct tt_training_config {
    bool enabled;
    double epochs;      // total steps = epochs x batches of all data sets, where steps is 0
    int64_t steps;      // 0 = from epochs
    int64_t batch_size; // examples in the global batch, whatever the number of ranks
    int64_t accumulate; // parts that a batch is cut into to save memory; the result is the same
    char *recompute;    // a word of TT_RECOMPUTE_MAP: what backward computes again to save memory
    char *reduction;    // a word of TT_REDUCTION_MAP: precision of the gradient's sum over ranks
    int64_t zero;       // 1: Adam's moments are divided among ranks
    int64_t interval; // acquisition: steps on recall before the cycle moves on; analyze: x number of options
    double learning_rate, warmup; // warmup: share of all steps
    char *schedule;               // a word of TT_SCHEDULE_MAP
    double min_learning_rate;     // share of learning_rate that the schedule ends at
    double beta1, beta2, eps, weight_decay, clip;
    int64_t skip_limit;            // steps in a row that are skipped for NaN or infinity before the run stops
    double dropout;                // -1 = the model's own rate
    int64_t max_input, max_target; // limits of training inputs and targets in tokens, </s> included
    int64_t validate_every;        // cycles between validations (acquisition); steps (pretraining)
    int64_t patience; // validations in a row without an improvement before training stops; 0 = never
    int64_t validation_questions; // 0 = the whole split
    int64_t log_every;            // steps between lines of metrics.jsonl
    int64_t save_every;           // steps between checkpoints to resume from, besides those at validations
} tt_training_config;

typedef struct tt_config {
    tt_text_list files; // that it was read from: the first one, then its base, the base of that, ...
    char *name;
    int64_t seed;
    char *device;    // auto | cpu | cuda
    char *precision; // auto | fp32 | bf16 (fp16 is refused, because T5 overflows in it)
    int64_t threads; // 0 = all
    char *output;    // folder that contains the run directory <output>/<name>
    char *log;       // metrics | tensorboard
    char *corpus;    // .h5; or a world .yaml, which is built into the run directory
    char *stages;    // a word of TT_STAGE_SET_MAP
    struct {
        char *start;     // checkpoint to start from; empty = random weights of the shape below
        char *tokenizer; // SentencePiece .model, for a random start
        int64_t extra_ids;
        char *shape; // a word of TT_SHAPE_MAP, or "custom" with the sizes below
        char *init;  // a word of TT_INIT_MAP
        int64_t d_model, d_kv, d_ff, num_layers, num_decoder_layers, num_heads;
        int64_t relative_attention_num_buckets, relative_attention_max_distance;
        double dropout_rate;
        char *feed_forward; // relu | gated-gelu
        bool tie_word_embeddings;
        struct {
            int64_t rank;         // 0 = acquisition and reflection train all weights
            double alpha;         // 0 = rank
            tt_text_list targets; // words of TT_ADAPTER_TARGET_MAP
        } adapters;
    } model;
    struct {
        tt_training_config train;
        tt_text_list text;               // plain text files, one document per line: span corruption
        tt_text_list pairs;              // JSONL files of {"input", "target"}: reading tasks
        double pairs_share;              // share of examples that are reading tasks
        double noise_density, mean_span; // span corruption: 0.15 and 3 in T5
        int64_t window;                  // tokens of a document window
    } pretraining;
    tt_training_config acquisition;
    int64_t reasonings; // acquisition learns from the first so many of each question's reasonings; 0 = all
    double rationale_weight; // step_by_step: loss = label + rationale_weight x rationale
    struct {
        tt_training_config train; // of each iteration; epochs, steps and interval are not its keys
        int64_t iterations;       // 0 = no reflection
        int64_t cycles;           // per iteration: passes over all recall pairs, then all analyze pairs
        char *targets;            // a word of TT_TARGETS_MAP
        int64_t samples;          // runs per question
        int64_t questions;        // of the training split; 0 = all
        double temperature;       // of sampled texts
        int64_t top_k;
        double top_p;
        char *loss; // a word of TT_LOSS_MAP
        double beta, nll_weight, label_smoothing;
        bool length_normalised;
    } reflection;
    struct {
        tt_text_list splits; // scored at the end, greedy: test, control, ...
        int64_t questions;   // of each split; 0 = all
        int64_t samples;     // self-consistency: runs per question; 0 = off
        double temperature;  // of sampled recall and analyze
        int64_t top_k;
        double top_p;
        int64_t max_input;  // limit of prompts in tokens, wherever the student writes; 0 = acquisition's
        int64_t max_length; // generated tokens, start token counted
        int64_t min_length;
        double repetition_penalty;
        int64_t beams; // of greedy stages; 1 = greedy
        double length_penalty;
        char *early_stopping; // a word of TT_EARLY_STOPPING_MAP
        int64_t slots;        // sequences decoded at the same time
    } evaluation;
    struct {
        int64_t keep; // of each phase, to resume from
    } checkpoints;
} tt_config;

// What a key is for, which decides what may differ between two starts of one run, and between runs of one
// experiment.
typedef enum tt_config_role {
    TT_ROLE_TRAINING, // it may change what is trained: the same for all starts of a run
    TT_ROLE_SCORING,  // it says what is scored at the end, and how: another value scores the run again
    TT_ROLE_PLACE, // it says where and with what the run computes, and what it writes besides: free to change
    TT_ROLE_RUN // it says which run of an experiment this is (name, seed): the same for all starts of a run
} tt_config_role;

// Sets all defaults. The caller closes the configuration. Errors: TT_ERR_NOMEM.
tt_status tt_config_open(tt_config *config) TT_MUST_CHECK;
void tt_config_close(tt_config *config);
// Reads defaults, then the YAML file (its `base: other.yaml` first, relative to the file), then `overrides`
// ("a.b=value"), then checks keys together. Other relative paths stay as they are: relative to the working
// directory. On success the caller closes the configuration.
// Errors: TT_ERR_CONFIG as `file:line: key: what is wrong, what is allowed`, with the nearest known key; TT_ERR_USAGE
// for an override without `=`; TT_ERR_NOMEM.
tt_status tt_config_load(
    tt_config *config, const char *path, const char *const *overrides, int n_overrides) TT_MUST_CHECK;
// The same for the config.yaml that a run of this or an earlier version wrote: keys that were removed are
// ignored (elsewhere they are an error that says what to do), and keys that were added since have their defaults.
tt_status tt_config_load_written(tt_config *config, const char *path) TT_MUST_CHECK;
// Reads the file over the defaults and checks each key alone, but not whether they make a run together.
tt_status tt_config_read(tt_config *config, const char *path) TT_MUST_CHECK;
// Sets one key from text. Errors: TT_ERR_CONFIG, `key: what is wrong`, with the nearest known key.
tt_status tt_config_set(tt_config *config, const char *key, const char *value) TT_MUST_CHECK;
// *out receives the text of a YAML scalar as tt_config_set takes it for the key; the document owns it. Errors: TT_ERR_CONFIG,
// `key: what is wrong`, where the scalar is of another type than the key's value.
struct yaml_node_s;
tt_status tt_config_scalar(const char *key, const struct yaml_node_s *node, const char **out) TT_MUST_CHECK;
// Appends what tt_config_write would write for the key with that value: the same for 0.5 and 0.50. Errors: as tt_config_set.
tt_status tt_config_canonical(const char *key, const char *value, tt_str *out) TT_MUST_CHECK;
// Whether earlier versions had the key and this one does not.
bool tt_config_removed(const char *key);
// What a key is for; TT_ROLE_TRAINING for a key that this version does not know.
tt_config_role tt_config_role_of(const char *key);
// Appends the key's default as tt_config_write would write it; nothing for a key that this version does not know.
tt_status tt_config_default(const char *key, tt_str *out) TT_MUST_CHECK;
// Whether this version knows the key.
bool tt_config_has(const char *key);
// Appends the key's value as tt_config_set takes it; nothing for a key that this version does not know. Errors:
// TT_ERR_NOMEM.
tt_status tt_config_value(const tt_config *config, const char *key, tt_str *out) TT_MUST_CHECK;
// The files that a run of this configuration reads: the path of number i (from 0), and *key, the key that names it; NULL behind
// the last. A path is "" where its key is not set.
const char *tt_config_input(const tt_config *config, int i, const char **key);
// Warns of settings that have no effect together.
void tt_config_warn(const tt_config *config);
// Appends the resolved configuration as YAML: all keys, with values that load to the same. Errors: TT_ERR_NOMEM.
tt_status tt_config_write(const tt_config *config, tt_str *out) TT_MUST_CHECK;
// One key of the table, for people: what it may be ("a|b|c", or "number" and the like), its default, what it means.
typedef struct tt_config_key {
    const char *path, *allowed, *initial, *help;
} tt_config_key;
// Key number i, from 0; false behind the last.
bool tt_config_key_at(int i, tt_config_key *out);
// Prints the table of keys for people: key, type, default and meaning, in lines of at most 80 columns.
void tt_config_help(FILE *out);

#ifdef __cplusplus
}
#endif

#endif
