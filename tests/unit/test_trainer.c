// The trainer and the phases' loop on a tiny random model: learning, parts and ranks, NaN, memory, resuming.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/train/held_out.h"
#include "host/train/joint.h"
#include "host/train/phase.h"
#include "host/train/reading_tasks.h"
#include "tests/expect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAIRS = 12, VOCAB = 64, STEPS = 250 };

static const tt_model_config shape = {.vocab_size = VOCAB,
    .d_model = 24,
    .d_kv = 6,
    .d_ff = 48,
    .num_layers = 2,
    .num_decoder_layers = 2,
    .num_heads = 4,
    .relative_attention_num_buckets = 8,
    .relative_attention_max_distance = 16,
    .dropout_rate = 0.1f,
    .layer_norm_epsilon = 1e-6f,
    .initializer_factor = 1,
    .tie_word_embeddings = true,
    .scale_decoder_outputs = true};

static tt_training_config settings(void) {
    return (tt_training_config){.batch_size = PAIRS,
        .accumulate = 1,
        .learning_rate = 3e-3,
        .warmup = 0.1,
        .schedule = "cosine",
        .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-8,
        .clip = 1,
        .dropout = -1,
        .log_every = 1};
}

static tt_device *device;
static tt_comm *comm;
static tt_dataset dataset;
static int32_t everything[PAIRS];

static int open_all(void **state) {
    (void)state;
    OK(tt_device_open(&device, "cpu", TT_FP32, 1));
    OK(tt_comm_open(&comm));
    tt_rng rng;
    tt_rng_open(&rng, 1, TT_FOR_TEST, 0, 0);
    for (int i = 0; i < PAIRS; ++i) {
        int32_t input[32], target[32];
        const int n_input = 3 + (int)tt_rng_below(&rng, 15), n_target = 2 + (int)tt_rng_below(&rng, 7);
        for (int t = 0; t < n_input; ++t)
            input[t] = t == n_input - 1 ? TT_EOS : 3 + (int)tt_rng_below(&rng, 45);
        for (int t = 0; t < n_target; ++t)
            target[t] = t == n_target - 1 ? TT_EOS : 3 + (int)tt_rng_below(&rng, 45);
        OK(tt_dataset_add_ids(&dataset, input, n_input, target, n_target));
        everything[i] = i;
    }
    return 0;
}

static int close_all(void **state) {
    (void)state;
    tt_dataset_close(&dataset);
    tt_comm_close(comm, TT_OK);
    tt_device_close(device);
    return 0;
}

static tt_model *random_model(void) {
    tt_model *model;
    OK(tt_model_open(&model, &shape, device));
    OK(tt_model_init(model, TT_INIT_T5, 2));
    return model;
}

static const tt_global_batch all = {
    .dataset = &dataset, .examples = everything, .n = PAIRS, .stage = "pairs"};

static void a_handful_of_pairs_is_learned(void **state) {
    (void)state;
    tt_model *model = random_model();
    tt_training_config config = settings();
    config.dropout = 0;
    config.learning_rate = 1e-2;
    tt_trainer trainer;
    tt_step_report report, first;
    OK(tt_trainer_open(&trainer, model, comm, &(tt_trainer_options){&config, 1, STEPS}));
    OK(tt_trainer_step(&trainer, &all, &first));
    if (!(first.loss > 2)) fail_msg("loss %g of a random model", first.loss);
    for (int i = 1; i < STEPS; ++i) OK(tt_trainer_step(&trainer, &all, &report));
    if (!(report.loss < 0.05)) fail_msg("loss %g after %d steps", report.loss, STEPS);
    const tt_held_out held = {&dataset, everything, PAIRS};
    tt_held_out_score score;
    OK(tt_held_out_evaluate(&held, model, comm, 5, &score));
    if (!(score.loss < 0.05)) fail_msg("held-out loss %g", score.loss);
    assert_true(score.token == 1 && score.exact == 1);
    tt_trainer_close(&trainer);
    tt_model_close(model);
}

