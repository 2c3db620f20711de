// Continuous batching over a decoder.
//
// Encoded prompts lie in a ring of rows, oldest first; a prompt's rows are free again once it and all older
// ones are done. A new group is encoded when no encoded sample waits and a quarter of the slots is idle, so
// that the encoder, too, works on large packed batches.
#include "host/reason/engine.h"

#include "host/base/log.h"
#include "host/base/philox.h"
#include "host/model/decoder.h"
#include "host/reason/beam.h"
#include "host/reason/penalties.h"
#include "host/text/tokenizer.h"

#include <stdlib.h>

enum { GROUP_TOKENS = 8192, RING_TOKENS = 32768, MAX_GROUP = 1024, MAX_ALIVE = 4096 };

// Of the ring, unless one prompt needs more: 32768 rows of T5-small take 0.8 GB, of T5-base 2.4 GB.
static const size_t ring_bytes = (size_t)2 << 30;

typedef struct live { // an encoded prompt
    int prompt, row, rows;
    int spawned, ended;
} live;

typedef struct slot {
    live *source;
    int sample, n; // n: tokens generated
    int32_t last;
} slot;

typedef struct seat {
    int row, slot; // of the slot's source
} seat;

struct tt_engine {
    tt_model *model;
    tt_decoder *decoder; // NULL until the first prompts
    int slots, max_length, ring;
    slot *slot;
    int32_t *ids;                                    // [slots, max_length]
    int32_t *at, *token, *position, *start, *length; // [slots]: a step's arguments
    float *uniform, *device_uniform;                 // [slots]
    int32_t *device_token, *idle;                    // [slots]
    seat *seats;                                     // [slots]
    int n_idle;
    live *alive;                  // [MAX_ALIVE], a ring as well
    int oldest, n_alive, waiting; // waiting: index within the ring of the first with samples to spawn
    int head;                     // next free row
    tt_penalties penalties;
    tt_batch batch;
    int64_t tokens;
    tt_watch_sample watch;
    void *watch_context;
};

tt_status tt_engine_open(tt_engine **out, tt_model *model, int slots, int max_length) {
    *out = NULL;
    if (slots < 1 || max_length < 2)
        return tt_fail(TT_ERR_CONFIG, "engine: %d slots of %d tokens; allowed are 1 or more and 2 or more",
            slots, max_length);
    tt_engine *e;
    TT_TRY(tt_alloc(&e, 1, sizeof *e, "engine"));
    e->model = model;
    e->slots = slots;
    e->max_length = max_length;
    const size_t s = (size_t)slots;
    const struct {
        void *field;
        size_t count, size;
    } arrays[] = {{&e->slot, s, sizeof *e->slot}, {&e->ids, s * (size_t)max_length, 4}, {&e->at, s, 4},
        {&e->token, s, 4}, {&e->position, s, 4}, {&e->start, s, 4}, {&e->length, s, 4}, {&e->uniform, s, 4},
        {&e->idle, s, 4}, {&e->seats, s, sizeof *e->seats}, {&e->alive, MAX_ALIVE, sizeof *e->alive}};
    tt_status status = TT_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && status == TT_OK; ++i)
        status = tt_alloc(arrays[i].field, arrays[i].count, arrays[i].size, "engine");
    if (status == TT_OK) status = tt_device_alloc(model->device, &e->device_token, s, 4, "engine");
    if (status == TT_OK) status = tt_device_alloc(model->device, &e->device_uniform, s, 4, "engine");
    if (status != TT_OK)
        tt_engine_close(e);
    else
        *out = e;
    return status;
}

void tt_engine_close(tt_engine *e) {
    if (!e) return;
    tt_device_free(e->model->device, e->device_uniform);
    tt_device_free(e->model->device, e->device_token);
    void *const arrays[] = {e->slot, e->ids, e->at, e->token, e->position, e->start, e->length, e->uniform,
        e->idle, e->seats, e->alive};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i) free(arrays[i]);
    tt_batch_close(&e->batch);
    tt_penalties_close(&e->penalties);
    tt_decoder_close(e->decoder);
    free(e);
}

int64_t tt_engine_tokens(const tt_engine *engine) {
    return engine->tokens;
}

void tt_engine_watch(tt_engine *e, tt_watch_sample watch, void *context) {
    e->watch = watch;
    e->watch_context = context;
}

// One generation under way.
typedef struct job {
    const tt_prompt *prompts;
    int n, next; // next prompt to encode
    const tt_decoding *decoding;
    tt_take_sample take;
    void *context;
    uint32_t key[2];
} job;

