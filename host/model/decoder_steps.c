// Steps of decoding: their numbers, their recordings, and runs of steps that choose their tokens themselves.
//
// All numbers of a step, and of all steps of a run, go to the device by one copy. In a run each step reads the
// tokens that the one before chose, and the slots' numbers move on by themselves (tt_advance, or in beam search
// tt_beam_step); the host waits once, for all of them.
//
// On devices with recordings, steps come in few sizes: they are filled up to a multiple of TT_STEP_STRIDE rows
// with rows that use spare rows of the caches and the first row of a source that is read anyway. The first step
// (or run) of each size goes without a recording, the second is recorded. A recording contains how tokens are
// chosen; so it is forgotten when a step of its size chooses otherwise.
#include "host/model/decoder_state.h"
#include "host/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

// Rows of a step of n slots: on devices that record, a multiple of TT_STEP_STRIDE.
static int step_rows(const tt_decoder *p, int n) {
    return p->sizes ? (n + TT_STEP_STRIDE - 1) / TT_STEP_STRIDE * TT_STEP_STRIDE : n;
}

static bool same_way(const tt_step_way *x, const tt_step_way *y) {
    const tt_decoder_choice *a = &x->choice, *b = &y->choice;
    return x->table == y->table && x->beams == y->beams && a->steps == b->steps &&
           a->temperature == b->temperature && a->top_p == b->top_p && a->top_k == b->top_k &&
           a->repetition_penalty == b->repetition_penalty && a->min_length == b->min_length;
}

static bool penalised(const tt_decoder_choice *c) {
    return c->repetition_penalty != 1 || c->min_length > 0;
}

// A slot from which others go on must go on itself, or not be in the step.
static tt_status check_parents(tt_decoder *p, const tt_decoder_slots *active) {
    for (int i = 0; i < active->n; ++i) {
        const int32_t parent = active->parent[i];
        if (parent < 0 || parent >= p->slots)
            return tt_fail(TT_ERR_INTERNAL, "decoder: slot %d goes on from slot %d of %d", active->slot[i],
                parent, p->slots);
        p->parent_of[parent] = parent;
    }
    for (int i = 0; i < active->n; ++i) p->parent_of[active->slot[i]] = active->parent[i];
    for (int i = 0; i < active->n; ++i)
        if (p->parent_of[active->parent[i]] != active->parent[i])
            return tt_fail(TT_ERR_INTERNAL,
                "decoder: slot %d goes on from slot %d, which goes on from another itself", active->slot[i],
                active->parent[i]);
    return TT_OK;
}

static tt_status check_slots(tt_decoder *p, const tt_decoder_slots *active) {
    if (active->n < 1 || active->n > p->slots)
        return tt_fail(TT_ERR_INTERNAL, "decoder: a step of %d of %d slots", active->n, p->slots);
    for (int i = 0; i < active->n; ++i)
        if (active->slot[i] < 0 || active->slot[i] >= p->slots || active->position[i] < 0 ||
            active->position[i] >= p->max_length || active->source_start[i] < 0 ||
            active->source_length[i] < 1 ||
            active->source_length[i] > p->source_tokens - active->source_start[i])
            return tt_fail(TT_ERR_INTERNAL, "decoder: slot %d, position %d, source %d + %d is out of range",
                active->slot[i], active->position[i], active->source_start[i], active->source_length[i]);
    return active->parent ? check_parents(p, active) : TT_OK;
}

static int32_t *host_row(const tt_decoder *p, tt_step_row row) {
    return p->host + (size_t)row * (size_t)p->capacity;
}

