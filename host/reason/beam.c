// Beam search over groups of prompts, which are encoded together.
//
// In each step the 2 x beams best continuations of each running text are candidates; of all candidates of a
// prompt the best 2 x beams count. Those among the first `beams` that end join the finished texts; the best
// `beams` that do not end become the running texts.
//
// A prompt owns `beams` slots of the decoder. A text stays in its parent's slot if it is the first child of that
// parent, otherwise it moves to a slot whose text has no child: so no slot that others go on from is overwritten.
#include "host/reason/beam.h"

#include "host/base/log.h"
#include "host/model/decoder.h"
#include "host/text/tokenizer.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_TOKENS = 8192 };

typedef struct running_text { // or a finished one
    double score;
    int slot, n;  // n: generated tokens
    int parent;   // slot in which the tokens before the last one are
    int32_t last; // token
} running_text;

typedef struct candidate {
    double score;
    int parent; // index of the running text that it continues
    int32_t token;
} candidate;

typedef struct beam_prompt {
    int prompt;    // index
    int row, rows; // of its encoding
    bool done;
    int n_running, n_finished;
    running_text *running, *finished; // [beams]; finished: best first
    int32_t *finished_ids;            // [beams, max_length]; finished[i].slot is a row of it
} beam_prompt;

typedef struct beam_search {
    tt_model *model;
    const tt_decoding *decoding;
    int beams, group; // group: prompts at a time
    int top;          // candidates of a text: 2 x beams
    int source_rows;  // capacity for encoded prompts
    tt_decoder *decoder;
    tt_batch batch;
    beam_prompt *prompts; // [group]
    running_text *texts;  // of all prompts: running and finished
    int32_t *finished_ids;
    int32_t *ids; // [slots, max_length]: what each slot has generated
    int32_t *slot, *token, *position, *start, *length, *parent; // [slots]: arguments of a step
    int32_t *choice, *device_choice; // [slots, top], behind it as many scores: one download brings both
    float *score;                    // within choice
    candidate *candidates;           // [beams x top]
} beam_search;

static void beam_search_close(beam_search *s) {
    if (s->model) {
        tt_device_free(s->model->device, s->device_choice);
    }
    void *const arrays[] = {s->prompts, s->texts, s->finished_ids, s->ids, s->slot, s->choice, s->candidates};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i) free(arrays[i]);
    tt_batch_close(&s->batch);
    tt_decoder_close(s->decoder);
}

// Encoded tokens of the largest group.
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

static tt_status beam_search_open(beam_search *s, tt_model *model, const tt_beam_request *request) {
    const int n = request->n, slots = request->slots;
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
        {&s->finished_ids, all * length, 4}, {&s->ids, all * length, 4}, {&s->slot, 6 * all, 4},
        {&s->choice, 2 * all * top, 4}, {&s->candidates, b * top, sizeof(candidate)}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i)
        TT_TRY(tt_alloc(arrays[i].field, arrays[i].count, arrays[i].size, "beam search"));
    s->token = s->slot + all;
    s->position = s->token + all;
    s->start = s->position + all;
    s->length = s->start + all;
    s->parent = s->length + all;
    TT_TRY(tt_device_alloc(device, &s->device_choice, 2 * all * top, 4, "beam search"));
    for (size_t i = 0; i < g; ++i) {
        s->prompts[i].running = s->texts + 2 * i * b;
        s->prompts[i].finished = s->prompts[i].running + b;
        s->prompts[i].finished_ids = s->finished_ids + i * b * length;
    }
    s->source_rows = group_rows(request->prompts, n, s->group);
    return tt_decoder_open(&s->decoder, model, (int)all, d->max_length, s->source_rows);
}

static int32_t *ids_of(const beam_search *s, int slot) {
    return s->ids + (size_t)slot * (size_t)s->decoding->max_length;
}

// Encodes the next prompts, as many as fit into a group; *count receives how many.
static tt_status encode_group(beam_search *s, const tt_beam_request *request, int first, int *count) {
    int rows = 0;
    tt_batch_clear(&s->batch);
    *count = 0;
    for (int i = first; i < request->n && *count < s->group; ++i) {
        const tt_prompt *p = &request->prompts[i];
        if (*count && rows + p->n > GROUP_TOKENS) break;
        TT_TRY(tt_batch_add_source(&s->batch, p->ids, p->n, (uint32_t)p->example));
        beam_prompt *b = &s->prompts[*count];
        b->prompt = i;
        b->row = rows;
        b->rows = p->n;
        b->done = false;
        b->n_finished = 0;
        b->n_running = 1;
        b->running[0] =
            (running_text){.slot = *count * s->beams, .parent = *count * s->beams, .last = TT_PAD};
        rows += p->n;
        ++*count;
    }
    TT_TRY(tt_decoder_forget(s->decoder, 0, s->source_rows));
    return tt_decoder_encode(s->decoder, &s->batch, 0);
}

