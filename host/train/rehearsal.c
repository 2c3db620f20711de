#include "host/train/rehearsal.h"

#include "host/base/memory.h"
#include "host/train/phase.h"

#include <stdlib.h>
#include <string.h>

// Tokens of a part of a batch, which decide how much memory it takes.
typedef struct size {
    int64_t input, target;
} size;

typedef struct rehearsal {
    const tt_phase *phase;
    tt_trainer trainer;
    int ranks;
    size *made;         // parts that steps were made of
    size_t n, capacity; // of `made`
    int32_t *dealt;     // [3, examples of a batch]: two to deal them, then those of rank 0, of rank 1, ...
    size_t dealt_capacity;
    int *begins; // [ranks + 1]: where a rank's examples begin
    size *parts; // [parts] of a rank's share
    tt_rehearsal *out;
} rehearsal;

static void add_size(size *s, const tt_dataset *d, int32_t example) {
    const int64_t *begin = d->offsets + 2 * (int64_t)example;
    s->input += begin[1] - begin[0];
    s->target += begin[2] - begin[1];
}

static size size_of(const tt_dataset *d, const int32_t *examples, int n) {
    size s = {0};
    for (int i = 0; i < n; ++i) add_size(&s, d, examples[i]);
    return s;
}

// Of one batch ranks have about as many tokens each, but more of the inputs or of the targets, so that hardly any share is below
// another one in both. Shares that differ by less than a hundredth count as the same.
enum { SAME = 100 };

// Whether no part so far had as many input and target tokens; then it is kept.
static tt_status note_size(rehearsal *r, size s, bool *larger) {
    const bool exact = r->ranks == 1;
    for (size_t i = 0; i < r->n; ++i) {
        const size *made = &r->made[i];
        if (made->input + (exact ? 0 : made->input / SAME) >= s.input &&
            made->target + (exact ? 0 : made->target / SAME) >= s.target)
            return TT_OK;
    }
    *larger = true;
    TT_TRY(tt_grow(&r->made, &r->capacity, r->n + 1, sizeof *r->made, "sizes of batches"));
    r->made[r->n++] = s;
    return TT_OK;
}

static tt_dealt dealt_by(const rehearsal *r, int n) {
    return (tt_dealt){r->dealt, r->dealt + n};
}

// Deals the batch to the ranks, and sorts it by them.
static tt_status deal(rehearsal *r, const tt_global_batch *b) {
    TT_TRY(
        tt_grow(&r->dealt, &r->dealt_capacity, 3 * (size_t)b->n, sizeof *r->dealt, "examples of all ranks"));
    const tt_dealt dealt = dealt_by(r, b->n);
    int32_t *sorted = r->dealt + 2 * (size_t)b->n;
    tt_deal_all(b->dataset, b->examples, b->n, r->ranks, &dealt);
    memset(r->begins, 0, ((size_t)r->ranks + 1) * sizeof *r->begins);
    for (int i = 0; i < b->n; ++i) r->begins[dealt.ranks[i]]++;
    for (int rank = 1; rank <= r->ranks; ++rank) r->begins[rank] += r->begins[rank - 1];
    for (int i = b->n; i-- > 0;) sorted[--r->begins[dealt.ranks[i]]] = dealt.examples[i];
    return TT_OK;
}

// Whether the rank's step on this batch, which is dealt, may take more memory than those before: one of the parts that the
// trainer makes of the rank's share.
static tt_status is_larger(rehearsal *r, const tt_global_batch *b, int rank, bool *out) {
    const int parts = r->trainer.parts, mine = r->begins[rank + 1] - r->begins[rank];
    const tt_dealt dealt = dealt_by(r, b->n);
    *out = false;
    tt_deal_all(b->dataset, r->dealt + 2 * (size_t)b->n + r->begins[rank], mine, parts, &dealt);
    memset(r->parts, 0, (size_t)parts * sizeof *r->parts);
    for (int i = 0; i < mine; ++i) add_size(&r->parts[dealt.ranks[i]], b->dataset, dealt.examples[i]);
    for (int p = 0; p < parts; ++p)
        if (r->parts[p].input + r->parts[p].target > 0) TT_TRY(note_size(r, r->parts[p], out));
    return TT_OK;
}

// The step that another rank of a world makes of which only rank 0 is there.
static tt_status step_of_rank(rehearsal *r, const tt_global_batch *batch, int rank) {
    tt_step_report report;
    r->trainer.comm->rank = rank;
    const tt_status status = tt_trainer_step(&r->trainer, batch, &report);
    r->trainer.comm->rank = 0;
    return status;
}

static tt_status rehearse_steps(rehearsal *r) {
    const int64_t total = r->phase->total, looks = total < r->out->looks ? total : r->out->looks;
    double tokens = 0;
    for (int64_t i = 0; i < looks; ++i) {
        const int64_t step = looks == total ? i : (int64_t)((double)i * (double)total / (double)looks);
        tt_global_batch batch;
        bool larger;
        TT_TRY(r->phase->source.batch(r->phase->source.self, step, &batch));
        const size all = size_of(batch.dataset, batch.examples, batch.n);
        tokens += (double)(all.input + all.target);
        if (batch.n > r->out->n_examples) r->out->n_examples = batch.n;
        TT_TRY(deal(r, &batch));
        for (int rank = 0; rank < r->ranks && rank < batch.n; ++rank) {
            TT_TRY(is_larger(r, &batch, rank, &larger));
            if (!larger) continue;
            r->trainer.step = step;
            TT_TRY(step_of_rank(r, &batch, rank));
        }
    }
    r->out->steps = total;
    r->out->tokens = looks > 0 ? tokens / (double)looks * (double)total : 0;
    return TT_OK;
}

static tt_status validate_once(const rehearsal *r, tt_model *model) {
    tt_validation v = {0};
    const tt_status status = r->phase->validate(r->phase->self, model, &v);
    tt_str_close(&v.json);
    tt_str_close(&v.text);
    return status;
}

tt_status tt_rehearse(const tt_phase *phase, const tt_phase_context *context, tt_model *model) {
    rehearsal r = {.phase = phase, .ranks = context->comm->size, .out = context->rehearsal};
    tt_tally *tally = &model->device->tally;
    tt_tally_restart(tally);
    tt_status status = tt_trainer_open(&r.trainer, model, context->comm,
        &(tt_trainer_options){.config = phase->config, .seed = context->seed, .total = phase->total});
    if (status == TT_OK)
        status = tt_alloc(&r.parts, (size_t)r.trainer.parts, sizeof *r.parts, "parts of a batch");
    if (status == TT_OK) status = tt_alloc(&r.begins, (size_t)r.ranks + 1, sizeof *r.begins, "ranks");
    if (status == TT_OK) status = rehearse_steps(&r);
    r.out->steps_use = tally->peak;
    if (status == TT_OK) {
        tt_tally_restart(tally);
        status = validate_once(&r, model);
        r.out->validation = tally->peak;
    }
    tt_trainer_close(&r.trainer);
    free(r.made);
    free(r.dealt);
    free(r.begins);
    free(r.parts);
    return status == TT_OK ? status : tt_context(status, "%s", phase->name);
}