// Gradient of one batch by rank `rank` of `ranks` in `parts` parts, added to sum.
static double add_gradient(
    tt_model *model, const tt_global_batch *global, int parts, int rank, int ranks, float *sum) {
    tt_comm alone = *comm;
    alone.rank = rank;
    alone.size = ranks;
    tt_training_config config = settings();
    config.accumulate = parts;
    tt_trainer trainer;
    tt_preference_sums share;
    OK(tt_trainer_open(&trainer, model, &alone, &(tt_trainer_options){&config, 1, 10}));
    memset(model->g, 0, model->size * sizeof *model->g);
    OK(tt_trainer_gradient(&trainer, global, &share));
    for (size_t i = 0; i < model->size; ++i) sum[i] += model->g[i];
    tt_trainer_close(&trainer);
    return share.loss;
}

// Parts and ranks change the order of sums and nothing else; dropout is on.
static void expect_one_gradient(const tt_global_batch *global) {
    static const struct {
        int parts, ranks;
    } cases[] = {{4, 1}, {PAIRS, 1}, {1, 2}, {1, 3}, {2, 5}, {1, PAIRS + 2}};
    tt_model *model = random_model();
    OK(tt_model_train(model));
    float *whole = calloc(model->size, sizeof *whole), *sum = calloc(model->size, sizeof *sum);
    const double loss = add_gradient(model, global, 1, 0, 1, whole);
    double largest = 0;
    for (size_t i = 0; i < model->size; ++i)
        if (fabs(whole[i]) > largest) largest = fabs(whole[i]); // fmax() breaks GCC 12.2 on arm64
    assert_true(largest > 1e-3);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        double shares = 0;
        memset(sum, 0, model->size * sizeof *sum);
        for (int r = 0; r < cases[c].ranks; ++r)
            shares += add_gradient(model, global, cases[c].parts, r, cases[c].ranks, sum);
        if (!(fabs(shares - loss) <= 1e-6 * loss))
            fail_msg(
                "%d parts, %d ranks: loss %.9g, expected %.9g", cases[c].parts, cases[c].ranks, shares, loss);
        for (size_t i = 0; i < model->size; ++i)
            if (!(fabs(sum[i] - whole[i]) <= 2e-6 * largest))
                fail_msg("%d parts, %d ranks: g[%zu] = %.9g, expected %.9g", cases[c].parts, cases[c].ranks,
                    i, sum[i], whole[i]);
    }
    free(whole);
    free(sum);
    tt_model_close(model);
}

static void parts_and_ranks_give_the_same_gradient(void **state) {
    (void)state;
    expect_one_gradient(&all);
    // Targets cut in two are pairs of texts.
    tt_preference_pair pairs[PAIRS];
    tt_preference_data preference = {.pairs = pairs};
    OK(tt_preference_open(&preference.objective, &(tt_preference_options){"sigmoid", 0.5, 0.1, 0.5, false}));
    for (int i = 0; i < PAIRS; ++i) {
        const int n = (int)(dataset.offsets[2 * i + 2] - dataset.offsets[2 * i + 1]);
        pairs[i] = (tt_preference_pair){n / 2, n - n / 2, -3.0 * (n / 2), -4.0 * (n - n / 2)};
    }
    tt_global_batch preferred = all;
    preferred.preference = &preference;
    expect_one_gradient(&preferred);
}