// The best continuations of all running texts: s->choice and s->score, rows in order of prompts and texts.
static tt_status score_continuations(beam_search *s, int count, int64_t *tokens) {
    tt_device *device = s->model->device;
    const int vocab = s->model->config.vocab_size;
    const tt_decoding *d = s->decoding;
    int rows = 0;
    for (int i = 0; i < count; ++i) {
        const beam_prompt *b = &s->prompts[i];
        for (int r = 0; !b->done && r < b->n_running; ++r, ++rows) {
            const running_text *t = &b->running[r];
            s->slot[rows] = t->slot;
            s->token[rows] = t->last;
            s->position[rows] = t->n;
            s->start[rows] = b->row;
            s->length[rows] = b->rows;
            s->parent[rows] = t->parent;
        }
    }
    float *logits;
    TT_TRY(tt_decoder_step(s->decoder,
        &(tt_decoder_slots){.n = rows,
            .slot = s->slot,
            .token = s->token,
            .position = s->position,
            .source_start = s->start,
            .source_length = s->length,
            .parent = s->parent},
        &logits));
    TT_TRY(device->ops->log_softmax(device, logits, rows, vocab));
    const float penalty = d->repetition_penalty > 0 ? d->repetition_penalty : 1;
    if (penalty != 1 || d->min_length > 0)
        TT_TRY(tt_decoder_penalise(s->decoder, rows, penalty, d->min_length, logits));
    const size_t n = (size_t)rows * (size_t)s->top;
    TT_TRY(device->ops->top(device, &(tt_top){.rows = rows,
                                        .vocab = vocab,
                                        .k = s->top,
                                        .scores = logits,
                                        .token = s->device_choice,
                                        .score = (float *)(s->device_choice + n)}));
    TT_TRY(tt_device_download(device, s->choice, s->device_choice, 2 * n * sizeof *s->choice));
    s->score = (float *)(s->choice + n);
    *tokens += rows;
    return TT_OK;
}

// Best first; of equal scores the earlier text's first, then the lower id: the order of a flattened [text, id].
static int by_score(const void *left, const void *right) {
    const candidate *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->parent != b->parent) return a->parent - b->parent;
    return a->token < b->token ? -1 : a->token > b->token;
}

static void finish_text(beam_search *s, beam_prompt *b, const candidate *c) {
    const running_text *parent = &b->running[c->parent];
    const double score = c->score / pow(parent->n + 1, (double)s->decoding->length_penalty);
    int row = b->n_finished;
    if (row == s->beams) {
        if (!(score > b->finished[row - 1].score)) return;
        row = b->finished[--b->n_finished].slot; // the worst text gives up its row
    }
    int place = b->n_finished++;
    for (; place > 0 && score > b->finished[place - 1].score; --place)
        b->finished[place] = b->finished[place - 1];
    b->finished[place] = (running_text){.score = score, .slot = row, .n = parent->n, .last = c->token};
    int32_t *ids = b->finished_ids + (size_t)row * (size_t)s->decoding->max_length;
    memcpy(ids, ids_of(s, parent->slot), (size_t)parent->n * sizeof *ids);
    if (c->token != TT_EOS) ids[b->finished[place].n++] = c->token;
}

// chosen[0..n) become the running texts. One text of each parent stays in its slot, the others take slots whose texts
// do not go on; the decoder goes on there from the parent's.
static tt_status continue_texts(
    beam_search *s, beam_prompt *b, int first_slot, const candidate *chosen, int n) {
    running_text *next;
    bool taken[512] = {false}; // slots of this prompt; beams <= 256
    TT_TRY(tt_alloc(&next, (size_t)n, sizeof *next, "beam search"));
    for (int i = 0; i < n; ++i) {
        const running_text *parent = &b->running[chosen[i].parent];
        const bool stays = !taken[parent->slot - first_slot];
        next[i] = (running_text){.score = chosen[i].score,
            .slot = stays ? parent->slot : -1,
            .parent = parent->slot,
            .n = parent->n + 1,
            .last = chosen[i].token};
        taken[parent->slot - first_slot] = true;
    }
    for (int i = 0, place = 0; i < n; ++i) {
        if (next[i].slot >= 0) continue;
        const running_text *parent = &b->running[chosen[i].parent];
        while (taken[place]) ++place;
        taken[place] = true;
        next[i].slot = first_slot + place;
        memcpy(ids_of(s, next[i].slot), ids_of(s, parent->slot), (size_t)parent->n * sizeof(int32_t));
    }
    for (int i = 0; i < n; ++i) ids_of(s, next[i].slot)[next[i].n - 1] = next[i].last;
    memcpy(b->running, next, (size_t)n * sizeof *next);
    b->n_running = n;
    free(next);
    return TT_OK;
}