// Sets the host's numbers of a step of n slots, but for TT_STEP_LEFT, which becomes 0.
static void set_numbers(tt_decoder *p, const tt_decoder_slots *active, int rows) {
    const int n = active->n;
    int32_t *token = host_row(p, TT_STEP_TOKEN), *row = host_row(p, TT_STEP_CACHE_ROW),
            *start = host_row(p, TT_STEP_START), *length = host_row(p, TT_STEP_LENGTH),
            *source_start = host_row(p, TT_STEP_SOURCE_START),
            *source_length = host_row(p, TT_STEP_SOURCE_LENGTH), *parent = host_row(p, TT_STEP_PARENT);
    for (int i = 0; i < n; ++i) {
        start[i] = active->slot[i] * p->max_length;
        token[i] = active->token[i];
        row[i] = start[i] + active->position[i];
        length[i] = active->position[i] + 1;
        source_start[i] = active->source_start[i];
        source_length[i] = active->source_length[i];
        parent[i] = active->parent ? active->parent[i] * p->max_length : start[i];
    }
    for (int i = n; i < rows; ++i) {
        token[i] = 0;
        row[i] = start[i] = parent[i] = p->slots * p->max_length + i - n;
        length[i] = source_length[i] = 1;
        source_start[i] = source_start[0];
    }
    memset(host_row(p, TT_STEP_LEFT), 0, (size_t)rows * sizeof(int32_t));
}

// `steps`: of random numbers, so many in each.
static tt_status upload_numbers(tt_decoder *p, int drawn, int steps) {
    const size_t capacity = (size_t)p->capacity;
    const size_t numbers = p->way.beams ? TT_STEP_TOTAL_END * capacity
                           : p->draws   ? TT_STEP_FROM * capacity + (size_t)drawn
                                        : TT_STEP_ROWS * capacity + (size_t)steps * (size_t)drawn;
    return tt_device_upload(p->model->device, p->step, p->host, numbers * sizeof *p->host);
}

static tt_status enter_slots(tt_decoder *p, int rows, const int32_t *ids) {
    return p->model->device->ops->enter(p->model->device, &(tt_enter){.slots = rows,
                                                              .token = ids,
                                                              .row = tt_step_of(p, TT_STEP_CACHE_ROW),
                                                              .start = tt_step_of(p, TT_STEP_START),
                                                              .length = tt_step_of(p, TT_STEP_LENGTH),
                                                              .parent = tt_step_of(p, TT_STEP_PARENT),
                                                              .ids = p->ids,
                                                              .table = p->way.table ? p->table : NULL});
}

static tt_status advance_slots(tt_decoder *p, int rows, const int32_t *token) {
    int32_t *const step = p->step;
    const size_t capacity = (size_t)p->capacity;
    return p->model->device->ops->advance(
        p->model->device, &(tt_advance){.slots = rows,
                              .end = TT_EOS,
                              .token = token,
                              .start = tt_step_of(p, TT_STEP_START),
                              .left = step + TT_STEP_LEFT * capacity,
                              .row = step + TT_STEP_CACHE_ROW * capacity,
                              .length = step + TT_STEP_LENGTH * capacity,
                              .read_length = step + TT_STEP_SOURCE_LENGTH * capacity});
}

// Penalises the logits by what their slots have read.
static tt_status penalise(tt_decoder *p, int rows) {
    const tt_decoder_choice *c = &p->way.choice;
    return p->model->device->ops->penalise(p->model->device, &(tt_penalise){.rows = rows,
                                                                 .vocab = p->model->config.vocab_size,
                                                                 .scores = p->logits,
                                                                 .repetition_penalty = c->repetition_penalty,
                                                                 .ids = p->ids,
                                                                 .table = p->way.table ? p->table : NULL,
                                                                 .start = tt_step_of(p, TT_STEP_START),
                                                                 .length = tt_step_of(p, TT_STEP_LENGTH),
                                                                 .end = TT_EOS,
                                                                 .min_length = c->min_length});
}

static tt_status choose_tokens(tt_decoder *p, int rows, const float *uniform, int32_t *token) {
    const tt_decoder_choice *c = &p->way.choice;
    if (penalised(c)) TT_TRY(penalise(p, rows));
    return p->model->device->ops->sample(
        p->model->device, &(tt_sample){.rows = p->draws ? p->draws : rows,
                              .vocab = p->model->config.vocab_size,
                              .logits = p->logits,
                              .from = p->draws ? tt_step_of(p, TT_STEP_FROM) : NULL,
                              .temperature = c->temperature,
                              .top_p = c->top_p,
                              .top_k = c->top_k,
                              .uniform = uniform,
                              .left = tt_step_of(p, TT_STEP_LEFT),
                              .token = token});
}

// How many candidates stand before those of step number `step`. Spare rows may make up further prompts: they have places,
// which nobody writes.
static size_t candidates_before(int rows, int beams, int step) {
    return (size_t)step * (size_t)(rows / beams) * 2 * (size_t)beams;
}

