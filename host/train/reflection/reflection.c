#include "host/train/reflection/reflection.h"

#include "host/base/log.h"
#include "host/train/reflection/assumed.h"
#include "host/train/reflection/preference_set.h"
#include "host/train/shuffle.h"
#include "host/train/student_validation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reflection {
    const tt_reflection_context *context;
    char name[32];             // of the phase
    tt_preference_set sets[2]; // TT_RECALL, TT_ANALYZE
    tt_shuffle orders[2];
    tt_preference_data data[2];
    tt_reflection_cycle cycle;
    tt_student_validation validation;
} reflection;

tt_reflection_cycle tt_reflection_cycle_of(
    int recall_pairs, int analyze_pairs, int64_t batch_size, const char *targets) {
    tt_reflection_cycle c = {0};
    if (tt_targets_recall(targets)) c.recall = (recall_pairs + batch_size - 1) / batch_size;
    if (tt_targets_analyze(targets)) c.analyze = (analyze_pairs + batch_size - 1) / batch_size;
    return c;
}

tt_reflection_step tt_reflection_step_of(
    const tt_reflection_cycle *cycle, int64_t step, int recall_pairs, int analyze_pairs, int64_t batch_size) {
    const int64_t length = cycle->recall + cycle->analyze, within = step % length;
    const bool recall = within < cycle->recall;
    const int64_t first = (recall ? within : within - cycle->recall) * batch_size;
    const int64_t rest = (recall ? recall_pairs : analyze_pairs) - first;
    return (tt_reflection_step){.cycle = step / length,
        .stage = recall ? TT_RECALL : TT_ANALYZE,
        .first = (int)first,
        .n = (int)(rest < batch_size ? rest : batch_size)};
}

static tt_status batch_at(void *self, int64_t step, tt_global_batch *out) {
    reflection *r = self;
    const tt_reflection_step now = tt_reflection_step_of(&r->cycle, step, r->sets[TT_RECALL].dataset.n,
        r->sets[TT_ANALYZE].dataset.n, r->context->config->reflection.train.batch_size);
    *out = (tt_global_batch){.dataset = &r->sets[now.stage].dataset,
        .examples = tt_shuffle_epoch(&r->orders[now.stage], now.cycle) + now.first,
        .n = now.n,
        .stage = tt_stage_name(now.stage),
        .preference = &r->data[now.stage]};
    return TT_OK;
}

static bool validation_due(void *self, int64_t step) {
    const reflection *r = self;
    const int64_t length = r->cycle.recall + r->cycle.analyze,
                  every = r->context->config->reflection.train.validate_every;
    return every > 0 && !r->validation.empty && step % (length * every) == 0;
}

static tt_status validate_student(void *self, tt_model *model, tt_validation *out) {
    const reflection *r = self;
    return tt_student_validate(&r->validation, model, out);
}

static tt_status open_data(reflection *r, const tt_preferences *pairs, const tt_tokenizer *tokenizer) {
    const tt_config *c = r->context->config;
    tt_preference objective;
    TT_TRY(tt_preference_open(&objective, &(tt_preference_options){.loss = c->reflection.loss,
                                              .beta = c->reflection.beta,
                                              .label_smoothing = c->reflection.label_smoothing,
                                              .nll_weight = c->reflection.nll_weight,
                                              .length_normalised = c->reflection.length_normalised}));
    uint32_t first = 0;
    for (int stage = TT_RECALL; stage <= TT_ANALYZE; ++stage) {
        tt_preference_set *set = &r->sets[stage];
        TT_TRY(tt_preference_set_build(set, pairs, (tt_stage)stage, tokenizer, &c->reflection.train));
        tt_dataset_warn(&set->dataset, &(tt_dataset_limits){.phase = r->name,
                                           .input_key = "reflection.max_input",
                                           .target_key = "reflection.max_target",
                                           .max_input = c->reflection.train.max_input,
                                           .max_target = c->reflection.train.max_target});
        set->dataset.first_example = first;
        first += (uint32_t)set->dataset.n;
        r->data[stage] = (tt_preference_data){objective, set->pairs};
        TT_TRY(tt_shuffle_open(&r->orders[stage], set->dataset.n, (uint64_t)c->seed,
            (uint32_t)(100 * r->context->iteration + stage)));
    }
    r->cycle = tt_reflection_cycle_of(r->sets[TT_RECALL].dataset.n, r->sets[TT_ANALYZE].dataset.n,
        c->reflection.train.batch_size, c->reflection.targets);
    r->validation = (tt_student_validation){.config = c,
        .train = &c->reflection.train,
        .corpus = r->context->corpus,
        .tokenizer = tokenizer,
        .comm = r->context->comm,
        .cuts_warned = r->context->cuts_warned};
    tt_student_validation_open(&r->validation);
    return TT_OK;
}