// Labels and rationales in one step: the sum of two means, the second weighted; gradient by the same rule.
static void joint_batches_add_two_means(void **state) {
    (void)state;
    enum { HALF = 3 };
    tt_model *model = random_model();
    model->config.dropout_rate = 0; // masks are keyed by example, and these are others
    OK(tt_model_train(model));
    tt_shuffle orders[2];
    tt_joint joint;
    tt_global_batch both;
    float *sum = calloc(model->size, sizeof *sum), *want = calloc(model->size, sizeof *want);
    for (int k = 0; k < 2; ++k) OK(tt_shuffle_open(&orders[k], PAIRS, 7, (uint32_t)k));
    OK(tt_joint_open(
        &joint, (tt_joint_task){&dataset, &orders[0]}, (tt_joint_task){&dataset, &orders[1]}, HALF, 0.25));
    tt_joint_batch(&joint, 1, &both);
    both.dataset = &joint.dataset;
    const double loss = add_gradient(model, &both, 1, 0, 1, sum);
    int32_t examples[2][HALF];
    double each[2];
    for (int k = 0; k < 2; ++k) {
        float *part = calloc(model->size, sizeof *part);
        for (int i = 0; i < HALF; ++i) examples[k][i] = tt_shuffle_at(&orders[k], HALF + i);
        const tt_global_batch one = {.dataset = &dataset, .examples = examples[k], .n = HALF, .stage = "one"};
        each[k] = add_gradient(model, &one, 1, 0, 1, part);
        for (size_t i = 0; i < model->size; ++i) want[i] += (k ? 1.0f : 0.25f) * part[i];
        free(part);
    }
    if (!(fabs(loss - (0.25 * each[0] + each[1])) <= 1e-6 * loss))
        fail_msg("loss %.9g of %.9g and %.9g", loss, each[0], each[1]);
    double difference = 0, size = 0;
    for (size_t i = 0; i < model->size; ++i) {
        difference += pow((double)(sum[i] - want[i]), 2);
        size += pow((double)want[i], 2);
    }
    assert_true(sqrt(difference / size) < 1e-5);
    free(sum), free(want);
    tt_joint_close(&joint);
    tt_shuffle_close(&orders[0]), tt_shuffle_close(&orders[1]);
    tt_model_close(model);
}

static void a_step_that_is_not_finite_changes_nothing_and_counts(void **state) {
    (void)state;
    tt_model *model = random_model();
    tt_training_config config = settings();
    tt_trainer trainer;
    tt_step_report report;
    OK(tt_trainer_open(&trainer, model, comm, &(tt_trainer_options){&config, 1, 10}));
    OK(tt_trainer_step(&trainer, &all, &report));
    const tt_parameter *norm = tt_model_find(model, "decoder.final_layer_norm.weight");
    assert_non_null(norm);
    model->w[norm->offset] = NAN;
    float *before = malloc(model->size * sizeof *before);
    memcpy(before, model->w, model->size * sizeof *before);
    OK(tt_trainer_step(&trainer, &all, &report)); // the loss is NaN
    assert_true(report.skipped && isnan(report.loss));
    assert_memory_equal(before, model->w, model->size * sizeof *before);
    model->w[norm->offset] = 1;
    double scale[PAIRS];
    for (int i = 0; i < PAIRS; ++i) scale[i] = 1e38;
    tt_global_batch steep = all;
    steep.scale = scale;
    memcpy(before, model->w, model->size * sizeof *before);
    OK(tt_trainer_step(&trainer, &steep, &report)); // the loss is large, the gradient infinite
    assert_true(report.skipped && isfinite(report.loss) && !isfinite(report.norm));
    assert_memory_equal(before, model->w, model->size * sizeof *before);
    assert_true(trainer.step == 3 && trainer.optimizer.updates == 1);
    assert_true(trainer.skipped == 2 && trainer.skipped_in_row == 2);
    OK(tt_trainer_step(&trainer, &all, &report)); // no trace of either is left in the gradient
    assert_true(!report.skipped && isfinite(report.norm) && trainer.optimizer.updates == 2);
    assert_true(trainer.skipped == 2 && trainer.skipped_in_row == 0);
    free(before);
    tt_trainer_close(&trainer);
    tt_model_close(model);
}

