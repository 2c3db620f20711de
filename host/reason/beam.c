// Beam search over groups of prompts.
//
// Of each running text the 2 x beams best continuations are looked at; over a prompt, the best 2 x beams of
// them count. Those among the first `beams` that end join the finished texts, the best that do not end go on.
// A prompt owns `beams` slots of the decoder. A text goes on in its parent's slot if it is the first child,
// otherwise in a slot whose text has no child: so what is copied is never overwritten before.
#include "host/reason/beam.h"

#include "host/base/log.h"
#include "host/model/decoder.h"
#include "host/reason/penalties.h"
#include "host/text/tokenizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_TOKENS = 8192 };

typedef struct text {
    double score;
    int slot, n; // n: generated tokens
    int32_t last;
} text;

typedef struct candidate {
    double score;
    int parent; // index of a running text
    int32_t token;
} candidate;

typedef struct beam_prompt {
    int prompt, row, rows; // its encoding
    bool done;
    int n_running, n_finished;
    text *running, *finished; // [beams]; finished: best first
    int32_t *finished_ids;    // [beams, max_length]; finished[i].slot is a row of it
} beam_prompt;

typedef struct search {
    tt_model *model;
    const tt_decoding *decoding;
    int beams, group, top; // prompts at a time; continuations of a text
    int source_rows;       // of encoded prompts
    tt_decoder *decoder;
    tt_batch batch;
    tt_penalties penalties;
    beam_prompt *prompts; // [group]
    text *texts;          // of all prompts: running and finished
    int32_t *finished_ids;
    int32_t *ids;                                    // [slots, max_length]: what each slot has generated
    int32_t *at, *token, *position, *start, *length; // [slots]: a step's arguments
    int32_t *choice, *device_choice;                 // [slots, top]
    float *score, *device_score;
    candidate *candidates; // [beams x top]
} search;

static void search_close(search *s) {
    if (s->model) {
        tt_device_free(s->model->device, s->device_choice);
        tt_device_free(s->model->device, s->device_score);
    }
    void *const arrays[] = {
        s->prompts, s->texts, s->finished_ids, s->ids, s->at, s->choice, s->score, s->candidates};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i) free(arrays[i]);
    tt_batch_close(&s->batch);
    tt_penalties_close(&s->penalties);
    tt_decoder_close(s->decoder);
}

// Rows of encoded prompts that the largest group has.
static int group_rows(const tt_prompt *prompts, int n, int group) {
    int most = 0;
    for (int i = 0; i < n;) {
        int rows = 0, count = 0;
        for (; i < n && count < group && (count == 0 || rows + prompts[i].n <= GROUP_TOKENS); ++i, ++count)
            rows += prompts[i].n;
        if (rows > most) most = rows;
    }
    return most;
}

static tt_status search_open(search *s, tt_model *model, const tt_prompt *prompts, int n, int slots) {
    const tt_decoding *d = s->decoding;
    tt_device *device = model->device;
    s->model = model;
    s->beams = d->beams;
    s->top = 2 * d->beams;
    s->group = slots / d->beams < n ? slots / d->beams : n;
    const size_t g = (size_t)s->group, b = (size_t)s->beams, all = g * b, length = (size_t)d->max_length,
                 top = (size_t)s->top;
    const struct {
        void *field;
        size_t count, size;
    } arrays[] = {{&s->prompts, g, sizeof *s->prompts}, {&s->texts, 2 * all, sizeof *s->texts},
        {&s->finished_ids, all * length, 4}, {&s->ids, all * length, 4}, {&s->at, 5 * all, 4},
        {&s->choice, all * top, 4}, {&s->score, all * top, 4}, {&s->candidates, b * top, sizeof(candidate)}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i)
        TT_TRY(tt_alloc(arrays[i].field, arrays[i].count, arrays[i].size, "beam search"));
    s->token = s->at + all;
    s->position = s->token + all;
    s->start = s->position + all;
    s->length = s->start + all;
    TT_TRY(tt_device_alloc(device, &s->device_choice, all * top, 4, "beam search"));
    TT_TRY(tt_device_alloc(device, &s->device_score, all * top, 4, "beam search"));
    if (tt_penalties_wanted(d)) TT_TRY(tt_penalties_open(&s->penalties, device, (int)all, d->max_length));
    for (size_t i = 0; i < g; ++i) {
        s->prompts[i].running = s->texts + 2 * i * b;
        s->prompts[i].finished = s->prompts[i].running + b;
        s->prompts[i].finished_ids = s->finished_ids + i * b * length;
    }
    s->source_rows = group_rows(prompts, n, s->group);
    return tt_decoder_open(&s->decoder, model, (int)all, d->max_length, s->source_rows);
}

static int32_t *ids_of(const search *s, int slot) {
    return s->ids + (size_t)slot * (size_t)s->decoding->max_length;
}

