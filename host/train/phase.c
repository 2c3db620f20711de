#include "host/train/phase.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/versions.h"
#include "host/train/moments.h"
#include "host/train/rehearsal.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// One phase while it runs.
typedef struct phase_run {
    const tt_phase *phase;
    const tt_phase_context *context;
    const tt_checkpoint *start; // its tokenizer is written into every checkpoint
    tt_trainer trainer;
    int64_t validated; // the last step that was followed by a validation, -1 = none
    int64_t best_step; // -1 = none
    int64_t stale;     // validations since the best one
    int64_t saved;     // the step of the checkpoint to resume from, -1 = none
    double best_score, tokens, seconds;
    double here; // of these seconds, those of this process
    tt_str state;
} phase_run;

// Whether training ends before its last step because validation has stopped improving.
static bool out_of_patience(const phase_run *r) {
    const int64_t patience = r->phase->config ? r->phase->config->patience : 0;
    return patience > 0 && r->stale >= patience;
}

static tt_status describe_state(phase_run *r, int64_t metrics_bytes) {
    tt_str_clear(&r->state);
    tt_str_format(&r->state, "{\"phase\": \"%s\", \"step\": %lld, \"total\": %lld, \"validated\": %lld, ",
        r->phase->name, (long long)r->trainer.step, (long long)r->phase->total, (long long)r->validated);
    tt_str_format(&r->state,
        "\"best_step\": %lld, \"best_score\": %.17g, \"stale\": %lld, \"stopped\": %s, "
        "\"tokens\": %.17g, \"seconds\": %.17g, ",
        (long long)r->best_step, r->best_score, (long long)r->stale, out_of_patience(r) ? "true" : "false",
        r->tokens, r->seconds);
    tt_str_format(&r->state, "\"skipped\": %lld, \"skipped_in_row\": %lld, ", (long long)r->trainer.skipped,
        (long long)r->trainer.skipped_in_row);
    if (r->phase->data) tt_str_format(&r->state, "\"data\": \"%016" PRIx64 "\", ", r->phase->data);
    tt_str_format(&r->state, "\"wall\": %.17g, \"metrics_bytes\": %lld}", tt_seconds() - r->context->began,
        (long long)metrics_bytes);
    return tt_str_status(&r->state);
}

// A phase that has nothing to train has no optimiser.
static bool has_moments(const phase_run *r, bool resumable) {
    return resumable && r->trainer.optimizer.model;
}

// `resumable`: the checkpoint to resume from, with moments and with earlier versions beside it; else the best weights.
static tt_status write_checkpoint(phase_run *r, bool resumable) {
    int64_t bytes;
    TT_TRY(tt_metrics_sync(r->context->metrics, &bytes));
    TT_TRY(describe_state(r, bytes));
    const tt_checkpoint_write what = {.model = r->trainer.model,
        .tokenizer = r->start->tokenizer,
        .adapted = r->start->adapted,
        .moments = has_moments(r, resumable) ? tt_moments_source(&r->trainer.optimizer)
                                             : (tt_moment_source){NULL, NULL},
        .state = tt_str_text(&r->state),
        .keep = resumable ? r->context->earlier : 0};
    TT_TRY(tt_checkpoint_save(resumable ? r->context->last_path : r->context->best_path, &what));
    // Those of a start with more to keep.
    return resumable && what.keep == 0 ? tt_versions_remove(r->context->last_path, 0) : TT_OK;
}

static tt_status save(phase_run *r, bool resumable) {
    tt_comm *comm = r->context->comm;
    tt_optimizer *o = &r->trainer.optimizer;
    const tt_status status = comm->rank == 0 ? write_checkpoint(r, resumable) : TT_OK;
    if (has_moments(r, resumable) && o->comm)
        TT_TRY(comm->rank == 0 ? tt_moments_end(o) : tt_moments_serve(o));
    TT_TRY(tt_comm_agree(comm, status));
    if (resumable) r->saved = r->trainer.step;
    return TT_OK;
}

static tt_status save_best(phase_run *r) {
    return save(r, false);
}

static tt_status save_last(phase_run *r) {
    return save(r, true);
}