// The key, over steps in parts, on supervised batches and on pairs.
static void recomputed_layers_train_to_the_same_bits(void **state) {
    (void)state;
    enum { UPDATES = 4 };
    tt_preference_pair pairs[PAIRS];
    tt_preference_data preference = {.pairs = pairs};
    OK(tt_preference_open(&preference.objective, &(tt_preference_options){"sigmoid", 0.5, 0.1, 0.5, false}));
    for (int i = 0; i < PAIRS; ++i) {
        const int n = (int)(dataset.offsets[2 * i + 2] - dataset.offsets[2 * i + 1]);
        pairs[i] = (tt_preference_pair){n / 2, n - n / 2, -3.0 * (n / 2), -4.0 * (n - n / 2)};
    }
    for (int kind = 0; kind < 4; ++kind) {
        tt_global_batch batch = all;
        if (kind % 2) batch.preference = &preference;
        tt_model *models[2];
        double losses[2][UPDATES];
        size_t bytes[2];
        for (int again = 0; again < 2; ++again) {
            models[again] = random_model();
            tt_training_config config = settings();
            config.accumulate = kind < 2 ? 1 : 3;
            config.recompute = again ? "layers" : "none";
            tt_trainer trainer;
            tt_step_report report;
            OK(tt_trainer_open(&trainer, models[again], comm, &(tt_trainer_options){&config, 1, UPDATES}));
            for (int i = 0; i < UPDATES; ++i) {
                OK(tt_trainer_step(&trainer, &batch, &report));
                losses[again][i] = report.loss;
            }
            bytes[again] = tt_pass_bytes(trainer.pass);
            tt_trainer_close(&trainer);
        }
        assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
        assert_memory_equal(models[0]->w, models[1]->w, models[0]->size * sizeof(float));
        assert_true(bytes[1] < bytes[0]);
        tt_model_close(models[0]);
        tt_model_close(models[1]);
    }
}

static void a_step_after_warm_up_allocates_nothing(void **state) {
    (void)state;
    tt_model *model = random_model();
    tt_training_config config = settings();
    config.accumulate = 2;
    tt_trainer trainer;
    tt_step_report report;
    OK(tt_trainer_open(&trainer, model, comm, &(tt_trainer_options){&config, 1, 10}));
    for (int i = 0; i < 3; ++i) OK(tt_trainer_step(&trainer, &all, &report));
    const long blocks = tt_alloc_count();
    for (int i = 0; i < 5; ++i) OK(tt_trainer_step(&trainer, &all, &report));
    assert_int_equal(tt_alloc_count(), blocks);
    tt_trainer_close(&trainer);
    tt_model_close(model);
}

// ---- the phases' loop

enum { TOTAL = 23, BATCH = 5 };

typedef struct flaky {
    int64_t fails_at; // the step whose batch cannot be had; -1 = none
    int validations;
    int64_t patience;
    uint32_t poisoned;  // bit s: step number s, from 0, has a gradient that is not finite
    int64_t skip_limit; // 0: none
    const double
        *scores; // of the validations, the first of them before the first step; NULL = rise, then fall
} flaky;

static tt_status flaky_batch(void *self, int64_t step, tt_global_batch *out) {
    const flaky *f = self;
    if (step == f->fails_at) return tt_fail(TT_ERR_IO, "the disk fell off");
    *out = (tt_global_batch){
        .dataset = &dataset, .examples = everything + step % (PAIRS - BATCH), .n = BATCH, .stage = "pairs"};
    static double infinite[PAIRS];
    for (int i = 0; i < PAIRS; ++i) infinite[i] = INFINITY;
    if (f->poisoned >> step & 1) out->scale = infinite;
    return TT_OK;
}

static bool every_six(void *self, int64_t step) {
    (void)self;
    return step % 6 == 0;
}

// Best after 12 steps, so that the best is not the last.
static tt_status rising_then_falling(void *self, tt_model *model, tt_validation *out) {
    flaky *f = self;
    (void)model;
    out->score = f->validations == 1 ? 1 : 0.5;
    f->validations++;
    tt_str_format(&out->json, "\"accuracy\": %g", out->score);
    tt_str_format(&out->text, "accuracy %g", out->score);
    return TT_OK;
}