// Encodes the next prompts; returns how many in *count.
static tt_status encode(search *s, const tt_prompt *prompts, int first, int n, int *count) {
    int rows = 0;
    tt_batch_clear(&s->batch);
    *count = 0;
    for (int i = first; i < n && *count < s->group; ++i) {
        const tt_prompt *p = &prompts[i];
        if (*count && rows + p->n > GROUP_TOKENS) break;
        TT_TRY(tt_batch_add_source(&s->batch, p->ids, p->n, (uint32_t)p->example));
        beam_prompt *b = &s->prompts[*count];
        b->prompt = i;
        b->row = rows;
        b->rows = p->n;
        b->done = false;
        b->n_finished = 0;
        b->n_running = 1;
        b->running[0] = (text){.slot = *count * s->beams, .last = TT_PAD};
        rows += p->n;
        ++*count;
    }
    TT_TRY(tt_decoder_forget(s->decoder, 0, s->source_rows));
    return tt_decoder_encode(s->decoder, &s->batch, 0);
}

// The best continuations of all running texts: s->choice and s->score, rows in order of prompts and texts.
static tt_status continuations(search *s, int count, int64_t *tokens) {
    tt_device *device = s->model->device;
    const int vocab = s->model->config.vocab_size;
    const bool penalised = tt_penalties_wanted(s->decoding);
    int rows = 0;
    for (int i = 0; i < count; ++i) {
        const beam_prompt *b = &s->prompts[i];
        for (int r = 0; !b->done && r < b->n_running; ++r, ++rows) {
            const text *t = &b->running[r];
            s->at[rows] = t->slot;
            s->token[rows] = t->last;
            s->position[rows] = t->n;
            s->start[rows] = b->row;
            s->length[rows] = b->rows;
            if (penalised)
                TT_TRY(tt_penalties_add(&s->penalties, s->decoding, rows, ids_of(s, t->slot), t->n));
        }
    }
    float *logits;
    TT_TRY(tt_decoder_step(s->decoder,
        &(tt_decoder_slots){.n = rows,
            .slot = s->at,
            .token = s->token,
            .position = s->position,
            .source_start = s->start,
            .source_length = s->length},
        &logits));
    TT_TRY(device->ops->log_softmax(device, logits, rows, vocab));
    if (penalised) TT_TRY(tt_penalties_apply(&s->penalties, s->decoding, rows, vocab, logits));
    TT_TRY(device->ops->top(device, &(tt_top){.rows = rows,
                                        .vocab = vocab,
                                        .k = s->top,
                                        .scores = logits,
                                        .token = s->device_choice,
                                        .score = s->device_score}));
    const size_t bytes = (size_t)rows * (size_t)s->top * 4;
    TT_TRY(tt_device_download(device, s->choice, s->device_choice, bytes));
    TT_TRY(tt_device_download(device, s->score, s->device_score, bytes));
    *tokens += rows;
    return TT_OK;
}

// Falling scores; of equals the earlier text's, then the lower id: the order of a flattened [text, id].
static int by_score(const void *left, const void *right) {
    const candidate *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->parent != b->parent) return a->parent - b->parent;
    return a->token < b->token ? -1 : a->token > b->token;
}

static void finish(search *s, beam_prompt *b, const candidate *c) {
    const text *parent = &b->running[c->parent];
    const double score = c->score / pow(parent->n + 1, (double)s->decoding->length_penalty);
    int row = b->n_finished;
    if (row == s->beams) {
        if (!(score > b->finished[row - 1].score)) return;
        row = b->finished[--b->n_finished].slot; // the worst makes room
    }
    int at = b->n_finished++;
    for (; at > 0 && score > b->finished[at - 1].score; --at) b->finished[at] = b->finished[at - 1];
    b->finished[at] = (text){.score = score, .slot = row, .n = parent->n, .last = c->token};
    int32_t *ids = b->finished_ids + (size_t)row * (size_t)s->decoding->max_length;
    memcpy(ids, ids_of(s, parent->slot), (size_t)parent->n * sizeof *ids);
    if (c->token != TT_EOS) ids[b->finished[at].n++] = c->token;
}

// chosen[0..n) become the running texts; those that cannot stay in their parent's slot are copied.
static tt_status go_on(search *s, beam_prompt *b, int first_slot, const candidate *chosen, int n) {
    text *next;
    bool taken[512] = {false}; // slots of this prompt; beams <= 256
    TT_TRY(tt_alloc(&next, (size_t)n, sizeof *next, "beam search"));
    for (int i = 0; i < n; ++i) {
        const text *parent = &b->running[chosen[i].parent];
        const bool mine = !taken[parent->slot - first_slot];
        next[i] = (text){chosen[i].score, mine ? parent->slot : -1, parent->n + 1, chosen[i].token};
        taken[parent->slot - first_slot] = true;
    }
    tt_status status = TT_OK;
    for (int i = 0, place = 0; i < n && status == TT_OK; ++i) {
        if (next[i].slot >= 0) continue;
        const text *parent = &b->running[chosen[i].parent];
        while (taken[place]) ++place;
        taken[place] = true;
        next[i].slot = first_slot + place;
        status = tt_decoder_copy(s->decoder, next[i].slot, parent->slot, parent->n + 1);
        memcpy(ids_of(s, next[i].slot), ids_of(s, parent->slot), (size_t)parent->n * sizeof(int32_t));
    }
    for (int i = 0; i < n; ++i) ids_of(s, next[i].slot)[next[i].n - 1] = next[i].last;
    memcpy(b->running, next, (size_t)n * sizeof *next);
    b->n_running = n;
    free(next);
    return status;
}

