// Sizes at which passes and steps of decoding change their way, tested on both sides: fillers of what is
// replayed, and how much of it is kept.
#include "tests/cuda/pair.h"

#include "host/model/decoder.h"
#include "host/model/model.h"
#include "host/model/pass.h"
#include "host/reason/beam.h"

static const tt_model_config small = {.vocab_size = 48,
    .d_model = 16,
    .d_kv = 8,
    .d_ff = 16,
    .num_layers = 1,
    .num_decoder_layers = 1,
    .num_heads = 1,
    .relative_attention_num_buckets = 6,
    .relative_attention_max_distance = 12,
    .layer_norm_epsilon = 1e-6f,
    .initializer_factor = 1,
    .tie_word_embeddings = true,
    .scale_decoder_outputs = true};

// So many texts of `length` tokens, and a target of `target` tokens for each of the first `targets` of them.
typedef struct shape {
    int texts, length, targets, target;
} shape;

static void fill(tt_batch *batch, const shape *s, uint64_t stream) {
    tt_batch_clear(batch);
    for (int i = 0; i < s->texts; ++i) {
        int32_t *ids =
            twin_ids((size_t)(s->length + s->target), small.vocab_size, stream * 1000 + (uint64_t)i);
        twin_ok(tt_batch_add_source(batch, ids, s->length, (uint32_t)i));
        if (i < s->targets)
            twin_ok(tt_batch_add_target(
                batch, &(tt_batch_target){
                           .ids = ids + s->length, .n = s->target, .source = i, .example = (uint32_t)i}));
        free(ids);
    }
}

typedef struct student {
    tt_device *device;
    tt_model *model;
    tt_pass *pass;
} student;

static student open_student(tt_precision precision, bool plain) {
    student s = {0};
    twin_ok(tt_device_open(&s.device, "cuda", precision, 1));
    s.device->plain = plain;
    twin_ok(tt_model_open(&s.model, &small, s.device));
    twin_ok(tt_model_init(s.model, TT_INIT_T5, 5));
    twin_ok(tt_model_train(s.model));
    twin_ok(tt_pass_open(&s.pass, s.model));
    return s;
}

static void close_student(student *s) {
    tt_pass_close(s->pass);
    tt_model_close(s->model);
    tt_device_close(s->device);
}

static float *gradient(student *s, const tt_batch *batch, uint64_t step, float dropout) {
    const size_t n = (size_t)batch->dec_tokens;
    float *dlogp = twin_alloc(n, sizeof *dlogp), *logp = twin_alloc(n, sizeof *logp);
    for (size_t t = 0; t < n; ++t) dlogp[t] = -1 / (float)n;
    twin_ok(tt_device_zero(s->device, s->model->g, s->model->size * sizeof(float)));
    twin_ok(tt_forward_backward(
        s->pass, batch, (tt_dropout_key){dropout, tt_key(2, TT_FOR_DROPOUT, step)}, dlogp, logp));
    float *g = twin_alloc(s->model->size, sizeof *g);
    twin_ok(tt_device_download(s->device, g, s->model->g, s->model->size * sizeof *g));
    free(dlogp), free(logp);
    return g;
}

static void same_numbers(const float *got, const float *want, size_t n, double allowed, const char *what) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; ++i) {
        difference += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        size += (double)want[i] * (double)want[i];
    }
    assert_true(size > 0);
    if (sqrt(difference / size) <= allowed) return;
    print_error("%s: numbers are %.3g apart, allowed %.3g\n", what, sqrt(difference / size), allowed);
    fail();
}

// By hand: fillers end at the next multiple of the largest power of two that is at most a 32nd of the tokens,
// 32 at least; none from 8,192 tokens on.
static void lengths_of_fillers(void **state) {
    (void)state;
    static const int steps[][2] = {{1, 32}, {31, 32}, {1024, 32}, {2047, 32}, {2048, 64}, {4095, 64},
        {4096, 128}, {8191, 128}, {8192, 0}, {100000, 0}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; ++i)
        assert_int_equal(tt_pass_replay_step(steps[i][0]), steps[i][1]);
}

