// Beam search over groups of prompts, which are encoded together.
//
// In each step the 2 x beams best continuations of each running text are candidates; of all candidates of a
// prompt the best 2 x beams count. Those among the first `beams` that end join the finished texts; the best
// `beams` that do not end become the running texts.
//
// Which texts run does not depend on those that have finished: so the device does several steps alone
// (tt_decoder_run_beams), and the host, which looks then, repeats them with what each has found, and learns from it
// which texts have finished and when a prompt was done. A prompt owns `beams` slots of the decoder.
#include "host/reason/beam.h"

#include "host/base/log.h"
#include "host/model/decoder.h"
#include "host/text/tokenizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_TOKENS = 8192 };

typedef struct running_text {
    double score;
    int slot, parent_slot; // parent_slot: in which the tokens before the last one are
    int32_t last;          // token
} running_text;

typedef struct finished_text {
    double score;
    int row, n; // of finished_ids; generated tokens
} finished_text;

typedef struct beam_prompt {
    int prompt;    // index
    int row, rows; // of its encoding
    bool done;
    int n_finished;
    running_text *running;   // [beams], best first
    finished_text *finished; // the same
    int32_t *finished_ids;   // [beams, max_length]
    int32_t *ids,
        *next_ids; // [beams, max_length]: what the running texts have generated; room for the next ones
    tt_beam_candidate *found; // [2 beams]: of the step that is replayed next
} beam_prompt;

typedef struct beam_search {
    tt_model *model;
    const tt_decoding *decoding;
    int beams, group; // group: prompts at a time
    int steps;        // between two looks
    int n;            // tokens of each running text
    int source_rows;  // capacity for encoded prompts
    tt_decoder *decoder;
    tt_batch batch;
    beam_prompt *prompts; // [group]
    running_text *running;
    finished_text *finished;
    int32_t *ids;                                               // of all prompts: finished, running, next
    int32_t *slot, *token, *position, *start, *length, *parent; // [slots]: arguments of a run
    double *total;                                              // [slots]
    tt_beam_candidate *best;                                    // [steps, group, 2 beams]
} beam_search;

static void beam_search_close(beam_search *s) {
    void *const arrays[] = {s->prompts, s->running, s->finished, s->ids, s->slot, s->total, s->best};
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
    s->model = model;
    s->beams = d->beams;
    s->steps = request->steps;
    s->group = slots / d->beams < n ? slots / d->beams : n;
    const size_t g = (size_t)s->group, b = (size_t)s->beams, all = g * b, length = (size_t)d->max_length;
    const struct {
        void *field;
        size_t count, size;
    } arrays[] = {{&s->prompts, g, sizeof *s->prompts}, {&s->running, all, sizeof *s->running},
        {&s->finished, all, sizeof *s->finished}, {&s->ids, 3 * all * length, 4}, {&s->slot, 6 * all, 4},
        {&s->total, all, sizeof *s->total}, {&s->best, (size_t)s->steps * 2 * all, sizeof *s->best}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; ++i)
        TT_TRY(tt_alloc(arrays[i].field, arrays[i].count, arrays[i].size, "beam search"));
    s->token = s->slot + all;
    s->position = s->token + all;
    s->start = s->position + all;
    s->length = s->start + all;
    s->parent = s->length + all;
    for (size_t i = 0; i < g; ++i) {
        beam_prompt *p = &s->prompts[i];
        p->running = s->running + i * b;
        p->finished = s->finished + i * b;
        p->finished_ids = s->ids + 3 * i * b * length;
        p->ids = p->finished_ids + b * length;
        p->next_ids = p->ids + b * length;
    }
    s->source_rows = group_rows(request->prompts, n, s->group);
    // All runs have as many steps, so that what is recorded serves for all: the last one may go beyond the texts' end.
    const int most = (d->max_length - 1 + s->steps - 1) / s->steps * s->steps;
    return tt_decoder_open(
        &s->decoder, model, (int)all, most < d->max_length ? d->max_length : most, s->source_rows);
}