// Could a running text still be better than the worst finished one? As Hugging Face guesses it.
static bool hopeless(const search *s, const beam_prompt *b) {
    const tt_decoding *d = s->decoding;
    if (b->n_finished < s->beams) return false;
    if (d->early_stopping == TT_STOP_EARLY) return true;
    const bool longest = d->early_stopping == TT_STOP_NEVER && d->length_penalty > 0;
    const int length = longest ? d->max_length - 1 : b->running[0].n;
    return !(b->running[0].score / pow(length, (double)d->length_penalty) > b->finished[s->beams - 1].score);
}

// One step of a prompt whose texts' continuations begin at `row`.
static tt_status advance(search *s, beam_prompt *b, int first_slot, int row) {
    int n = 0;
    for (int r = 0; r < b->n_running; ++r)
        for (int k = 0; k < s->top; ++k) {
            const size_t i = (size_t)(row + r) * (size_t)s->top + (size_t)k;
            s->candidates[n++] = (candidate){b->running[r].score + (double)s->score[i], r, s->choice[i]};
        }
    qsort(s->candidates, (size_t)n, sizeof *s->candidates, by_score);
    if (n > s->top) n = s->top;
    const bool last = b->running[0].n + 1 == s->decoding->max_length - 1;
    int kept = 0;
    for (int i = 0; i < n; ++i) {
        const candidate c = s->candidates[i];
        const bool ends = last || c.token == TT_EOS;
        if (ends && i < s->beams && c.score > -INFINITY) finish(s, b, &c);
        if (!ends && kept < s->beams) s->candidates[kept++] = c;
    }
    if (last || kept == 0) {
        b->done = true;
        return TT_OK;
    }
    TT_TRY(go_on(s, b, first_slot, s->candidates, kept));
    b->done = hopeless(s, b);
    return TT_OK;
}

static tt_status search_group(search *s, int count, int64_t *tokens) {
    for (int alive = count; alive > 0;) {
        if (tt_interrupted()) return tt_fail(TT_ERR_INTERRUPTED, "interrupted while generating");
        TT_TRY(continuations(s, count, tokens));
        alive = 0;
        for (int i = 0, row = 0; i < count; ++i) {
            beam_prompt *b = &s->prompts[i];
            if (b->done) continue;
            const int rows = b->n_running;
            TT_TRY(advance(s, b, i * s->beams, row));
            row += rows;
            alive += !b->done;
        }
    }
    return TT_OK;
}

static tt_status check(
    const tt_model *model, const tt_prompt *prompts, int n, const tt_decoding *d, int slots, int returned) {
    if (d->beams < 2 || d->beams > 256 || d->beams > slots || 2 * d->beams > model->config.vocab_size)
        return tt_fail(TT_ERR_CONFIG,
            "beam search: %d beams; allowed are 2 to 256, at most the %d slots and half of the vocabulary",
            d->beams, slots);
    if (returned < 1 || returned > d->beams)
        return tt_fail(TT_ERR_CONFIG, "beam search: %d texts of %d beams", returned, d->beams);
    if (d->temperature > 0)
        return tt_fail(TT_ERR_CONFIG, "beam search is not sampled: temperature must be 0, it is %g",
            (double)d->temperature);
    for (int i = 0; i < n; ++i)
        if (prompts[i].n < 1) return tt_fail(TT_ERR_INPUT, "prompt %d is empty", i);
    return TT_OK;
}

tt_status tt_beam_search(tt_model *model, const tt_prompt *prompts, int n, const tt_decoding *decoding,
    int slots, int returned, tt_take_beam take, void *context, int64_t *tokens) {
    if (n == 0) return TT_OK;
    TT_TRY(check(model, prompts, n, decoding, slots, returned));
    search s = {.decoding = decoding};
    tt_status status = search_open(&s, model, prompts, n, slots);
    for (int first = 0, count = 0; first < n && status == TT_OK; first += count) {
        status = encode(&s, prompts, first, n, &count);
        if (status == TT_OK) status = search_group(&s, count, tokens);
        for (int i = 0; i < count && status == TT_OK; ++i) {
            const beam_prompt *b = &s.prompts[i];
            for (int r = 0; r < returned && r < b->n_finished && status == TT_OK; ++r)
                status = take(context, b->prompt, r,
                    b->finished_ids + (size_t)b->finished[r].slot * (size_t)decoding->max_length,
                    b->finished[r].n, b->finished[r].score);
        }
    }
    search_close(&s);
    return status;
}