// Fillers as long as they can be: of 32 tokens below 2,048, of 128 from 4,096 on, where
// they are longer than the texts. Shapes come in turn, so that they are done plainly, recorded and replayed,
// each after another one has left its numbers in the same memory.
static void fillers(tt_precision precision, const shape *shapes, size_t n, double allowed) {
    student plain = open_student(precision, true), replayed = open_student(precision, false);
    tt_batch batch = {0};
    for (uint64_t step = 0; step < 3; ++step)
        for (size_t i = 0; i < n; ++i) {
            char what[100];
            fill(&batch, &shapes[i], step);
            snprintf(what, sizeof what, "%d texts of %d tokens, %d targets of %d, time %d", shapes[i].texts,
                shapes[i].length, shapes[i].targets, shapes[i].target, (int)step);
            float *want = gradient(&plain, &batch, step, 0.1f),
                  *got = gradient(&replayed, &batch, step, 0.1f);
            same_numbers(got, want, plain.model->size, allowed, what);
            free(want), free(got);
        }
    tt_batch_close(&batch);
    close_student(&plain), close_student(&replayed);
}

static void fillers_in_fp32(void **state) {
    (void)state;
    static const shape shapes[] = {{31, 32, 2, 2}, {64, 64, 2, 2}};
    fillers(TT_FP32, shapes, sizeof shapes / sizeof *shapes, 1e-5);
}

static void fillers_in_bf16(void **state) {
    (void)state;
    static const shape shapes[] = {{31, 3, 31, 32}, {16, 3, 16, 64}};
    fillers(TT_BF16, shapes, sizeof shapes / sizeof *shapes, 2e-2);
}

// Batches of as many rows that differ in their sequences' number or in their longest one: what was recorded for one of them
// may not be replayed for another.
static void shapes_of_as_many_rows(void **state) {
    (void)state;
    enum { MOST = 5 };
    static const int lengths[][MOST] = {{60, 20}, {40, 40}, {16, 16, 16, 16, 16}, {70, 10}, {80}};
    student plain = open_student(TT_FP32, true), replayed = open_student(TT_FP32, false);
    tt_batch batch = {0};
    for (uint64_t step = 0; step < 3; ++step)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
            char what[100];
            tt_batch_clear(&batch);
            for (int t = 0; t < MOST && lengths[i][t]; ++t) {
                const int n = lengths[i][t];
                int32_t *ids = twin_ids(2 * (size_t)n, small.vocab_size, 100 * step + 10 * i + (uint64_t)t);
                twin_ok(tt_batch_add_source(&batch, ids, n, (uint32_t)t));
                twin_ok(tt_batch_add_target(
                    &batch, &(tt_batch_target){.ids = ids + n, .n = n, .source = t, .example = (uint32_t)t}));
                free(ids);
            }
            snprintf(what, sizeof what, "80 rows, the first text has %d, time %d", lengths[i][0], (int)step);
            float *want = gradient(&plain, &batch, step, 0), *got = gradient(&replayed, &batch, step, 0);
            same_numbers(got, want, plain.model->size, 1e-5, what);
            free(want), free(got);
        }
    tt_batch_close(&batch);
    close_student(&plain), close_student(&replayed);
}

// Of 64 shapes a recording is kept, here told apart by their dropout. The 65th takes the place of the first,
// which was recorded, and then the first that of the second.
static void more_shapes_than_are_kept(void **state) {
    (void)state;
    enum { KEPT = 64 };
    const shape one = {1, 3, 1, 2};
    student plain = open_student(TT_FP32, true), replayed = open_student(TT_FP32, false);
    tt_batch batch = {0};
    fill(&batch, &one, 1);
    for (int i = -1; i <= KEPT + 1; ++i) { // the first twice
        const float dropout = 0.1f + 0.005f * (float)(i < 0 || i > KEPT ? 0 : i);
        float *got = gradient(&replayed, &batch, 1, dropout);
        if (i < 1 || i >= KEPT) {
            float *want = gradient(&plain, &batch, 1, dropout);
            same_numbers(got, want, plain.model->size, 1e-5,
                i < KEPT   ? "first shape"
                : i > KEPT ? "again"
                           : "65th");
            free(want);
        }
        free(got);
    }
    tt_batch_close(&batch);
    close_student(&plain), close_student(&replayed);
}

// Steps of 15, 16, 17 and one slot, which are 16 and 32 rows on the GPU: plainly, recorded and replayed, the
// texts of one size in slots in which those of another one were. Logits as on the CPU.
typedef struct decoding {
    student s;
    tt_decoder *decoder;
    float *logits;
} decoding;

enum { SLOTS = 17, POSITIONS = 4, SOURCES = 3 };