// As the table says: the start is validated as well.
static tt_status by_the_table(void *self, tt_model *model, tt_validation *out) {
    flaky *f = self;
    (void)model;
    out->score = f->scores[f->validations++];
    tt_str_format(&out->json, "\"accuracy\": %g", out->score);
    tt_str_format(&out->text, "accuracy %g", out->score);
    return TT_OK;
}

static tt_tokenizer *small_tokenizer(void) {
    const char *texts[] = {
        "the hammer is made of steel", "a cup holds water", "steel is hard, water is soft"};
    const tt_tokenizer_training how = {.pieces = 30, .split_punctuation = true};
    tt_tokenizer *tokenizer;
    OK(tt_tokenizer_train(texts, 3, &how, "test_trainer.model"));
    OK(tt_tokenizer_load(&tokenizer, "test_trainer.model", 4));
    return tokenizer;
}

static tt_status run_phase(
    const char *dir, flaky *f, tt_checkpoint *start, bool resume, tt_phase_result *result) {
    char last[256], best[256], lines[256];
    snprintf(last, sizeof last, "%s/last.h5", dir);
    snprintf(best, sizeof best, "%s/best.h5", dir);
    snprintf(lines, sizeof lines, "%s/metrics.jsonl", dir);
    tt_training_config config = settings();
    config.save_every = 4;
    config.patience = f->patience;
    config.skip_limit = f->skip_limit;
    tt_phase_state saved = {0};
    if (resume) OK(tt_phase_read(&saved, start->state, "testing"));
    tt_metrics metrics;
    OK(tt_metrics_open(&metrics, lines, saved.metrics_bytes));
    const tt_phase_context context = {.comm = comm,
        .metrics = &metrics,
        .last_path = last,
        .best_path = best,
        .seed = 1,
        .began = tt_seconds()};
    const tt_phase phase = {.name = "testing",
        .config = &config,
        .total = TOTAL,
        .source = {f, flaky_batch},
        .self = f,
        .due = every_six,
        .validate = f->scores ? by_the_table : rising_then_falling,
        .start_competes = f->scores != NULL};
    tt_status status = tt_phase_run(&phase, &context, start, resume, result);
    tt_metrics_close(&metrics);
    return status;
}

static void fresh_start(const char *dir, tt_checkpoint *start) {
    char path[256];
    OK(tt_make_dirs(dir));
    for (int i = 0; i < 3; ++i) {
        snprintf(path, sizeof path, "%s/%s", dir, (const char *[]){"last.h5", "best.h5", "metrics.jsonl"}[i]);
        unlink(path);
    }
    *start = (tt_checkpoint){.model = random_model(), .tokenizer = small_tokenizer()};
}

// The lines of metrics.jsonl without their times.
static void timeless(const char *path, char *out, size_t size) {
    char *text, *rest = NULL;
    size_t n, used = 0;
    OK(tt_read_file(path, 0, &text, &n));
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *cut = strstr(line, "\"seconds\"");
        assert_non_null(cut);
        used += (size_t)snprintf(out + used, size - used, "%.*s\n", (int)(cut - line), line);
        assert_true(used < size);
    }
    free(text);
}