// A decoder whose ring suits these prompts.
static tt_status reserve(tt_engine *e, const tt_prompt *prompts, int n) {
    int64_t all = 0, longest = 0, limit = (int64_t)(ring_bytes / tt_decoder_source_bytes(e->model));
    for (int i = 0; i < n; ++i) {
        if (prompts[i].n < 1 || prompts[i].n_samples < 1)
            return tt_fail(TT_ERR_INPUT, "prompt %d has %d tokens and %d samples; each must be at least 1", i,
                prompts[i].n, prompts[i].n_samples);
        all += prompts[i].n;
        if (prompts[i].n > longest) longest = prompts[i].n;
    }
    if (limit > RING_TOKENS) limit = RING_TOKENS;
    if (limit < longest) limit = longest;
    if (all < limit) limit = all;
    if (limit <= e->ring) return TT_OK;
    tt_decoder_close(e->decoder);
    e->decoder = NULL;
    e->ring = 0;
    TT_TRY(tt_decoder_open(&e->decoder, e->model, e->slots, e->max_length, (int)limit));
    e->ring = (int)limit;
    return TT_OK;
}

static live *alive_at(tt_engine *e, int i) {
    return &e->alive[(e->oldest + i) % MAX_ALIVE];
}

static tt_status release(tt_engine *e, const job *j) {
    while (e->n_alive && alive_at(e, 0)->ended == j->prompts[alive_at(e, 0)->prompt].n_samples) {
        TT_TRY(tt_decoder_forget(e->decoder, alive_at(e, 0)->row, alive_at(e, 0)->rows));
        e->oldest = (e->oldest + 1) % MAX_ALIVE;
        e->n_alive--;
        if (e->waiting) e->waiting--;
    }
    if (e->n_alive == 0) e->head = 0;
    return TT_OK;
}

// First row of `rows` free ones in the ring behind the newest prompt, or -1. A group is never split over the
// end.
static int place(tt_engine *e, int rows) {
    if (e->n_alive == 0) return rows <= e->ring ? 0 : -1;
    const int tail = alive_at(e, 0)->row;
    if (e->head > tail) {
        if (e->ring - e->head >= rows) return e->head;
        return rows < tail ? 0 : -1;
    }
    return tail - e->head > rows ? e->head : -1;
}

// Encodes as many of the next prompts as fit.
static tt_status encode_group(tt_engine *e, job *j) {
    int count = 0, rows = 0, at = -1;
    tt_batch_clear(&e->batch);
    while (j->next + count < j->n && count < MAX_GROUP && e->n_alive + count < MAX_ALIVE) {
        const tt_prompt *p = &j->prompts[j->next + count];
        if (count && rows + p->n > GROUP_TOKENS) break;
        const int placed = place(e, rows + p->n);
        if (placed < 0) break;
        at = placed;
        rows += p->n;
        count++;
    }
    if (count == 0) return TT_OK;
    for (int i = 0, row = at; i < count; ++i) {
        const tt_prompt *p = &j->prompts[j->next + i];
        TT_TRY(tt_batch_add_source(&e->batch, p->ids, p->n, (uint32_t)p->example));
        *alive_at(e, e->n_alive + i) = (live){.prompt = j->next + i, .row = row, .rows = p->n};
        row += p->n;
    }
    TT_TRY(tt_decoder_encode(e->decoder, &e->batch, at));
    e->n_alive += count;
    e->head = at + rows;
    j->next += count;
    return TT_OK;
}

static void spawn(tt_engine *e, const job *j) {
    while (e->n_idle && e->waiting < e->n_alive) {
        live *source = alive_at(e, e->waiting);
        const tt_prompt *p = &j->prompts[source->prompt];
        if (source->spawned == p->n_samples) {
            e->waiting++;
            continue;
        }
        e->slot[e->idle[--e->n_idle]] =
            (slot){.source = source, .sample = p->samples[source->spawned++], .last = TT_PAD};
    }
}

// A number in [0, 1) for the next token of a sample.
static float draw(const job *j, const slot *s) {
    const uint64_t example = j->prompts[s->source->prompt].example;
    const uint32_t counter[4] = {
        (uint32_t)s->n, (uint32_t)s->sample, (uint32_t)example, (uint32_t)(example >> 32)};
    uint32_t block[4];
    tt_philox(counter, j->key, block);
    return (float)(block[0] >> 8) * 0x1.0p-24f;
}

static tt_status penalise(tt_engine *e, const job *j, int n, float *logits) {
    for (int k = 0; k < n; ++k)
        TT_TRY(tt_penalties_add(&e->penalties, j->decoding, k,
            e->ids + (size_t)e->at[k] * (size_t)e->max_length, e->slot[e->at[k]].n));
    return tt_penalties_apply(&e->penalties, j->decoding, n, e->model->config.vocab_size, logits);
}

static int by_source(const void *a, const void *b) {
    const seat *x = a, *y = b;
    return x->row != y->row ? (x->row > y->row) - (x->row < y->row)
                            : (x->slot > y->slot) - (x->slot < y->slot);
}

// Active slots, those of the same prompt side by side: e->at. Returns how many.
static int line_up(tt_engine *e) {
    int n = 0;
    for (int i = 0; i < e->slots; ++i)
        if (e->slot[i].source) e->seats[n++] = (seat){e->slot[i].source->row, i};
    qsort(e->seats, (size_t)n, sizeof *e->seats, by_source);
    for (int i = 0; i < n; ++i) e->at[i] = e->seats[i].slot;
    return n;
}