tt_status tt_phase_read(tt_phase_state *out, const char *state, const char *name) {
    json_int_t step, total, validated, best_step, bytes, stale = 0, skipped = 0, in_row = 0;
    int stopped = 0; // earlier versions never stopped early
    const char *phase, *data = "";
    *out = (tt_phase_state){0};
    tt_phase_result *r = &out->result;
    json_t *root = json_loads(state ? state : "", 0, NULL);
    int wrong =
        json_unpack(root, "{s:s, s:I, s:I, s:I, s:I, s:F, s:F, s:F, s:F, s:I, s?I, s?b, s?s, s?I, s?I}",
            "phase", &phase, "step", &step, "total", &total, "validated", &validated, "best_step", &best_step,
            "best_score", &r->best_score, "tokens", &r->tokens, "seconds", &r->seconds, "wall", &r->wall,
            "metrics_bytes", &bytes, "stale", &stale, "stopped", &stopped, "data", &data, "skipped", &skipped,
            "skipped_in_row", &in_row);
    if (!wrong && strcmp(phase, name) != 0) wrong = 1;
    if (!wrong) snprintf(out->data, sizeof out->data, "%s", data);
    json_decref(root);
    if (wrong) return tt_fail(TT_ERR_FORMAT, "the checkpoint contains no state of phase %s", name);
    r->steps = step;
    r->best_step = best_step;
    out->total = total;
    out->validated = validated;
    out->metrics_bytes = bytes;
    out->stale = stale;
    r->skipped = skipped;
    out->skipped_in_row = in_row;
    out->finished = (step == total && validated == total) || stopped;
    return TT_OK;
}

// Checks that the phase goes on with what it began with.
static tt_status check_data(const phase_run *r, const tt_phase_state *state) {
    char now[20];
    if (!r->phase->data) return TT_OK;
    snprintf(now, sizeof now, "%016" PRIx64, r->phase->data);
    if (!*state->data)
        tt_info("%s: an earlier version saved this run and noted no hash of %s: whether they have changed is "
                "not checked",
            r->phase->name, r->phase->data_name);
    if (!*state->data || strcmp(now, state->data) == 0) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "%s have changed since this run began (their hash was %s and is %s now); restore them, start over "
        "with "
        "--fresh, or give the run another name",
        r->phase->data_name, state->data, now);
}

static tt_status resume_phase(phase_run *r, tt_checkpoint *start) {
    tt_phase_state s;
    TT_TRY(tt_phase_read(&s, start->state, r->phase->name));
    if (!start->has_moments)
        return tt_fail(TT_ERR_FORMAT, "%s: no optimiser state to resume from", r->context->last_path);
    TT_TRY(check_data(r, &s));
    if (s.total != r->phase->total)
        return tt_fail(TT_ERR_FORMAT,
            "%s: was saved by a run of %lld steps, but this run has %lld; has the data changed?",
            r->context->last_path, (long long)s.total, (long long)r->phase->total);
    tt_optimizer *o = &r->trainer.optimizer;
    TT_TRY(tt_comm_agree(r->context->comm, tt_moments_load(o, start)));
    r->trainer.step = r->saved = s.result.steps;
    r->trainer.skipped = s.result.skipped;
    r->trainer.skipped_in_row = s.skipped_in_row;
    o->updates = s.result.steps - s.result.skipped;
    r->validated = s.validated;
    r->stale = s.stale;
    r->best_step = s.result.best_step;
    if (!r->phase->start_competes && r->best_step == 0)
        r->validated = r->best_step = -1; // earlier versions wrote 0 for "nothing validated yet"
    r->best_score = s.result.best_score;
    r->tokens = s.result.tokens;
    r->seconds = s.result.seconds;
    tt_info("%s: resuming after step %lld of %lld", r->phase->name, (long long)s.result.steps,
        (long long)s.total);
    return TT_OK;
}

// While steps are skipped, the checkpoint from before the trouble stays.
static bool is_in_trouble(const phase_run *r) {
    return r->trainer.skipped_in_row > 0;
}

// Validates and keeps the best weights. The best checkpoint is written before the one to resume from: if the
// process dies between the two, the resumed run finds the same best again.
static tt_status validate_phase(phase_run *r) {
    tt_validation v = {0};
    const double began = tt_seconds();
    tt_status status = r->phase->validate(r->phase->self, r->trainer.model, &v);
    if (status != TT_OK) goto release;
    const int64_t step = r->trainer.step;
    bool better = r->best_step < 0 || v.score > r->best_score;
    tt_info("%s step %lld: %s%s", r->phase->name, (long long)step, tt_str_text(&v.text),
        better ? ", best so far" : "");
    TT_TRY_GOTO(status,
        tt_metrics_line(r->context->metrics,
            "{\"phase\": \"%s\", \"step\": %lld, \"validation\": {%s}, \"best\": %s, "
            "\"seconds\": %.3f}",
            r->phase->name, (long long)step, tt_str_text(&v.json), better ? "true" : "false",
            tt_seconds() - began),
        release);
    r->validated = step;
    r->stale = better ? 0 : r->stale + 1;
    if (better) {
        r->best_step = step;
        r->best_score = v.score;
        TT_TRY_GOTO(status, save_best(r), release);
    }
    if (!is_in_trouble(r) || step == r->phase->total || out_of_patience(r)) status = save_last(r);
release:
    tt_str_close(&v.json);
    tt_str_close(&v.text);
    return status;
}