static void a_phase_that_was_stopped_goes_on_to_the_same_bits(void **state) {
    (void)state;
    tt_log_quiet(true);
    static char straight[16384], stopped[16384];
    tt_checkpoint a, b;
    tt_phase_result result, again;
    // Skipped: one step, two before a save is due, one before a validation.
    const uint32_t poisoned = 1u << 4 | 1u << 6 | 1u << 7 | 1u << 11;
    flaky f = {.fails_at = -1, .poisoned = poisoned, .skip_limit = 3};
    fresh_start("trainer_straight", &a);
    OK(run_phase("trainer_straight", &f, &a, false, &result));
    assert_int_equal(result.steps, TOTAL);
    assert_int_equal(result.skipped, 4);
    assert_int_equal(result.best_step, 12);

    static const int64_t stops[] = {
        2, 7, 12, 13, 22}; // before the first save, after one, at a validation, ...
    f = (flaky){.poisoned = poisoned, .skip_limit = 3};
    fresh_start("trainer_stopped", &b);
    for (size_t i = 0; i <= sizeof stops / sizeof *stops; ++i) {
        const bool last = i == sizeof stops / sizeof *stops,
                   resume = tt_file_exists("trainer_stopped/last.h5");
        f.fails_at = last ? -1 : stops[i];
        if (resume) {
            tt_checkpoint_close(&b);
            OK(tt_checkpoint_load(&b, "trainer_stopped/last.h5", device));
            tt_phase_state saved;
            OK(tt_phase_read(&saved, b.state, "testing"));
            f.validations = (int)(saved.validated / 6);
        } else if (i > 0) {
            tt_checkpoint_close(&b);
            fresh_start("trainer_stopped", &b);
        }
        tt_status status = run_phase("trainer_stopped", &f, &b, resume, &again);
        assert_int_equal(status, last ? TT_OK : TT_ERR_IO);
    }
    assert_int_equal(again.steps, result.steps);
    assert_int_equal(again.skipped, result.skipped);
    assert_int_equal(again.best_step, result.best_step);
    assert_true(again.tokens == result.tokens);
    assert_memory_equal(a.model->w, b.model->w, a.model->size * sizeof(float));
    timeless("trainer_straight/metrics.jsonl", straight, sizeof straight);
    timeless("trainer_stopped/metrics.jsonl", stopped, sizeof stopped);
    assert_string_equal(straight, stopped);

    tt_checkpoint best_a, best_b;
    OK(tt_checkpoint_load(&best_a, "trainer_straight/best.h5", device));
    OK(tt_checkpoint_load(&best_b, "trainer_stopped/best.h5", device));
    uint64_t hash_a, hash_b;
    OK(tt_checkpoint_hash(&best_a, &hash_a));
    OK(tt_checkpoint_hash(&best_b, &hash_b));
    assert_true(hash_a == hash_b && hash_a != 0);
    assert_memory_not_equal(best_a.model->w, a.model->w, a.model->size * sizeof(float));
    tt_checkpoint_close(&best_a);
    tt_checkpoint_close(&best_b);
    tt_checkpoint_close(&a);
    tt_checkpoint_close(&b);
}

// Validations at steps 0, 6, 12, 18 and 23. Where no step does better than the start, the start is the best.
static void the_start_competes(void **state) {
    (void)state;
    tt_log_quiet(true);
    static const double no_better[] = {0.5, 0.5, 0.4, 0.3, 0.5}, better[] = {0.5, 0.4, 0.6, 0.6, 0.1};
    tt_phase_result result;
    tt_checkpoint start, best, fresh;
    flaky f = {.fails_at = 2, .scores = no_better};
    fresh_start("trainer_fresh", &fresh);
    fresh_start("trainer_start", &start);
    assert_int_equal(run_phase("trainer_start", &f, &start, false, &result), TT_ERR_IO);
    tt_checkpoint_close(&start);
    OK(tt_checkpoint_load(&start, "trainer_start/last.h5", device)); // the validation of the start counts
    assert_int_equal(f.validations, 1);
    f.fails_at = -1;
    OK(run_phase("trainer_start", &f, &start, true, &result));
    assert_int_equal(f.validations, 5);
    assert_int_equal(result.steps, TOTAL);
    assert_int_equal(result.best_step, 0);
    assert_true(result.best_score == 0.5);
    OK(tt_checkpoint_load(&best, "trainer_start/best.h5", device));
    assert_memory_equal(best.model->w, fresh.model->w, fresh.model->size * sizeof(float));
    tt_checkpoint_close(&best);
    tt_checkpoint_close(&start);

    f = (flaky){.fails_at = -1, .scores = better};
    fresh_start("trainer_start", &start);
    OK(run_phase("trainer_start", &f, &start, false, &result));
    assert_int_equal(result.best_step, 12); // 18 is no better
    tt_checkpoint_close(&start);
    tt_checkpoint_close(&fresh);
}