static decoding open_decoding(const char *device, const tt_batch *batch) {
    decoding d = {.logits = twin_alloc((size_t)SLOTS * (size_t)small.vocab_size, sizeof(float))};
    twin_ok(tt_device_open(&d.s.device, device, TT_FP32, 1));
    twin_ok(tt_model_open(&d.s.model, &small, d.s.device));
    twin_ok(tt_model_init(d.s.model, TT_INIT_T5, 5));
    twin_ok(tt_decoder_open(&d.decoder, d.s.model, SLOTS, POSITIONS + 1, batch->enc_tokens + 2));
    twin_ok(tt_decoder_encode(d.decoder, batch, 2)); // the first rows are nobody's
    return d;
}

static void close_decoding(decoding *d) {
    free(d->logits);
    tt_decoder_close(d->decoder);
    close_student(&d->s);
}

static void step(decoding *d, int slots, int position) {
    int32_t slot[SLOTS], token[SLOTS], at[SLOTS], start[SLOTS], length[SLOTS];
    for (int i = 0; i < slots; ++i) {
        slot[i] = SLOTS - 1 - i, token[i] = (i * 7 + position * 5) % small.vocab_size, at[i] = position;
        start[i] = 2 + 5 * (i * SOURCES / slots), length[i] = 5;
    }
    float *logits;
    twin_ok(tt_decoder_step(d->decoder,
        &(tt_decoder_slots){.n = slots,
            .slot = slot,
            .token = token,
            .position = at,
            .source_start = start,
            .source_length = length},
        &logits));
    twin_ok(tt_device_download(
        d->s.device, d->logits, logits, (size_t)slots * (size_t)small.vocab_size * sizeof *logits));
}

static void steps_of_decoding(void **state) {
    (void)state;
    const shape sources = {SOURCES, 5, 1, 1};
    static const int sizes[] = {15, 16, 17, 1};
    tt_batch batch = {0};
    fill(&batch, &sources, 9);
    decoding cpu = open_decoding("cpu", &batch), gpu = open_decoding("cuda", &batch);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
        for (int position = 0; position < POSITIONS; ++position) {
            char what[100];
            snprintf(what, sizeof what, "%d slots at position %d", sizes[i], position);
            step(&cpu, sizes[i], position), step(&gpu, sizes[i], position);
            same_numbers(gpu.logits, cpu.logits, (size_t)sizes[i] * (size_t)small.vocab_size, 1e-4, what);
        }
    tt_batch_close(&batch);
    close_decoding(&cpu), close_decoding(&gpu);
}

// Runs of steps: plainly, recorded and replayed, in which texts end at each place, go on beside them, and get the same
// tokens as by steps on the CPU whose tokens the host chooses. On the GPU the embedding of token 0 is NaN: it is what
// slots that have ended and rows that fill up a step read, and must not reach others, nor be complained about.
enum { TOKENS = 8 };

static decoding open_runs(const char *device, const tt_batch *batch) {
    tt_model_config untied = small;
    untied.tie_word_embeddings = false;
    decoding d = {.logits = twin_alloc((size_t)SLOTS * (size_t)small.vocab_size, sizeof(float))};
    twin_ok(tt_device_open(&d.s.device, device, TT_FP32, 1));
    twin_ok(tt_model_open(&d.s.model, &untied, d.s.device));
    twin_ok(tt_model_init(d.s.model, TT_INIT_T5, 1));
    twin_ok(tt_decoder_open(&d.decoder, d.s.model, SLOTS, TOKENS + 1, batch->enc_tokens));
    twin_ok(tt_decoder_encode(d.decoder, batch, 0));
    return d;
}

// The slots of a step, and the most tokens of each.
typedef struct running {
    int n;
    int32_t slot[SLOTS], token[SLOTS], position[SLOTS], start[SLOTS], length[SLOTS], left[SLOTS];
} running;

static running start_slots(int n) {
    running r = {.n = n};
    for (int i = 0; i < n; ++i) {
        r.slot[i] = SLOTS - 1 - i, r.token[i] = 2 + i, r.start[i] = 5 * (i % SOURCES), r.length[i] = 5;
        r.left[i] = 1 + (i + 4) % TOKENS;
    }
    return r;
}

static tt_decoder_slots slots_of(const running *r) {
    return (tt_decoder_slots){.n = r->n,
        .slot = r->slot,
        .token = r->token,
        .position = r->position,
        .source_start = r->start,
        .source_length = r->length};
}