// What a text has generated, of a prompt's `ids` or others like them.
static int32_t *ids_of(const beam_search *s, int32_t *ids, int text) {
    return ids + (size_t)text * (size_t)s->decoding->max_length;
}

// Encodes the next prompts, as many as fit into a group; *count receives how many.
static tt_status encode_group(beam_search *s, const tt_beam_request *request, int first, int *count) {
    int rows = 0;
    tt_batch_clear(&s->batch);
    s->n = *count = 0;
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
        for (int text = 0; text < s->beams; ++text) { // one of them, and room for the others
            const int slot = *count * s->beams + text;
            b->running[text] = (running_text){
                .score = text ? -INFINITY : 0, .slot = slot, .parent_slot = slot, .last = TT_PAD};
        }
        rows += p->n;
        ++*count;
    }
    TT_TRY(tt_decoder_forget(s->decoder, 0, s->source_rows));
    return tt_decoder_encode(s->decoder, &s->batch, 0);
}

// The next steps of all prompts that are not done; *slots receives in how many slots. `found` of each of these prompts points
// at its candidates of the first step; those of each later step are 2 * *slots further on.
static tt_status run_steps(beam_search *s, int count, int *slots) {
    const tt_decoding *d = s->decoding;
    int n = 0;
    for (int i = 0; i < count; ++i) {
        beam_prompt *b = &s->prompts[i];
        if (b->done) continue;
        b->found = s->best + 2 * (size_t)n;
        for (int r = 0; r < s->beams; ++r, ++n) {
            const running_text *t = &b->running[r];
            s->slot[n] = t->slot;
            s->token[n] = t->last;
            s->position[n] = s->n;
            s->start[n] = b->row;
            s->length[n] = b->rows;
            s->parent[n] = t->parent_slot;
            s->total[n] = t->score;
        }
    }
    *slots = n;
    return tt_decoder_run_beams(s->decoder,
        &(tt_decoder_slots){.n = n,
            .slot = s->slot,
            .token = s->token,
            .position = s->position,
            .source_start = s->start,
            .source_length = s->length,
            .parent = s->parent},
        &(tt_decoder_beams){.steps = s->steps,
            .beams = s->beams,
            .repetition_penalty = d->repetition_penalty > 0 ? d->repetition_penalty : 1,
            .min_length = d->min_length,
            .total = s->total,
            .best = s->best});
}

static void finish_text(beam_search *s, beam_prompt *b, const tt_beam_candidate *c) {
    const double score = c->score / pow(s->n + 1, (double)s->decoding->length_penalty);
    int row = b->n_finished;
    if (row == s->beams) {
        if (!(score > b->finished[row - 1].score)) return;
        row = b->finished[--b->n_finished].row; // the worst text gives up its row
    }
    int place = b->n_finished++;
    for (; place > 0 && score > b->finished[place - 1].score; --place)
        b->finished[place] = b->finished[place - 1];
    b->finished[place] = (finished_text){.score = score, .row = row, .n = s->n};
    int32_t *ids = ids_of(s, b->finished_ids, row);
    memcpy(ids, ids_of(s, b->ids, c->parent), (size_t)s->n * sizeof *ids);
    if (c->token != TT_EOS) ids[b->finished[place].n++] = c->token;
}

// The running text number `i` from now on.
static void continue_text(
    beam_search *s, beam_prompt *b, int i, const tt_beam_candidate *c, running_text *out) {
    int32_t *ids = ids_of(s, b->next_ids, i);
    memcpy(ids, ids_of(s, b->ids, c->parent), (size_t)s->n * sizeof *ids);
    ids[s->n] = c->token;
    *out = (running_text){.score = c->score,
        .slot = b->running[c->slot].slot,
        .parent_slot = b->running[c->parent].slot,
        .last = c->token};
}

