#include "host/train/reflection/reflection.h"

#include "host/base/log.h"
#include "host/train/reflection/preference_set.h"
#include "host/train/sequence.h"
#include "host/train/student_validation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reflection {
    const tt_reflection_room *room;
    tt_preference_set sets[2]; // TT_RECALL, TT_ANALYZE
    tt_sequence orders[2];
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
    const int64_t length = cycle->recall + cycle->analyze, at = step % length;
    const bool recall = at < cycle->recall;
    const int64_t first = (recall ? at : at - cycle->recall) * batch_size;
    const int64_t rest = (recall ? recall_pairs : analyze_pairs) - first;
    return (tt_reflection_step){.cycle = step / length,
        .stage = recall ? TT_RECALL : TT_ANALYZE,
        .first = (int)first,
        .n = (int)(rest < batch_size ? rest : batch_size)};
}

static tt_status batch_at(void *self, int64_t step, tt_global_batch *out) {
    reflection *r = self;
    const tt_reflection_step at = tt_reflection_step_of(&r->cycle, step, r->sets[TT_RECALL].dataset.n,
        r->sets[TT_ANALYZE].dataset.n, r->room->config->reflection.train.batch_size);
    *out = (tt_global_batch){.dataset = &r->sets[at.stage].dataset,
        .examples = tt_sequence_epoch(&r->orders[at.stage], at.cycle) + at.first,
        .n = at.n,
        .stage = tt_stage_name(at.stage),
        .preference = &r->data[at.stage]};
    return TT_OK;
}

static bool due(void *self, int64_t step) {
    const reflection *r = self;
    const int64_t length = r->cycle.recall + r->cycle.analyze,
                  every = r->room->config->reflection.train.validate_every;
    return every > 0 && !r->validation.empty && step % (length * every) == 0;
}

static tt_status validate(void *self, tt_model *model, tt_validation *out) {
    const reflection *r = self;
    return tt_student_validate(&r->validation, model, out);
}

static tt_status open_data(
    reflection *r, const char *name, const tt_preferences *pairs, const tt_tokenizer *tokenizer) {
    const tt_config *c = r->room->config;
    tt_preference objective;
    TT_TRY(tt_preference_open(&objective, c->reflection.loss, c->reflection.beta,
        c->reflection.label_smoothing, c->reflection.nll_weight, c->reflection.length_normalised));
    uint32_t first = 0;
    for (int stage = TT_RECALL; stage <= TT_ANALYZE; ++stage) {
        tt_preference_set *set = &r->sets[stage];
        TT_TRY(tt_preference_set_build(set, pairs, (tt_stage)stage, tokenizer,
            (int)c->reflection.train.max_input, (int)c->reflection.train.max_target));
        tt_dataset_warn(&set->dataset, &(tt_dataset_limits){.phase = name,
                                           .input_key = "reflection.max_input",
                                           .target_key = "reflection.max_target",
                                           .max_input = c->reflection.train.max_input,
                                           .max_target = c->reflection.train.max_target});
        set->dataset.first_example = first;
        first += (uint32_t)set->dataset.n;
        r->data[stage] = (tt_preference_data){objective, set->pairs};
        TT_TRY(tt_sequence_open(&r->orders[stage], set->dataset.n, (uint64_t)c->seed,
            (uint32_t)(100 * r->room->iteration + stage)));
    }
    r->cycle = tt_reflection_cycle_of(r->sets[TT_RECALL].dataset.n, r->sets[TT_ANALYZE].dataset.n,
        c->reflection.train.batch_size, c->reflection.targets);
    tt_student_validation_open(&r->validation, c, &c->reflection.train, r->room->corpus, tokenizer,
        r->room->comm, r->room->told_of_cuts);
    return TT_OK;
}

static void close_data(reflection *r) {
    for (int s = 0; s < 2; ++s) {
        tt_preference_set_close(&r->sets[s]);
        tt_sequence_close(&r->orders[s]);
    }
}

static tt_status check_stages(const tt_config *c) {
    tt_stage_set set;
    TT_TRY(tt_stage_set_parse(&set, c->stages));
    const bool recall = tt_stage_set_has(set, TT_RECALL), analyze = tt_stage_set_has(set, TT_ANALYZE);
    const char *targets = c->reflection.targets;
    if ((recall && tt_targets_recall(targets)) || (analyze && tt_targets_analyze(targets))) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "reflection.targets: %s, but with stages: %s the student writes no such text; set "
        "reflection.iterations=0, or other stages",
        targets, c->stages);
}

static tt_status get_pairs(tt_preferences *pairs, const tt_reflection_room *room, tt_checkpoint *start,
    bool resume, const char *reference_path) {
    if (!resume) return tt_reflection_pairs(pairs, room, start);
    tt_checkpoint reference;
    TT_TRY(tt_comm_agree(room->comm, tt_checkpoint_load(&reference, reference_path, start->model->device)));
    const uint64_t hash = reference.hash;
    tt_checkpoint_close(&reference);
    return tt_reflection_pairs_again(pairs, room, hash);
}

static tt_status train(reflection *r, const char *name, const tt_phase_room *phase_room, tt_checkpoint *start,
    bool resume, tt_phase_result *out) {
    const tt_config *c = r->room->config;
    const int64_t length = r->cycle.recall + r->cycle.analyze;
    if (length == 0) {
        tt_warn("%s: no pairs: of no question both a right and a wrong text were sampled; the iteration is "
                "skipped and the student stays as it is",
            name);
        return tt_phase_skip(name, phase_room, start, out);
    }
    tt_info("%s: %d recall and %d analyze pairs; %lld cycles of %lld + %lld steps of %lld", name,
        r->sets[TT_RECALL].dataset.n, r->sets[TT_ANALYZE].dataset.n, (long long)c->reflection.cycles,
        (long long)r->cycle.recall, (long long)r->cycle.analyze, (long long)c->reflection.train.batch_size);
    const tt_phase phase = {.name = name,
        .config = &c->reflection.train,
        .total = c->reflection.cycles * length,
        .source = {r, batch_at},
        .self = r,
        .due = due,
        .validate = validate,
        .start_competes = !r->validation.empty};
    TT_TRY(tt_phase_run(&phase, phase_room, start, resume, out));
    if (out->best_step == 0)
        tt_info("%s: no cycle did better on validation than the student it began with, which is kept", name);
    return TT_OK;
}

tt_status tt_reflection_run(const tt_reflection_room *room, const tt_phase_room *phase_room,
    tt_checkpoint *start, bool resume, const char *reference_path, tt_phase_result *out) {
    char name[32];
    snprintf(name, sizeof name, "reflection_%d", room->iteration);
    TT_TRY(tt_comm_agree(room->comm, check_stages(room->config)));
    tt_preferences pairs = {0};
    reflection r = {.room = room};
    tt_status status = get_pairs(&pairs, room, start, resume, reference_path);
    if (status == TT_OK) status = tt_comm_agree(room->comm, open_data(&r, name, &pairs, start->tokenizer));
    tt_preferences_close(&pairs);
    if (status == TT_OK) status = train(&r, name, phase_room, start, resume, out);
    close_data(&r);
    return status;
}