// The end of step number `step` of beam search: the numbers of the next one, in place.
static tt_status continue_beams(tt_decoder *p, int rows, int step) {
    tt_device *device = p->model->device;
    const int beams = p->way.beams, vocab = p->model->config.vocab_size;
    const size_t capacity = (size_t)p->capacity;
    float *const scores = (float *)(p->tops + capacity * 2 * (size_t)beams);
    int32_t *const numbers = p->step;
    TT_TRY(device->ops->log_softmax(device, p->logits, rows, vocab));
    if (penalised(&p->way.choice)) TT_TRY(penalise(p, rows));
    TT_TRY(device->ops->top(device, &(tt_top){.rows = rows,
                                        .vocab = vocab,
                                        .k = 2 * beams,
                                        .scores = p->logits,
                                        .token = p->tops,
                                        .score = scores}));
    return device->ops->beam_step(device, &(tt_beam_step){.prompts = rows / beams,
                                              .beams = beams,
                                              .end = TT_EOS,
                                              .choice = p->tops,
                                              .score = scores,
                                              .left = tt_step_of(p, TT_STEP_LEFT),
                                              .total = (double *)(numbers + TT_STEP_TOTAL * capacity),
                                              .token = numbers + TT_STEP_TOKEN * capacity,
                                              .row = numbers + TT_STEP_CACHE_ROW * capacity,
                                              .start = numbers + TT_STEP_START * capacity,
                                              .length = numbers + TT_STEP_LENGTH * capacity,
                                              .parent = numbers + TT_STEP_PARENT * capacity,
                                              .best = p->best + candidates_before(rows, beams, step)});
}

// One step, or the steps of a run.
static tt_status compute_steps(tt_decoder *p, int rows) {
    const tt_decoder_choice *c = &p->way.choice;
    const int32_t *ids = tt_step_of(p, TT_STEP_TOKEN);
    const float *uniform = (const float *)tt_step_of(p, TT_STEP_ROWS);
    for (int i = 0; i == 0 || i < c->steps; ++i) {
        if (i > 0 && !p->way.beams) TT_TRY(advance_slots(p, rows, ids));
        if (p->way.table || penalised(c)) TT_TRY(enter_slots(p, rows, ids));
        TT_TRY(tt_decoder_compute(p, rows, ids));
        if (c->steps == 0) break;
        if (p->way.beams) {
            TT_TRY(continue_beams(p, rows, i));
            continue;
        }
        int32_t *token = p->chosen + (size_t)i * (size_t)rows;
        TT_TRY(choose_tokens(p, rows, uniform + (size_t)i * (size_t)rows, token));
        ids = token;
    }
    return TT_OK;
}

static tt_status record_steps(tt_decoder *p, int rows, tt_recording **out) {
    tt_device *device = p->model->device;
    TT_TRY(tt_device_record(device));
    const tt_status computed = compute_steps(p, rows), status = tt_device_recorded(device, out);
    if (computed == TT_OK) return status;
    tt_recording_close(device, *out);
    *out = NULL;
    return computed;
}

static tt_status do_steps(tt_decoder *p, int rows) {
    if (!p->sizes || !tt_device_records(p->model->device)) return compute_steps(p, rows);
    tt_step_size *size = &p->sizes[rows / TT_STEP_STRIDE];
    if (!size->seen || !same_way(&size->way, &p->way)) {
        tt_recording_close(p->model->device, size->recording);
        *size = (tt_step_size){.way = p->way, .seen = true};
        return compute_steps(p, rows);
    }
    // If recording fails (a library may refuse it), the step runs without one, and the next step tries again.
    if (!size->recording && record_steps(p, rows, &size->recording) != TT_OK) return compute_steps(p, rows);
    return tt_device_replay(p->model->device, size->recording);
}

tt_status tt_decoder_step(tt_decoder *p, const tt_decoder_slots *active, float **logits) {
    TT_TRY(check_slots(p, active));
    const int rows = step_rows(p, active->n);
    p->draws = 0;
    p->way = (tt_step_way){.choice = {.repetition_penalty = 1}, .table = active->parent != NULL};
    set_numbers(p, active, rows);
    TT_TRY(upload_numbers(p, rows, 0));
    TT_TRY(tt_decoder_discard_step(p, active));
    *logits = p->logits;
    return do_steps(p, rows);
}