// Slot i takes token[i], if it has not ended (left 0); those that have ended leave.
static void take_tokens(running *r, const int32_t *token, int32_t text[SLOTS][TOKENS]) {
    for (int i = 0; i < r->n; ++i) {
        if (r->left[i] == 0) continue;
        text[r->slot[i]][r->position[i]++] = r->token[i] = token[i];
        r->left[i] = token[i] == 1 ? 0 : r->left[i] - 1;
    }
}

static void leave(running *r) {
    int n = 0;
    for (int i = 0; i < r->n; ++i) {
        if (r->left[i] == 0) continue;
        r->slot[n] = r->slot[i], r->token[n] = r->token[i], r->position[n] = r->position[i];
        r->start[n] = r->start[i], r->length[n] = r->length[i], r->left[n++] = r->left[i];
    }
    r->n = n;
}

static void texts_by_steps(decoding *d, int n, int32_t text[SLOTS][TOKENS]) {
    for (running r = start_slots(n); r.n > 0; leave(&r)) {
        const tt_decoder_slots active = slots_of(&r);
        int32_t token[SLOTS] = {0};
        float *logits;
        twin_ok(tt_decoder_step(d->decoder, &active, &logits));
        for (int i = 0; i < r.n; ++i) {
            const float *row = logits + (size_t)i * (size_t)small.vocab_size;
            for (int v = 1; v < small.vocab_size; ++v)
                if (row[v] > row[token[i]]) token[i] = v;
            assert_int_not_equal(token[i], 0); // or the GPU would read it
        }
        take_tokens(&r, token, text);
    }
}

// With a temperature, what is drawn depends on the slot and the position alone.
static void texts_by_runs(decoding *d, int n, int steps, float temperature, int32_t text[SLOTS][TOKENS]) {
    for (running r = start_slots(n); r.n > 0; leave(&r)) {
        const tt_decoder_slots active = slots_of(&r);
        const tt_decoder_choice choice = {
            .steps = steps, .temperature = temperature, .top_p = 1, .repetition_penalty = 1};
        int32_t token[TT_DECODER_STEPS * SLOTS];
        float uniform[TT_DECODER_STEPS * SLOTS];
        for (int i = 0; i < steps * r.n; ++i)
            uniform[i] = (float)((r.slot[i % r.n] * 31 + (r.position[i % r.n] + i / r.n) * 17) % 97) / 97;
        const tt_decoder_draws draws = {.left = r.left, .uniform = uniform, .token = token};
        if (tt_decoder_run(d->decoder, &active, &choice, &draws) != TT_OK) {
            print_error("a run of %d slots: expected tokens, got: %s\n", r.n, tt_error_message());
            fail();
        }
        for (int i = 0; i < steps; ++i) take_tokens(&r, token + i * r.n, text);
    }
}

static void runs_of_decoding(void **state) {
    (void)state;
    const shape sources = {SOURCES, 5, 1, 1};
    static const int sizes[] = {15, 16, 17, 1}, steps[] = {1, 3, 4, TT_DECODER_STEPS};
    tt_batch batch = {0};
    fill(&batch, &sources, 9);
    decoding cpu = open_runs("cpu", &batch), gpu = open_runs("cuda", &batch);
    for (int n = 3; n <= SLOTS; n += SLOTS - 3) {
        int32_t want[SLOTS][TOKENS] = {{0}}, got[SLOTS][TOKENS] = {{0}};
        texts_by_runs(&cpu, n, 1, 1.5f, want);
        texts_by_runs(&gpu, n, 5, 1.5f, got);
        twin_same_bits("drawn texts", got, want, SLOTS * TOKENS, 4);
    }
    float nan[16]; // d_model
    for (int i = 0; i < 16; ++i) nan[i] = NAN;
    twin_ok(tt_device_upload(gpu.s.device, gpu.s.model->w + gpu.s.model->layout->shared, nan, sizeof nan));
    for (size_t k = 0; k < sizeof steps / sizeof *steps; ++k)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
            for (int again = 0; again < 2; ++again) {
                int32_t want[SLOTS][TOKENS] = {{0}}, got[SLOTS][TOKENS] = {{0}};
                texts_by_steps(&cpu, sizes[i], want);
                texts_by_runs(&gpu, sizes[i], steps[k], 0, got);
                twin_same_bits("texts of runs", got, want, SLOTS * TOKENS, 4);
            }
    // NaN of a text that goes on is reported, with its row; then all is well again.
    for (int again = 0; again < 3; ++again) {
        running r = start_slots(5);
        const tt_decoder_slots active = slots_of(&r);
        const tt_decoder_choice choice = {.steps = 4, .top_p = 1, .repetition_penalty = 1};
        int32_t token[4 * SLOTS];
        const tt_decoder_draws draws = {.left = r.left, .token = token};
        r.token[3] = 0;
        twin_refused(
            tt_decoder_run(gpu.decoder, &active, &choice, &draws), TT_ERR_NUMERIC, "logits of row 3");
        r.token[3] = 2;
        twin_ok(tt_decoder_run(gpu.decoder, &active, &choice, &draws));
    }
    tt_batch_close(&batch);
    close_decoding(&cpu), close_decoding(&gpu);
}