// Whether no running text can become better than the worst finished one, by Hugging Face's rule for
// early_stopping. Texts have n tokens.
static bool cannot_improve(const beam_search *s, const beam_prompt *b, int n) {
    const tt_decoding *d = s->decoding;
    if (b->n_finished < s->beams) return false;
    if (d->early_stopping == TT_STOP_EARLY) return true;
    const bool longest = d->early_stopping == TT_STOP_NEVER && d->length_penalty > 0;
    const int length = longest ? d->max_length - 1 : n;
    return !(b->running[0].score / pow(length, (double)d->length_penalty) > b->finished[s->beams - 1].score);
}

// One step of a prompt, as the device has done it.
static tt_status advance_prompt(beam_search *s, beam_prompt *b) {
    const bool last = s->n + 1 == s->decoding->max_length - 1;
    running_text next[TT_MOST_BEAMS];
    int kept = 0;
    for (int i = 0; i < 2 * s->beams; ++i) {
        const tt_beam_candidate *c = &b->found[i];
        if ((last || c->token == TT_EOS) && i < s->beams && c->score > -INFINITY) finish_text(s, b, c);
        if (c->slot < 0) continue;
        if (kept < s->beams) continue_text(s, b, kept, c, &next[kept]);
        ++kept;
    }
    if (kept != s->beams)
        return tt_fail(TT_ERR_INTERNAL, "beam search: %d texts of prompt %d go on, expected %d", kept,
            b->prompt, s->beams);
    memcpy(b->running, next, (size_t)kept * sizeof *next);
    int32_t *const ids = b->ids;
    b->ids = b->next_ids;
    b->next_ids = ids;
    b->done = last || cannot_improve(s, b, s->n + 1);
    return TT_OK;
}

static tt_status search_group(beam_search *s, int count, int64_t *tokens) {
    for (int alive = count; alive > 0;) {
        int slots;
        if (tt_interrupted()) return tt_fail(TT_ERR_INTERRUPTED, "interrupted while generating");
        TT_TRY(run_steps(s, count, &slots));
        for (int step = 0; step < s->steps && alive > 0; ++step, ++s->n) {
            alive = 0;
            for (int i = 0; i < count; ++i) {
                beam_prompt *b = &s->prompts[i];
                if (b->done) continue;
                *tokens += s->n == 0 ? 1 : s->beams; // one text in the first step
                TT_TRY(advance_prompt(s, b));
                b->found += 2 * slots;
                alive += !b->done;
            }
        }
    }
    return TT_OK;
}

static tt_status check_request(const tt_model *model, const tt_beam_request *request) {
    const tt_decoding *d = request->decoding;
    if (d->beams < 2 || d->beams > TT_MOST_BEAMS || d->beams > request->slots ||
        2 * d->beams > model->config.vocab_size)
        return tt_fail(TT_ERR_CONFIG,
            "beam search: %d beams; allowed are 2 to %d, at most the %d slots and half of the %d ids of the "
            "vocabulary",
            d->beams, (int)TT_MOST_BEAMS, request->slots, model->config.vocab_size);
    if (d->max_length < 2)
        return tt_fail(TT_ERR_CONFIG, "beam search: max_length is %d; expected at least 2", d->max_length);
    if (request->returned < 1 || request->returned > d->beams)
        return tt_fail(TT_ERR_CONFIG, "beam search: %d texts were asked for; allowed are 1 to the %d beams",
            request->returned, d->beams);
    if (request->steps < 1 || request->steps > TT_DECODER_STEPS)
        return tt_fail(TT_ERR_CONFIG, "beam search: a look every %d steps; allowed are 1 to %d",
            request->steps, (int)TT_DECODER_STEPS);
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
        const finished_text *finished = &b->finished[rank];
        const size_t row = (size_t)finished->row * (size_t)request->decoding->max_length;
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
