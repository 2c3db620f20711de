// Continuous batching over a decoder.
//
// Encoded prompts are kept in a ring of rows (one for each token), oldest first; the rows of a prompt are freed
// once it and all older prompts are done. A new group is encoded when a slot is idle and no encoded sample is waiting.
// Where there is room for a small group alone, a quarter of the slots must be idle, so that the encoder works on large packed
// batches.
//
// Tokens are chosen on the device, several in a row: the host looks every few tokens, hands out the texts that have
// ended, and refills their slots.
//
// Where the host looks after each token, samples of a prompt that agree so far share the computing of their next token: their
// slots follow one of them, the leader, which alone is computed; each sample draws for itself. A sample that chooses
// another token than its leader gets a copy of the leader's caches, and leads the samples that chose the same.
// For that a prompt's samples start together: slots wait until there are enough of them, but at most an eighth of all.
#include "host/reason/engine.h"

#include "host/base/log.h"
#include "host/base/philox.h"
#include "host/model/decoder.h"
#include "host/reason/beam.h"
#include "host/text/tokenizer.h"

#include <stdlib.h>

#ifndef TT_ENGINE_SIZES // tests have smaller ones
enum { GROUP_TOKENS = 8192, RING_TOKENS = 32768, MAX_GROUP = 1024, MAX_ALIVE = 4096 };
#endif

// Tokens between two looks at what devices that record have chosen. A look makes the device wait for the host; a text
// that has ended keeps its slot until the next look, for 1.5 tokens on average.
enum { STEPS = 4 };
// Slots wait for a prompt's samples to start together while at most 1 of so many is idle.
enum { IDLE = 8 };

// Size of the ring, unless one prompt needs more: 32768 rows of T5-small take 0.8 GB, of T5-base 2.4 GB.
static const size_t ring_bytes = (size_t)2 << 30;

typedef struct encoded_prompt {
    int prompt;         // index
    int row, rows;      // in the ring
    int spawned, ended; // of its samples
} encoded_prompt;

typedef struct decoder_slot {
    encoded_prompt *source; // NULL = idle
    int sample, n;          // n: tokens generated
    int leader;   // the slot whose tokens so far are the same, and which is computed for this one; or itself
    int32_t last; // token
} decoder_slot;

typedef struct active_slot {
    int row; // of the prompt in the ring
    int leader, slot;
} active_slot;

struct tt_engine {
    tt_model *model;
    tt_decoder *decoder; // NULL until the first prompts
    int slots, max_length, ring;
    decoder_slot *slot;
    int32_t *ids; // [slots, max_length]
    // [slots]: arguments of a run of steps, of the leaders
    int32_t *leader, *token, *position, *start, *length;
    int32_t *active, *from, *left; // [slots]: slots that draw; index of their leader
    int32_t *chosen;               // [TT_DECODER_STEPS, slots]
    float *uniform;                // [TT_DECODER_STEPS, slots]
    int32_t *idle;                 // [slots]
    active_slot *order;            // [slots]
    int n_idle, steps;             // steps: of a run
    encoded_prompt *alive;         // [MAX_ALIVE], a ring too
    int oldest, n_alive, waiting; // waiting: index in the ring of the first prompt with samples left to start
    int head;                     // next free row
    tt_batch batch;
    int64_t tokens, shared, places;
    tt_watch_sample watch;
    void *watch_context;
};