enum { PROMPTS = 7, BEAMS = 5, BEAM_TOKENS = 9 };

typedef struct beam_texts {
    int n, length[PROMPTS * BEAMS];
    int32_t ids[PROMPTS * BEAMS][BEAM_TOKENS];
    float score[PROMPTS * BEAMS];
} beam_texts;

static tt_status keep_text(void *context, const tt_beam_text *text) {
    beam_texts *out = context;
    assert_true(out->n < PROMPTS * BEAMS && text->n <= BEAM_TOKENS);
    out->length[out->n] = text->n;
    out->score[out->n] = (float)text->score;
    memcpy(out->ids[out->n++], text->ids, (size_t)text->n * 4);
    return TT_OK;
}

static void search(const student *s, const tt_decoding *how, int slots, int steps, beam_texts *out) {
    tt_prompt prompts[PROMPTS];
    int64_t tokens = 0;
    int32_t *ids = twin_ids(PROMPTS * 6, small.vocab_size, 77);
    for (int i = 0; i < PROMPTS; ++i) prompts[i] = (tt_prompt){.ids = ids + 6 * i, .n = 2 + i % 5};
    *out = (beam_texts){0};
    twin_ok(tt_beam_search(s->model,
        &(tt_beam_request){.prompts = prompts,
            .n = PROMPTS,
            .decoding = how,
            .slots = slots,
            .steps = steps,
            .returned = how->beams,
            .take = keep_text,
            .context = out},
        &tokens));
    free(ids);
}

// Beam search over groups of prompts that fill 15, 16, 18, 14 and 2 rows, and fewer once prompts are done: plainly, recorded and
// replayed, by other numbers of prompts in as many rows, too. Texts and scores as on the CPU, which looks after each step.
static void beams_of_decoding(void **state) {
    (void)state;
    static const struct {
        int beams, slots, steps;
    } ways[] = {{5, 15, 3}, {4, 16, TT_DECODER_STEPS}, {3, 18, 1}, {2, 17, 4}, {2, 2, TT_DECODER_STEPS}};
    student cpu = {0}, gpu = open_student(TT_FP32, false);
    twin_ok(tt_device_open(&cpu.device, "cpu", TT_FP32, 1));
    twin_ok(tt_model_open(&cpu.model, &small, cpu.device));
    twin_ok(tt_model_init(cpu.model, TT_INIT_T5, 5));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
        const tt_decoding how = {.top_p = 1,
            .max_length = BEAM_TOKENS + 1,
            .beams = ways[i].beams,
            .length_penalty = 1,
            .repetition_penalty = i % 2 ? 1.4f : 1,
            .early_stopping = TT_STOP_EARLY};
        beam_texts want, got;
        search(&cpu, &how, ways[i].slots, 1, &want);
        search(&gpu, &how, ways[i].slots, ways[i].steps, &got);
        assert_int_equal(want.n, PROMPTS * ways[i].beams);
        assert_int_equal(got.n, want.n);
        twin_same_bits("lengths of beams' texts", got.length, want.length, PROMPTS * BEAMS, 4);
        twin_same_bits("beams' texts", got.ids, want.ids, PROMPTS * BEAMS * BEAM_TOKENS, 4);
        for (int t = 0; t < want.n; ++t)
            assert_true(fabsf(got.score[t] - want.score[t]) <= 1e-4f * fabsf(want.score[t]));
    }
    tt_model_close(cpu.model);
    tt_device_close(cpu.device);
    close_student(&gpu);
}