// Draws must name rows of this step.
static tt_status check_draws(
    const tt_decoder *p, const tt_decoder_slots *active, int steps, const tt_decoder_draws *draws) {
    if (steps > 1 || p->sizes || draws->n < 1 || draws->n > p->slots)
        return tt_fail(TT_ERR_INTERNAL,
            "decoder: %d draws for %d slots in a run of %d steps%s; expected 1 to %d in one step that is not "
            "recorded",
            draws->n, active->n, steps, p->sizes ? " that are recorded" : "", p->slots);
    for (int i = 0; i < draws->n; ++i)
        if (draws->from[i] < 0 || draws->from[i] >= active->n)
            return tt_fail(TT_ERR_INTERNAL, "decoder: draw %d is from slot %d of the %d of the step", i,
                draws->from[i], active->n);
    return TT_OK;
}

// Sets the host's numbers that the choice of tokens needs. `drawn`: random numbers of a step.
static tt_status set_draws(tt_decoder *p, const tt_decoder_slots *active, const tt_decoder_choice *choice,
    const tt_decoder_draws *draws, int drawn) {
    const int n = draws->from ? draws->n : active->n;
    for (int i = 0; i < n; ++i) {
        const int slot = draws->from ? draws->from[i] : i;
        if (draws->left[i] < 1 || draws->left[i] > p->max_length - active->position[slot])
            return tt_fail(TT_ERR_INTERNAL, "decoder: slot %d at position %d cannot choose %d tokens",
                active->slot[slot], active->position[slot], draws->left[i]);
        host_row(p, TT_STEP_LEFT)[i] = draws->left[i];
        if (draws->from) host_row(p, TT_STEP_FROM)[i] = slot;
    }
    for (int i = 0; choice->temperature > 0 && i < choice->steps; ++i) {
        float *to = (float *)host_row(p, TT_STEP_ROWS) + (size_t)i * (size_t)drawn;
        memset(to, 0, (size_t)drawn * sizeof *to);
        memcpy(to, draws->uniform + (size_t)i * (size_t)n, (size_t)n * sizeof *to);
    }
    return TT_OK;
}

tt_status tt_decoder_run(tt_decoder *p, const tt_decoder_slots *active, const tt_decoder_choice *choice,
    const tt_decoder_draws *draws) {
    const int rows = step_rows(p, active->n), steps = choice->steps;
    TT_TRY(check_slots(p, active));
    if (steps < 1 || steps > TT_DECODER_STEPS)
        return tt_fail(
            TT_ERR_INTERNAL, "decoder: a run of %d steps; expected 1 to %d", steps, (int)TT_DECODER_STEPS);
    if (active->parent)
        return tt_fail(
            TT_ERR_INTERNAL, "decoder: a run of slots that go on from others; that is tt_decoder_run_beams");
    if (draws->from) TT_TRY(check_draws(p, active, steps, draws));
    p->draws = draws->from ? draws->n : 0;
    const int n = p->draws ? p->draws : active->n, drawn = p->draws ? p->draws : rows;
    p->way = (tt_step_way){.choice = *choice};
    set_numbers(p, active, rows);
    TT_TRY(set_draws(p, active, choice, draws, drawn));
    TT_TRY(upload_numbers(p, drawn, choice->temperature > 0 ? steps : 0));
    TT_TRY(tt_decoder_discard_step(p, active));
    TT_TRY(do_steps(p, rows));
    const size_t all = (size_t)steps * (size_t)drawn;
    TT_TRY(tt_device_download(p->model->device, p->downloaded, p->chosen, all * sizeof *p->chosen));
    for (int i = 0; i < steps; ++i)
        memcpy(draws->token + (size_t)i * (size_t)n, p->downloaded + (size_t)i * (size_t)drawn,
            (size_t)n * sizeof *p->downloaded);
    return TT_OK;
}