tt_status tt_engine_open(tt_engine **out, tt_model *model, int slots, int max_length) {
    *out = NULL;
    if (slots < 1 || max_length < 2)
        return tt_fail(TT_ERR_CONFIG, "engine: %d slots of %d tokens; expected at least 1 slot and 2 tokens",
            slots, max_length);
    tt_engine *e;
    TT_TRY(tt_alloc(&e, 1, sizeof *e, "engine"));
    e->model = model;
    e->slots = slots;
    e->max_length = max_length;
    e->steps = tt_device_records(model->device) ? STEPS : 1;
    const size_t s = (size_t)slots;
    const struct {
        void *field;
        size_t count, size;
    } arrays[] = {{&e->slot, s, sizeof *e->slot}, {&e->ids, s * (size_t)max_length, 4}, {&e->leader, s, 4},
        {&e->token, s, 4}, {&e->position, s, 4}, {&e->start, s, 4}, {&e->length, s, 4}, {&e->active, s, 4},
        {&e->from, s, 4}, {&e->left, s, 4}, {&e->chosen, TT_DECODER_STEPS * s, 4},
        {&e->uniform, TT_DECODER_STEPS * s, 4}, {&e->idle, s, 4}, {&e->order, s, sizeof *e->order},
        {&e->alive, MAX_ALIVE, sizeof *e->alive}};
    tt_status status = TT_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && status == TT_OK; ++i)
        status = tt_alloc(arrays[i].field, arrays[i].count, arrays[i].size, "engine");
    if (status != TT_OK)
        tt_engine_close(e);
    else
        *out = e;
    return status;
}

void tt_engine_close(tt_engine *e) {
    if (!e) return;
    void *const arrays[] = {e->slot, e->ids, e->leader, e->token, e->position, e->start, e->length, e->active,
        e->from, e->left, e->chosen, e->uniform, e->idle, e->order, e->alive};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i) free(arrays[i]);
    tt_batch_close(&e->batch);
    tt_decoder_close(e->decoder);
    free(e);
}

int64_t tt_engine_tokens(const tt_engine *engine) {
    return engine->tokens;
}

int64_t tt_engine_shared(const tt_engine *engine) {
    return engine->shared;
}

int64_t tt_engine_places(const tt_engine *engine) {
    return engine->places;
}

tt_status tt_engine_look_every(tt_engine *e, int tokens) {
    if (tokens < 1 || tokens > TT_DECODER_STEPS)
        return tt_fail(TT_ERR_CONFIG, "engine: a look every %d tokens; allowed are 1 to %d", tokens,
            (int)TT_DECODER_STEPS);
    e->steps = tokens;
    return TT_OK;
}

void tt_engine_watch(tt_engine *e, tt_watch_sample watch, void *context) {
    e->watch = watch;
    e->watch_context = context;
}

// Steps between two looks.
static int steps_of(const tt_engine *e) {
    return e->watch ? 1 : e->steps;
}

// A call of tt_engine_generate in progress.
typedef struct job {
    const tt_generation *request;
    int next; // prompt to encode
    uint32_t key[2];
} job;

// Makes sure that the decoder's ring is large enough for these prompts.
static tt_status reserve_ring(tt_engine *e, const tt_prompt *prompts, int n) {
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
    if (limit <= e->ring || all <= e->ring) return TT_OK;
    all += all / 4; // the next call may have a few more
    if (all < limit) limit = all;
    tt_decoder_close(e->decoder);
    e->decoder = NULL;
    e->ring = 0;
    TT_TRY(tt_decoder_open(&e->decoder, e->model, e->slots, e->max_length, (int)limit));
    e->ring = (int)limit;
    return TT_OK;
}

static encoded_prompt *encoded_at(tt_engine *e, int i) {
    return &e->alive[(e->oldest + i) % MAX_ALIVE];
}

static tt_status release_done(tt_engine *e, const job *j) {
    while (e->n_alive && encoded_at(e, 0)->ended == j->request->prompts[encoded_at(e, 0)->prompt].n_samples) {
        TT_TRY(tt_decoder_forget(e->decoder, encoded_at(e, 0)->row, encoded_at(e, 0)->rows));
        e->oldest = (e->oldest + 1) % MAX_ALIVE;
        e->n_alive--;
        if (e->waiting) e->waiting--;
    }
    if (e->n_alive == 0) e->head = 0;
    return TT_OK;
}

// The first of `rows` adjacent free rows behind the newest prompt, or -1. A group never wraps around the end of
// the ring.
static int find_rows(tt_engine *e, int rows) {
    if (e->n_alive == 0) return rows <= e->ring ? 0 : -1;
    const int tail = encoded_at(e, 0)->row;
    if (e->head > tail) {
        if (e->ring - e->head >= rows) return e->head;
        return rows < tail ? 0 : -1;
    }
    return tail - e->head > rows ? e->head : -1;
}