static void close_data(reflection *r) {
    for (int s = 0; s < 2; ++s) {
        tt_preference_set_close(&r->sets[s]);
        tt_shuffle_close(&r->orders[s]);
    }
}

static tt_status check_stages(const tt_config *c) {
    tt_stage_set set;
    TT_TRY(tt_stage_set_parse(&set, c->stages));
    const bool recall = tt_stage_set_has(set, TT_RECALL), analyze = tt_stage_set_has(set, TT_ANALYZE);
    const char *targets = c->reflection.targets;
    if ((recall && tt_targets_recall(targets)) || (analyze && tt_targets_analyze(targets))) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "reflection.targets is %s, but with stages: %s the student does not write that stage; set "
        "reflection.iterations=0, or other stages",
        targets, c->stages);
}

static tt_status get_pairs(
    tt_preferences *pairs, const tt_reflection_context *context, tt_checkpoint *start, bool resume) {
    if (!resume) return tt_reflection_pairs_build(pairs, context, start);
    // The reference of adapters is the student without them: no second model is needed to know it.
    if (start->adapted) return tt_reflection_pairs_load(pairs, context, start->adapted->hash);
    tt_checkpoint reference;
    TT_TRY(tt_comm_agree(
        context->comm, tt_checkpoint_load(&reference, context->reference_path, start->model->device)));
    uint64_t hash;
    const tt_status status = tt_comm_agree(context->comm, tt_checkpoint_hash(&reference, &hash));
    tt_checkpoint_close(&reference);
    TT_TRY(status);
    return tt_reflection_pairs_load(pairs, context, hash);
}

static tt_status train_student(reflection *r, const tt_phase_context *phase_context, tt_checkpoint *start,
    bool resume, tt_phase_result *out) {
    const tt_config *c = r->context->config;
    const char *name = r->name;
    const int64_t length = r->cycle.recall + r->cycle.analyze;
    if (length == 0) {
        tt_warn("%s: no pairs: no question has both a text to choose and one to reject; the iteration is "
                "skipped and the student stays as it is",
            name);
        return tt_phase_skip(name, phase_context, start, out);
    }
    tt_info("%s: %d recall and %d analyze pairs; %lld cycles of %lld + %lld steps of %lld pairs", name,
        r->sets[TT_RECALL].dataset.n, r->sets[TT_ANALYZE].dataset.n, (long long)c->reflection.cycles,
        (long long)r->cycle.recall, (long long)r->cycle.analyze, (long long)c->reflection.train.batch_size);
    const tt_phase phase = {.name = name,
        .config = &c->reflection.train,
        .total = c->reflection.cycles * length,
        .source = {r, batch_at},
        .self = r,
        .due = validation_due,
        .validate = validate_student,
        .start_competes = !r->validation.empty};
    TT_TRY(tt_phase_run(&phase, phase_context, start, resume, out));
    if (out->best_step == 0)
        tt_info("%s: no cycle did better on validation than the student that the iteration began with, which "
                "is kept",
            name);
    return TT_OK;
}

tt_status tt_reflection_run(const tt_reflection_context *context, const tt_phase_context *phase_context,
    tt_checkpoint *start, bool resume, tt_phase_result *out) {
    TT_TRY(tt_comm_agree(context->comm, check_stages(context->config)));
    tt_preferences pairs = {0};
    reflection r = {.context = context};
    snprintf(r.name, sizeof r.name, "reflection_%d", context->iteration);
    tt_status status = phase_context->rehearsal
                           ? tt_reflection_pairs_assume(&pairs, context, start, phase_context->rehearsal)
                           : get_pairs(&pairs, context, start, resume);
    if (status == TT_OK) status = tt_comm_agree(context->comm, open_data(&r, &pairs, start->tokenizer));
    tt_preferences_close(&pairs);
    if (status == TT_OK) status = train_student(&r, phase_context, start, resume, out);
    close_data(&r);
    return status;
}