static const char *what_is_not_finite(const tt_step_report *report) {
    return isfinite(report->loss) ? "the gradient's norm" : "the loss";
}

// A step that changed no weight is told at once; too many in a row end the phase.
static tt_status note_skipped(phase_run *r, const char *stage, const tt_step_report *report) {
    const tt_trainer *t = &r->trainer;
    const int64_t limit = r->phase->config->skip_limit;
    const bool loss = !isfinite(report->loss);
    TT_TRY(tt_metrics_line(r->context->metrics,
        "{\"phase\": \"%s\", \"step\": %lld, \"stage\": \"%s\", \"not_finite\": \"%s\", \"skipped_steps\": "
        "%lld, "
        "\"seconds\": %.3f}",
        r->phase->name, (long long)t->step, stage, loss ? "loss" : "grad_norm", (long long)t->skipped,
        r->seconds));
    tt_warn("%s step %lld (%s): %s is %g; the step is skipped (%lld in a row, %lld in all)", r->phase->name,
        (long long)t->step, stage, what_is_not_finite(report), loss ? report->loss : report->norm,
        (long long)t->skipped_in_row, (long long)t->skipped);
    if (limit == 0 || t->skipped_in_row < limit) return TT_OK;
    const tt_status status = tt_fail(TT_ERR_NUMERIC,
        "%s is not finite at step %lld, nor was it in the %lld steps before; give a run of another name a "
        "lower "
        "learning_rate, a longer warmup or a smaller clip",
        what_is_not_finite(report), (long long)t->step, (long long)limit - 1);
    return tt_comm_agree(r->context->comm, status); // they do: rank 0 tells it
}

static tt_status train_step(phase_run *r, tt_progress *progress, bool *interrupted) {
    tt_global_batch batch;
    tt_step_report report;
    const double began = tt_seconds();
    TT_TRY(r->phase->source.batch(r->phase->source.self, r->trainer.step, &batch));
    TT_TRY(tt_trainer_step(&r->trainer, &batch, &report));
    const double took = tt_seconds() - began;
    r->seconds += took;
    r->here += took;
    r->tokens += (double)(report.input_tokens + report.target_tokens);
    *interrupted = report.interrupted;
    if (report.skipped) return note_skipped(r, batch.stage, &report);
    const int64_t step = r->trainer.step, every = r->phase->config->log_every;
    char preference[400] = ""; // what TRL logs of pairs, under the same names
    const tt_preference_sums *p = &report.preference;
    if (report.preferred)
        tt_format(preference, sizeof preference,
            "\"rewards/chosen\": %.9g, \"rewards/rejected\": %.9g, \"rewards/accuracies\": %.9g, "
            "\"rewards/margins\": %.9g, \"logps/chosen\": %.9g, \"logps/rejected\": %.9g, \"nll_loss\": "
            "%.9g, ",
            p->reward_chosen, p->reward_rejected, p->accuracy, p->reward_chosen - p->reward_rejected,
            p->logp_chosen, p->logp_rejected, p->nll);
    const double speed = r->seconds > 0 ? r->tokens / r->seconds : 0;
    if (every > 0 && step % every == 0)
        TT_TRY(tt_metrics_line(r->context->metrics,
            "{\"phase\": \"%s\", \"step\": %lld, \"stage\": \"%s\", \"loss\": %.9g, \"lr\": %.6g, "
            "\"grad_norm\": %.9g, %s"
            "\"tokens\": %.0f, \"seconds\": %.3f}",
            r->phase->name, (long long)step, batch.stage, report.loss, report.rate, report.norm, preference,
            r->tokens, r->seconds));
    tt_progress_update(progress, step, "loss %.3f (%s)  lr %.1e  %.0f tokens/s", report.loss, batch.stage,
        report.rate, speed);
    return TT_OK;
}

// Adds to the message of a phase that ends with numbers that are not finite.
static tt_status name_last_good(const phase_run *r) {
    char why[1024];
    snprintf(why, sizeof why, "%s", tt_error_message());
    if (r->saved < 0) return tt_fail(TT_ERR_NUMERIC, "%s; no checkpoint was written before", why);
    return tt_fail(TT_ERR_NUMERIC, "%s; the last good checkpoint is %s, after step %lld", why,
        r->context->last_path, (long long)r->saved);
}