// The next prompts to encode: `count` of them, of so many rows in all, which fit the ring from first_row on.
typedef struct prompt_group {
    int count, rows, first_row;
    bool crowded; // there was no room for the next prompt
} prompt_group;

// As many of the next prompts as fit.
static prompt_group next_group(tt_engine *e, const job *j) {
    prompt_group g = {0};
    while (j->next + g.count < j->request->n && g.count < MAX_GROUP) {
        const int rows = g.rows + j->request->prompts[j->next + g.count].n;
        if (g.count && rows > GROUP_TOKENS) break;
        const int placed = find_rows(e, rows);
        g.crowded = placed < 0 || e->n_alive + g.count == MAX_ALIVE;
        if (g.crowded) break;
        g = (prompt_group){.count = g.count + 1, .rows = rows, .first_row = placed};
    }
    return g;
}

static tt_status encode_group(tt_engine *e, job *j, prompt_group g) {
    tt_batch_clear(&e->batch);
    for (int i = 0, row = g.first_row; i < g.count; ++i) {
        const tt_prompt *p = &j->request->prompts[j->next + i];
        TT_TRY(tt_batch_add_source(&e->batch, p->ids, p->n, (uint32_t)p->example));
        *encoded_at(e, e->n_alive + i) = (encoded_prompt){.prompt = j->next + i, .row = row, .rows = p->n};
        row += p->n;
    }
    TT_TRY(tt_decoder_encode(e->decoder, &e->batch, g.first_row));
    e->n_alive += g.count;
    e->head = g.first_row + g.rows;
    j->next += g.count;
    return TT_OK;
}

// Whether samples that agree share.
static bool shares(const tt_engine *e, const job *j) {
    return j->request->decoding->temperature > 0 && steps_of(e) == 1 && !tt_device_records(e->model->device);
}

static void spawn_samples(tt_engine *e, const job *j) {
    while (e->n_idle && e->waiting < e->n_alive) {
        encoded_prompt *source = encoded_at(e, e->waiting);
        const tt_prompt *p = &j->request->prompts[source->prompt];
        const int left = p->n_samples - source->spawned;
        if (left == 0) {
            e->waiting++;
            continue;
        }
        const int some = left < e->n_idle ? left : e->n_idle, leader = e->idle[e->n_idle - 1];
        const bool share = shares(e, j);
        if (share && some < left && some <= e->slots / IDLE) return; // they start together
        for (int i = 0; i < some; ++i) {
            const int slot = e->idle[--e->n_idle];
            e->slot[slot] = (decoder_slot){.source = source,
                .sample = p->samples[source->spawned++],
                .leader = share ? leader : slot,
                .last = TT_PAD};
        }
    }
}

// Encodes the next prompts where slots are idle and no prompt waits for them.
static tt_status refill(tt_engine *e, job *j) {
    while (e->n_idle && e->waiting >= e->n_alive && j->next < j->request->n) {
        const prompt_group g = next_group(e, j);
        // What little fits would waste the encoder: it waits for more room, until a quarter of the slots is idle.
        const int usual = e->ring < GROUP_TOKENS ? e->ring : GROUP_TOKENS;
        if (g.count == 0 || (g.crowded && g.rows < usual / 2 && e->n_idle < (e->slots + 3) / 4)) break;
        TT_TRY(encode_group(e, j, g));
        spawn_samples(e, j);
    }
    return TT_OK;
}

// A uniform number in [0, 1) for the token of a sample that `ahead` tokens precede from now on, of 24 bits.
static float draw_uniform(const job *j, const decoder_slot *s, int ahead) {
    const uint64_t example = j->request->prompts[s->source->prompt].example;
    const uint32_t counter[4] = {
        (uint32_t)(s->n + ahead), (uint32_t)s->sample, (uint32_t)example, (uint32_t)(example >> 32)};
    uint32_t block[4];
    tt_philox(counter, j->key, block);
    return (float)(block[0] >> 8) * 0x1.0p-24f;
}