// Validations at steps 0, 6, 12, 18: the last two are no better than that of step 6, also when the phase was
// stopped and went on between them.
static void a_phase_runs_out_of_patience(void **state) {
    (void)state;
    tt_log_quiet(true);
    static const double scores[] = {0.5, 0.6, 0.6, 0.1, 0.9};
    static const int64_t stops[] = {-1, 14};
    for (int i = 0; i < 2; ++i) {
        tt_phase_result result;
        tt_phase_state saved;
        tt_checkpoint start;
        flaky f = {.fails_at = stops[i], .scores = scores, .patience = 2};
        fresh_start("trainer_patience", &start);
        if (stops[i] >= 0) {
            assert_int_equal(run_phase("trainer_patience", &f, &start, false, &result), TT_ERR_IO);
            tt_checkpoint_close(&start);
            OK(tt_checkpoint_load(&start, "trainer_patience/last.h5", device));
            OK(tt_phase_read(&saved, start.state, "testing"));
            assert_false(saved.finished);
            f.fails_at = -1;
        }
        OK(run_phase("trainer_patience", &f, &start, stops[i] >= 0, &result));
        assert_int_equal(f.validations, 4);
        assert_int_equal(result.steps, 18);
        assert_int_equal(result.best_step, 6);
        tt_checkpoint_close(&start);
        OK(tt_checkpoint_load(&start, "trainer_patience/last.h5", device));
        OK(tt_phase_read(&saved, start.state, "testing"));
        assert_true(saved.finished);
        tt_checkpoint_close(&start);
    }
}

// Steps 12, 13 and 14 are skipped: the third in a row is one too many. What was saved before them stays, although a validation
// and a save were due at the first.
static void steps_that_are_not_finite_end_a_phase(void **state) {
    (void)state;
    tt_log_quiet(true);
    tt_checkpoint start;
    tt_phase_result result;
    flaky f = {.fails_at = -1, .poisoned = 7u << 11, .skip_limit = 3};
    fresh_start("trainer_nan", &start);
    for (int again = 0; again < 2; ++again) {
        assert_int_equal(run_phase("trainer_nan", &f, &start, again, &result), TT_ERR_NUMERIC);
        assert_non_null(strstr(tt_error_message(), "step 14"));
        assert_non_null(
            strstr(tt_error_message(), "the last good checkpoint is trainer_nan/last.h5, after step 8"));
        assert_true(result.steps == 14 && result.skipped == 3);
        tt_checkpoint_close(&start);
        OK(tt_checkpoint_load(&start, "trainer_nan/last.h5", device));
    }
    f.skip_limit = 4;
    OK(run_phase("trainer_nan", &f, &start, true, &result));
    assert_int_equal(result.skipped, 3);
    tt_checkpoint_close(&start);
    f.poisoned = 1, f.skip_limit = 1;
    fresh_start("trainer_nan", &start);
    assert_int_equal(run_phase("trainer_nan", &f, &start, false, &result), TT_ERR_NUMERIC);
    assert_non_null(strstr(tt_error_message(), "no checkpoint was written before"));
    tt_checkpoint_close(&start);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_handful_of_pairs_is_learned),
        cmocka_unit_test(parts_and_ranks_give_the_same_gradient),
        cmocka_unit_test(joint_batches_add_two_means),
        cmocka_unit_test(a_step_that_is_not_finite_changes_nothing_and_counts),
        cmocka_unit_test(recomputed_layers_train_to_the_same_bits),
        cmocka_unit_test(a_step_after_warm_up_allocates_nothing),
        cmocka_unit_test(a_phase_that_was_stopped_goes_on_to_the_same_bits),
        cmocka_unit_test(the_start_competes), cmocka_unit_test(a_phase_runs_out_of_patience),
        cmocka_unit_test(steps_that_are_not_finite_end_a_phase)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