// Memory for so many beams; recordings contain the addresses of what was there before.
static tt_status reserve_beams(tt_decoder *p, int beams) {
    if (p->beams == beams) return TT_OK;
    tt_device *device = p->model->device;
    const size_t width = 2 * (size_t)beams, prompts = (size_t)p->capacity / (size_t)beams;
    tt_decoder_forget_steps(p);
    tt_device_free(device, p->tops);
    tt_device_free(device, p->best);
    free(p->found);
    p->tops = NULL, p->best = p->found = NULL, p->beams = 0;
    const size_t all = TT_DECODER_STEPS * prompts * width;
    TT_TRY(
        tt_device_alloc(device, &p->tops, 2 * (size_t)p->capacity * width, sizeof *p->tops, "beam search"));
    TT_TRY(tt_device_alloc(device, &p->best, all, sizeof *p->best, "beam search"));
    TT_TRY(tt_alloc(&p->found, all, sizeof *p->found, "beam search"));
    p->beams = beams;
    return TT_OK;
}

static tt_status check_beams(
    const tt_decoder *p, const tt_decoder_slots *active, const tt_decoder_beams *run) {
    if (run->steps < 1 || run->steps > TT_DECODER_STEPS || run->beams < 2 || run->beams > TT_MOST_BEAMS ||
        2 * run->beams > p->model->config.vocab_size || active->n % run->beams || !active->parent)
        return tt_fail(TT_ERR_INTERNAL, "decoder: a run of %d steps of %d slots with %d beams%s", run->steps,
            active->n, run->beams, active->parent ? "" : ", without parents");
    for (int i = 0; i < active->n; ++i) {
        const int at = active->position[i / run->beams * run->beams];
        if (active->position[i] != at || run->steps > p->max_length - at)
            return tt_fail(TT_ERR_INTERNAL,
                "decoder: slot %d at position %d, of a prompt at position %d, cannot go on for %d steps",
                active->slot[i], active->position[i], at, run->steps);
    }
    return TT_OK;
}

tt_status tt_decoder_run_beams(tt_decoder *p, const tt_decoder_slots *active, const tt_decoder_beams *run) {
    const int n = active->n, rows = step_rows(p, n), beams = run->beams;
    TT_TRY(check_slots(p, active));
    TT_TRY(check_beams(p, active, run));
    TT_TRY(reserve_beams(p, beams));
    p->draws = 0;
    p->way = (tt_step_way){.choice = {.steps = run->steps,
                               .repetition_penalty = run->repetition_penalty,
                               .min_length = run->min_length},
        .table = true,
        .beams = beams};
    set_numbers(p, active, rows);
    for (int i = 0; i < n; ++i) host_row(p, TT_STEP_LEFT)[i] = run->steps;
    memcpy(host_row(p, (tt_step_row)TT_STEP_TOTAL), run->total, (size_t)n * sizeof *run->total);
    TT_TRY(upload_numbers(p, 0, 0));
    TT_TRY(tt_decoder_discard_step(p, active));
    TT_TRY(do_steps(p, rows));
    const size_t all = candidates_before(rows, beams, run->steps), width = 2 * (size_t)n;
    TT_TRY(tt_device_download(p->model->device, p->found, p->best, all * sizeof *p->found));
    for (int i = 0; i < run->steps; ++i)
        memcpy(run->best + (size_t)i * width, p->found + candidates_before(rows, beams, i),
            width * sizeof *p->found);
    return TT_OK;
}

tt_status tt_decoder_fork(tt_decoder *p, int from, int to, int tokens) {
    if (from < 0 || from >= p->slots || to < 0 || to >= p->slots || from == to || tokens < 1 ||
        tokens > p->max_length)
        return tt_fail(TT_ERR_INTERNAL, "decoder: slot %d of %d cannot take %d tokens from slot %d", to,
            p->slots, tokens, from);
    tt_device *device = p->model->device;
    const size_t n = (size_t)tokens, source = (size_t)from * (size_t)p->max_length,
                 target = (size_t)to * (size_t)p->max_length, row = 2 * (size_t)tt_inner(&p->model->config);
    for (int l = 0; l < p->model->config.num_decoder_layers; ++l)
        TT_TRY(tt_device_copy(device, tt_operand_at(device, p->self_kv[l], target * row),
            tt_operand_at(device, p->self_kv[l], source * row), n * row * device->operand_size));
    if (!penalised(&p->way.choice)) return TT_OK; // ids are not kept
    return tt_device_copy(device, p->ids + target, p->ids + source, n * sizeof *p->ids);
}