static int compare_ints(int a, int b) {
    return (a > b) - (a < b);
}

// Leaders come before those that follow them.
static int by_source(const void *a, const void *b) {
    const active_slot *x = a, *y = b;
    if (x->row != y->row) return compare_ints(x->row, y->row);
    if (x->leader != y->leader) return compare_ints(x->leader, y->leader);
    if ((x->slot == x->leader) != (y->slot == y->leader)) return x->slot == x->leader ? -1 : 1;
    return compare_ints(x->slot, y->slot);
}

// Sets e->active to the active slots, those of the same prompt and of the same leader adjacent, e->leader to the leaders,
// and e->from to each active slot's leader among them. *leaders receives their number. Returns how many slots are active.
static int order_active(tt_engine *e, int *leaders) {
    int n = 0;
    for (int i = 0; i < e->slots; ++i)
        if (e->slot[i].source)
            e->order[n++] =
                (active_slot){.row = e->slot[i].source->row, .leader = e->slot[i].leader, .slot = i};
    qsort(e->order, (size_t)n, sizeof *e->order, by_source);
    *leaders = 0;
    for (int i = 0; i < n; ++i) {
        e->active[i] = e->order[i].slot;
        if (e->active[i] == e->order[i].leader) e->leader[(*leaders)++] = e->active[i];
        e->from[i] = *leaders - 1;
    }
    return n;
}

static bool is_last(const job *j, const decoder_slot *s, int32_t token) {
    return token == TT_EOS || s->n + 1 == j->request->decoding->max_length - 1;
}

// The active slots from `begin` on follow the slot active[begin], and each has chosen a token: those that chose another one
// than it get leaders of their own. Returns where the next leader's slots begin.
static tt_status part_slots(tt_engine *e, const job *j, int n, int begin, int *end) {
    const int leader = e->active[begin];
    for (*end = begin + 1; *end < n && e->from[*end] == e->from[begin]; ++*end) {
        const int slot = e->active[*end];
        const int32_t token = e->chosen[*end];
        int like = begin; // the first that chose the same
        while (e->chosen[like] != token) ++like;
        e->slot[slot].leader = e->active[like];
        if (like == *end && !is_last(j, &e->slot[slot], token))
            TT_TRY(tt_decoder_fork(e->decoder, leader, slot, e->slot[slot].n + 1));
    }
    return TT_OK;
}

// Takes a token of an active slot. *ended tells whether it was the text's last one; then the slot is idle.
static tt_status take_token(tt_engine *e, const job *j, int slot, int32_t token, bool *ended) {
    decoder_slot *s = &e->slot[slot];
    int32_t *ids = e->ids + (size_t)slot * (size_t)e->max_length;
    *ended = is_last(j, s, token);
    s->last = token;
    if (token != TT_EOS) ids[s->n] = token;
    s->n++;
    e->tokens++;
    const int length = token == TT_EOS ? s->n - 1 : s->n;
    if (e->watch) TT_TRY(e->watch(e->watch_context, s->source->prompt, s->sample, ids, length));
    if (!*ended) return TT_OK;
    TT_TRY(j->request->take(j->request->context, s->source->prompt, s->sample, ids, length));
    s->source->ended++;
    s->source = NULL;
    e->idle[e->n_idle++] = slot;
    return TT_OK;
}

// Tokens in the order in which they were chosen: those of a step together, for texts that had not ended by then.
static tt_status take_tokens(tt_engine *e, const job *j, int n, int steps) {
    for (int i = 0; i < steps; ++i)
        for (int k = 0; k < n; ++k) {
            if (e->left[k] == 0) continue;
            bool ended;
            TT_TRY(take_token(e, j, e->active[k], e->chosen[(size_t)i * (size_t)n + (size_t)k], &ended));
            if (ended) e->left[k] = 0;
        }
    return TT_OK;
}