static tt_status train_steps(phase_run *r) {
    const tt_phase *phase = r->phase;
    const int64_t save_every = phase->config->save_every;
    tt_progress progress;
    tt_progress_open(&progress, phase->name, "steps", phase->total, r->trainer.step);
    tt_status status = TT_OK;
    bool interrupted = false;
    while (status == TT_OK) {
        const int64_t step = r->trainer.step;
        const bool due =
            step != r->validated &&
            (step == 0 ? phase->start_competes : step == phase->total || phase->due(phase->self, step));
        if (due && !interrupted) status = validate_phase(r);
        if (status != TT_OK || interrupted || step == phase->total) break;
        if (out_of_patience(r)) {
            tt_info("%s: stopped after step %lld of %lld, since the last %lld validations were not better",
                phase->name, (long long)step, (long long)phase->total, (long long)r->stale);
            break;
        }
        status = train_step(r, &progress, &interrupted);
        if (status == TT_OK && save_every > 0 && r->trainer.step % save_every == 0 && !interrupted &&
            !is_in_trouble(r))
            status = save_last(r);
    }
    tt_progress_close(&progress);
    if (status == TT_ERR_NUMERIC) return name_last_good(r);
    if (!interrupted && status != TT_ERR_INTERRUPTED) return status;
    TT_TRY(save_last(r));
    return tt_comm_agree(r->context->comm,
        tt_fail(TT_ERR_INTERRUPTED, "stopped after step %lld of %lld; progress is saved: %s",
            (long long)r->trainer.step, (long long)phase->total, tt_how_to_resume()));
}

// Says which rank the others waited for: the one that waited least itself.
static tt_status tell_waits(const phase_run *r) {
    tt_comm *comm = r->context->comm;
    double *waited;
    if (comm->size == 1) return TT_OK;
    TT_TRY(tt_alloc(&waited, (size_t)comm->size, sizeof *waited, "ranks"));
    tt_status status = tt_comm_gather_equal(comm, &r->trainer.waited, sizeof *waited, waited);
    int slowest = 0;
    double all = 0;
    for (int i = 0; i < comm->size; ++i) {
        all += waited[i];
        if (waited[i] < waited[slowest]) slowest = i;
    }
    const double others = (all - waited[slowest]) / (comm->size - 1), lost = others - waited[slowest];
    if (status == TT_OK && comm->rank == 0 && lost > 0.2 * r->here && lost > 1)
        tt_warn("%s: rank %d is slow: the other ranks waited %.0f of %.0f seconds for it, it waited %.0f for "
                "them; does "
                "its machine run other work?",
            r->phase->name, slowest, others, r->here, waited[slowest]);
    free(waited);
    return status;
}

tt_status tt_phase_run(const tt_phase *phase, const tt_phase_context *context, tt_checkpoint *start,
    bool resuming, tt_phase_result *out) {
    if (context->rehearsal) return tt_rehearse(phase, context, start->model);
    phase_run r = {
        .phase = phase, .context = context, .start = start, .validated = -1, .best_step = -1, .saved = -1};
    tt_status status = tt_trainer_open(&r.trainer, start->model, context->comm,
        &(tt_trainer_options){.config = phase->config, .seed = context->seed, .total = phase->total});
    if (status == TT_OK && resuming) status = resume_phase(&r, start);
    tt_checkpoint_forget_moments(start);
    if (status == TT_OK) status = train_steps(&r);
    if (status == TT_OK) status = tell_waits(&r);
    *out = (tt_phase_result){.steps = r.trainer.step,
        .best_step = r.best_step,
        .best_score = r.best_score,
        .skipped = r.trainer.skipped,
        .tokens = r.tokens,
        .seconds = r.seconds,
        .wall = tt_seconds() - context->began};
    tt_trainer_close(&r.trainer);
    tt_str_close(&r.state);
    return status == TT_OK ? status : tt_context(status, "%s", phase->name);
}

tt_status tt_phase_skip(
    const char *name, const tt_phase_context *context, const tt_checkpoint *start, tt_phase_result *out) {
    if (context->rehearsal) return TT_OK;
    const tt_phase phase = {.name = name};
    phase_run r = {.phase = &phase, .context = context, .start = start, .trainer = {.model = start->model}};
    tt_status status = save_best(&r);
    if (status == TT_OK) status = save_last(&r);
    *out = (tt_phase_result){.wall = tt_seconds() - context->began};
    tt_str_close(&r.state);
    return status;
}