static tt_status step(tt_engine *e, const job *j) {
    tt_device *device = e->model->device;
    const int n = line_up(e);
    for (int i = 0; i < n; ++i) {
        const slot *s = &e->slot[e->at[i]];
        e->token[i] = s->last;
        e->position[i] = s->n;
        e->start[i] = s->source->row;
        e->length[i] = s->source->rows;
        if (j->decoding->temperature > 0) e->uniform[i] = draw(j, s);
    }
    float *logits;
    TT_TRY(tt_decoder_step(e->decoder,
        &(tt_decoder_slots){.n = n,
            .slot = e->at,
            .token = e->token,
            .position = e->position,
            .source_start = e->start,
            .source_length = e->length},
        &logits));
    if (tt_penalties_wanted(j->decoding)) TT_TRY(penalise(e, j, n, logits));
    if (j->decoding->temperature > 0)
        TT_TRY(tt_device_upload(device, e->device_uniform, e->uniform, (size_t)n * sizeof(float)));
    TT_TRY(device->ops->sample(device, &(tt_sample){.rows = n,
                                           .vocab = e->model->config.vocab_size,
                                           .logits = logits,
                                           .temperature = j->decoding->temperature,
                                           .top_p = j->decoding->top_p,
                                           .top_k = j->decoding->top_k,
                                           .uniform = e->device_uniform,
                                           .token = e->device_token}));
    TT_TRY(tt_device_download(device, e->token, e->device_token, (size_t)n * sizeof(int32_t)));
    e->tokens += n;
    for (int k = 0; k < n; ++k) {
        slot *s = &e->slot[e->at[k]];
        int32_t *ids = e->ids + (size_t)e->at[k] * (size_t)e->max_length;
        s->last = e->token[k];
        if (s->last != TT_EOS) ids[s->n] = s->last;
        s->n++;
        const int length = s->last == TT_EOS ? s->n - 1 : s->n;
        if (e->watch) TT_TRY(e->watch(e->watch_context, s->source->prompt, s->sample, ids, length));
        if (s->last != TT_EOS && s->n < j->decoding->max_length - 1) continue;
        TT_TRY(j->take(j->context, s->source->prompt, s->sample, ids, length));
        s->source->ended++;
        s->source = NULL;
        e->idle[e->n_idle++] = e->at[k];
    }
    return TT_OK;
}

typedef struct best_beam {
    const tt_prompt *prompts;
    tt_take_sample take;
    void *context;
} best_beam;

static tt_status take_best(void *context, int prompt, int rank, const int32_t *ids, int n, double score) {
    (void)rank, (void)score;
    const best_beam *b = context;
    for (int i = 0; i < b->prompts[prompt].n_samples; ++i)
        TT_TRY(b->take(b->context, prompt, b->prompts[prompt].samples[i], ids, n));
    return TT_OK;
}

tt_status tt_engine_generate(tt_engine *e, const tt_prompt *prompts, int n, const tt_decoding *decoding,
    tt_take_sample take, void *context) {
    if (decoding->max_length < 2 || decoding->max_length > e->max_length)
        return tt_fail(
            TT_ERR_CONFIG, "max_length %d, allowed are 2 to %d", decoding->max_length, e->max_length);
    if (n == 0) return TT_OK;
    if (decoding->beams > 1) {
        best_beam best = {.prompts = prompts, .take = take, .context = context};
        return tt_beam_search(e->model, prompts, n, decoding, e->slots, 1, take_best, &best, &e->tokens);
    }
    if (tt_penalties_wanted(decoding))
        TT_TRY(tt_penalties_open(&e->penalties, e->model->device, e->slots, e->max_length));
    TT_TRY(reserve(e, prompts, n));
    const uint64_t key = tt_key(decoding->seed, TT_FOR_SAMPLING, 0);
    job j = {.prompts = prompts,
        .n = n,
        .decoding = decoding,
        .take = take,
        .context = context,
        .key = {(uint32_t)key, (uint32_t)(key >> 32)}};
    e->n_alive = e->oldest = e->waiting = e->head = 0;
    e->n_idle = e->slots;
    for (int i = 0; i < e->slots; ++i) {
        e->slot[i].source = NULL;
        e->idle[i] = e->slots - 1 - i;
    }
    for (;;) {
        TT_TRY(release(e, &j));
        spawn(e, &j);
        const bool hungry = e->n_idle >= (e->slots + 3) / 4 && e->waiting >= e->n_alive;
        if (hungry && j.next < n) {
            TT_TRY(encode_group(e, &j));
            spawn(e, &j);
        }
        if (e->n_idle == e->slots) return TT_OK;
        if (tt_interrupted()) return tt_fail(TT_ERR_INTERRUPTED, "interrupted while generating");
        TT_TRY(step(e, &j));
    }
}