// A token of each active slot, or several.
static tt_status decode_tokens(tt_engine *e, const job *j) {
    const tt_decoding *d = j->request->decoding;
    int leaders;
    const int n = order_active(e, &leaders), steps = steps_of(e);
    for (int i = 0; i < leaders; ++i) {
        const decoder_slot *s = &e->slot[e->leader[i]];
        e->token[i] = s->last;
        e->position[i] = s->n;
        e->start[i] = s->source->row;
        e->length[i] = s->source->rows;
    }
    for (int i = 0; i < n; ++i) {
        const decoder_slot *s = &e->slot[e->active[i]];
        e->left[i] = d->max_length - 1 - s->n;
        for (int k = 0; d->temperature > 0 && k < steps; ++k)
            e->uniform[(size_t)k * (size_t)n + (size_t)i] = draw_uniform(j, s, k);
    }
    TT_TRY(tt_decoder_run(e->decoder,
        &(tt_decoder_slots){.n = leaders,
            .slot = e->leader,
            .token = e->token,
            .position = e->position,
            .source_start = e->start,
            .source_length = e->length},
        &(tt_decoder_choice){.steps = steps,
            .temperature = d->temperature,
            .top_p = d->top_p,
            .top_k = d->top_k,
            .repetition_penalty = d->repetition_penalty > 0 ? d->repetition_penalty : 1,
            .min_length = d->min_length},
        &(tt_decoder_draws){.left = e->left,
            .uniform = e->uniform,
            .token = e->chosen,
            .from = leaders < n ? e->from : NULL,
            .n = n}));
    e->places += (int64_t)steps * e->slots;
    e->shared += n - leaders;
    for (int at = 0; leaders < n && at < n;) TT_TRY(part_slots(e, j, n, at, &at));
    return take_tokens(e, j, n, steps);
}

// The best text of a prompt counts as each of its samples.
static tt_status take_best(void *context, const tt_beam_text *text) {
    const tt_generation *request = context;
    const tt_prompt *prompt = &request->prompts[text->prompt];
    for (int i = 0; i < prompt->n_samples; ++i)
        TT_TRY(request->take(request->context, text->prompt, prompt->samples[i], text->ids, text->n));
    return TT_OK;
}

static tt_status generate_beams(tt_engine *e, const tt_generation *request) {
    const tt_beam_request beams = {.prompts = request->prompts,
        .n = request->n,
        .decoding = request->decoding,
        .slots = e->slots,
        .steps = steps_of(e),
        .returned = 1,
        .take = take_best,
        .context = (void *)request};
    const int64_t before = e->tokens;
    const tt_status status = tt_beam_search(e->model, &beams, &e->tokens);
    e->places += e->tokens - before;
    return status;
}

tt_status tt_engine_generate(tt_engine *e, const tt_generation *request) {
    const tt_decoding *decoding = request->decoding;
    if (decoding->max_length < 2 || decoding->max_length > e->max_length)
        return tt_fail(
            TT_ERR_CONFIG, "max_length is %d; allowed are 2 to %d", decoding->max_length, e->max_length);
    if (request->n == 0) return TT_OK;
    if (decoding->beams > 1) return generate_beams(e, request);
    TT_TRY(reserve_ring(e, request->prompts, request->n));
    const uint64_t key = tt_key(decoding->seed, TT_FOR_SAMPLING, 0);
    job j = {.request = request, .key = {(uint32_t)key, (uint32_t)(key >> 32)}};
    e->n_alive = e->oldest = e->waiting = e->head = 0;
    e->n_idle = e->slots;
    for (int i = 0; i < e->slots; ++i) {
        e->slot[i].source = NULL;
        e->idle[i] = e->slots - 1 - i;
    }
    for (;;) {
        TT_TRY(release_done(e, &j));
        spawn_samples(e, &j);
        TT_TRY(refill(e, &j));
        if (e->n_idle == e->slots) break;
        if (tt_interrupted()) return tt_fail(TT_ERR_INTERRUPTED, "interrupted while generating");
        TT_TRY(decode_tokens(e, &j));
    }
    if (j.next == request->n) return TT_OK;
    return tt_fail(
        TT_ERR_INTERNAL, "engine: %d of %d prompts were left out", request->n - j.next, request->n);
}