// Whether no running text can become better than the worst finished one, by Hugging Face's rule for
// early_stopping.
static bool cannot_improve(const beam_search *s, const beam_prompt *b) {
    const tt_decoding *d = s->decoding;
    if (b->n_finished < s->beams) return false;
    if (d->early_stopping == TT_STOP_EARLY) return true;
    const bool longest = d->early_stopping == TT_STOP_NEVER && d->length_penalty > 0;
    const int length = longest ? d->max_length - 1 : b->running[0].n;
    return !(b->running[0].score / pow(length, (double)d->length_penalty) > b->finished[s->beams - 1].score);
}

// One step of a prompt, whose continuations begin at row `row` of s->choice and s->score.
static tt_status advance_prompt(beam_search *s, beam_prompt *b, int first_slot, int row) {
    int n = 0;
    for (int r = 0; r < b->n_running; ++r)
        for (int k = 0; k < s->top; ++k) {
            const size_t i = (size_t)(row + r) * (size_t)s->top + (size_t)k;
            s->candidates[n++] = (candidate){
                .score = b->running[r].score + (double)s->score[i], .parent = r, .token = s->choice[i]};
        }
    qsort(s->candidates, (size_t)n, sizeof *s->candidates, by_score);
    if (n > s->top) n = s->top;
    const bool last = b->running[0].n + 1 == s->decoding->max_length - 1;
    int kept = 0;
    for (int i = 0; i < n; ++i) {
        const candidate c = s->candidates[i];
        const bool ends = last || c.token == TT_EOS;
        if (ends && i < s->beams && c.score > -INFINITY) finish_text(s, b, &c);
        if (!ends && kept < s->beams) s->candidates[kept++] = c;
    }
    if (last || kept == 0) {
        b->done = true;
        return TT_OK;
    }
    TT_TRY(continue_texts(s, b, first_slot, s->candidates, kept));
    b->done = cannot_improve(s, b);
    return TT_OK;
}

static tt_status search_group(beam_search *s, int count, int64_t *tokens) {
    for (int alive = count; alive > 0;) {
        if (tt_interrupted()) return tt_fail(TT_ERR_INTERRUPTED, "interrupted while generating");
        TT_TRY(score_continuations(s, count, tokens));
        alive = 0;
        for (int i = 0, row = 0; i < count; ++i) {
            beam_prompt *b = &s->prompts[i];
            if (b->done) continue;
            const int rows = b->n_running;
            TT_TRY(advance_prompt(s, b, i * s->beams, row));
            row += rows;
            alive += !b->done;
        }
    }
    return TT_OK;
}

static tt_status check_request(const tt_model *model, const tt_beam_request *request) {
    const tt_decoding *d = request->decoding;
    if (d->beams < 2 || d->beams > 256 || d->beams > request->slots ||
        2 * d->beams > model->config.vocab_size)
        return tt_fail(TT_ERR_CONFIG,
            "beam search: %d beams; allowed are 2 to 256, at most the %d slots and half of the vocabulary",
            d->beams, request->slots);
    if (request->returned < 1 || request->returned > d->beams)
        return tt_fail(TT_ERR_CONFIG, "beam search: %d texts were asked for; allowed are 1 to the %d beams",
            request->returned, d->beams);
    if (d->temperature > 0)
        return tt_fail(TT_ERR_CONFIG, "beam search does not sample: expected temperature 0, got %g",
            (double)d->temperature);
    for (int i = 0; i < request->n; ++i)
        if (request->prompts[i].n < 1) return tt_fail(TT_ERR_INPUT, "prompt %d is empty", i);
    return TT_OK;
}

// Hands the best finished texts of a prompt to the caller.
static tt_status return_texts(const tt_beam_request *request, const beam_prompt *b) {
    for (int rank = 0; rank < request->returned && rank < b->n_finished; ++rank) {
        const running_text *finished = &b->finished[rank];
        const size_t row = (size_t)finished->slot * (size_t)request->decoding->max_length;
        TT_TRY(request->take(request->context, &(tt_beam_text){.prompt = b->prompt,
                                                   .rank = rank,
                                                   .ids = b->finished_ids + row,
                                                   .n = finished->n,
                                                   .score = finished->score}));
    }
    return TT_OK;
}

tt_status tt_beam_search(tt_model *model, const tt_beam_request *request, int64_t *tokens) {
    const int n = request->n;
    if (n == 0) return TT_OK;
    TT_TRY(check_request(model, request));
    beam_search s = {.decoding = request->decoding};
    tt_status status = beam_search_open(&s, model, request);
    for (int first = 0, count = 0; first < n && status == TT_OK; first += count) {
        status = encode_group(&s, request, first, &count);
        if (status == TT_OK) status = search_group(&s, count, tokens);
        for (int i = 0; i < count && status == TT_OK; ++i) status = return_texts(request, &s.prompts[i]);
    }
    beam_search_close(&s);
    return status;
}