// Steps of beams from the start of all texts: prompts of so many beams in SLOTS - 1 slots.
static void beam_run(decoding *d, int beams, tt_beam_candidate *best) {
    int32_t slot[SLOTS], token[SLOTS] = {0}, at[SLOTS] = {0}, start[SLOTS], length[SLOTS];
    double total[SLOTS];
    const int n = (SLOTS - 1) / beams * beams;
    for (int i = 0; i < n; ++i) {
        slot[i] = SLOTS - 1 - i, start[i] = 5 * (i / beams % SOURCES), length[i] = 5;
        total[i] = i % beams ? -INFINITY : 0;
    }
    twin_ok(tt_decoder_run_beams(d->decoder,
        &(tt_decoder_slots){.n = n,
            .slot = slot,
            .token = token,
            .position = at,
            .source_start = start,
            .source_length = length,
            .parent = slot},
        &(tt_decoder_beams){
            .steps = 3, .beams = beams, .repetition_penalty = 1.2f, .total = total, .best = best}));
}

// One decoder does runs of all kinds in 16 rows, each three times, one after another and back again: beams 4, greedy tokens,
// beams 8, beams 4.
static void ways_of_one_decoder(void **state) {
    (void)state;
    enum { MOST = 3 * 2 * SLOTS };
    const shape sources = {SOURCES, 5, 1, 1};
    static const int ways[] = {4, 0, 8, 4};
    tt_batch batch = {0};
    fill(&batch, &sources, 9);
    decoding cpu = open_runs("cpu", &batch), gpu = open_runs("cuda", &batch);
    for (int way = 0; way < 12; ++way) {
        const int beams = ways[way / 3];
        if (beams == 0) {
            int32_t want[SLOTS][TOKENS] = {{0}}, got[SLOTS][TOKENS] = {{0}};
            texts_by_runs(&cpu, 16, 1, 0, want);
            texts_by_runs(&gpu, 16, 4, 0, got);
            twin_same_bits("texts between beams", got, want, SLOTS * TOKENS, 4);
            continue;
        }
        tt_beam_candidate want[MOST] = {{0}}, got[MOST] = {{0}};
        beam_run(&cpu, beams, want);
        beam_run(&gpu, beams, got);
        for (int i = 0; i < MOST; ++i) {
            assert_true(want[i].score == got[i].score || fabs(want[i].score - got[i].score) < 1e-4);
            assert_int_equal(want[i].token, got[i].token);
            assert_int_equal(want[i].parent, got[i].parent);
            assert_int_equal(want[i].slot, got[i].slot);
        }
    }
    tt_batch_close(&batch);
    close_decoding(&cpu), close_decoding(&gpu);
}

// NaN in all logits of a run of several steps is told; no token beyond the vocabulary gets into the next step.
static void beams_tell_bad_logits(void **state) {
    (void)state;
    tt_model_config config = small;
    config.vocab_size = 64; // a row of bits for each id ends with the last
    const int32_t ids[2] = {5, 1};
    const tt_prompt prompts[2] = {{.ids = ids, .n = 2}, {.ids = ids, .n = 2}};
    const tt_decoding how = {
        .top_p = 1, .max_length = 9, .beams = 3, .length_penalty = 1, .repetition_penalty = 1.3f};
    float nan[16];
    for (int i = 0; i < 16; ++i) nan[i] = NAN;
    for (int cuda = 0; cuda < 2; ++cuda) {
        student s = {0};
        beam_texts out;
        int64_t tokens = 0;
        twin_ok(tt_device_open(&s.device, cuda ? "cuda" : "cpu", TT_FP32, 1));
        twin_ok(tt_model_open(&s.model, &config, s.device));
        twin_ok(tt_model_init(s.model, TT_INIT_T5, 5));
        twin_ok(
            tt_device_upload(s.device, s.model->w + s.model->layout->decoder.final_norm, nan, sizeof nan));
        twin_refused(tt_beam_search(s.model,
                         &(tt_beam_request){.prompts = prompts,
                             .n = 2,
                             .decoding = &how,
                             .slots = 6,
                             .steps = 4,
                             .returned = 1,
                             .take = keep_text,
                             .context = &out},
                         &tokens),
            TT_ERR_NUMERIC, "NaN or inf");
        tt_model_close(s.model);
        tt_device_close(s.device);
    }
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {cmocka_unit_test(lengths_of_fillers),
        cmocka_unit_test(steps_of_decoding), cmocka_unit_test(runs_of_decoding),
        cmocka_unit_test(shapes_of_as_many_rows), cmocka_unit_test(more_shapes_than_are_kept),
        cmocka_unit_test(fillers_in_fp32), cmocka_unit_test(fillers_in_bf16),
        cmocka_unit_test(beams_of_decoding), cmocka_unit_test(ways_of_one_decoder),
        cmocka_unit_test(beams_tell_bad_logits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
