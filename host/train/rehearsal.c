#include "host/train/rehearsal.h"

#include "host/base/memory.h"
#include "host/train/phase.h"

#include <stdlib.h>

// Tokens of a part of a batch, which decide how much memory it takes.
typedef struct size {
    int64_t input, target;
} size;

typedef struct rehearsal {
    const tt_phase *phase;
    tt_trainer trainer;
    int ranks;
    size *made;           // parts that steps were made of
    size_t n, capacity;   // of `made`
    int32_t *mine, *part; // examples
    size_t mine_capacity, part_capacity;
    tt_rehearsal *out;
} rehearsal;

static size size_of(const tt_dataset *d, const int32_t *examples, int n) {
    size s = {0};
    for (int i = 0; i < n; ++i) {
        const int64_t *begin = d->offsets + 2 * (int64_t)examples[i];
        s.input += begin[1] - begin[0];
        s.target += begin[2] - begin[1];
    }
    return s;
}

// Whether no part so far had as many input and target tokens; then it is kept.
static tt_status note_size(rehearsal *r, size s, bool *larger) {
    for (size_t i = 0; i < r->n; ++i)
        if (r->made[i].input >= s.input && r->made[i].target >= s.target) return TT_OK;
    *larger = true;
    TT_TRY(tt_grow(&r->made, &r->capacity, r->n + 1, sizeof *r->made, "sizes of batches"));
    r->made[r->n++] = s;
    return TT_OK;
}

enum { SMALL = 128, FIRST = 8 };

// How many ranks' steps on this batch are looked at. Of large batches every rank has about the same number of tokens; of others the
// longest examples go to the first ranks.
static int ranks_of(const rehearsal *r, const tt_global_batch *b) {
    const int ranks = b->n > SMALL ? 1 : r->ranks;
    return ranks < FIRST ? ranks : FIRST;
}

// Whether the rank's step on this batch may take more memory than those before. Of large batches the whole is looked at, of others
// the parts that the trainer makes of them.
static tt_status is_larger(rehearsal *r, const tt_global_batch *b, int rank, bool *out) {
    const int parts = r->trainer.parts;
    *out = false;
    if (b->n > SMALL || (parts == 1 && r->ranks == 1))
        return note_size(r, size_of(b->dataset, b->examples, b->n), out);
    const size_t n = (size_t)b->n;
    TT_TRY(tt_grow(&r->mine, &r->mine_capacity, n, sizeof *r->mine, "examples of this rank"));
    TT_TRY(tt_grow(&r->part, &r->part_capacity, n, sizeof *r->part, "examples of a part"));
    const int mine = tt_deal(b->dataset, b->examples, b->n, (tt_share){rank, r->ranks}, r->mine);
    for (int p = 0; p < parts; ++p) {
        const int count = tt_deal(b->dataset, r->mine, mine, (tt_share){p, parts}, r->part);
        if (count > 0) TT_TRY(note_size(r, size_of(b->dataset, r->part, count), out));
    }
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
        for (int rank = 0; rank < ranks_of(r, &batch); ++rank) {
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
    if (status == TT_OK) status = rehearse_steps(&r);
    r.out->steps_use = tally->peak;
    if (status == TT_OK) {
        tt_tally_restart(tally);
        status = validate_once(&r, model);
        r.out->validation = tally->peak;
    }
    tt_trainer_close(&r.trainer);
    free(r.made);
    free(r.mine);
    free(r.part);
    return status == TT_OK ? status : tt_context(status, "%s", phase->name);
}
