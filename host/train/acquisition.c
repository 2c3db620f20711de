#include "host/train/acquisition.h"

#include "host/base/log.h"
#include "host/data/stage_dataset.h"
#include "host/data/token_cache.h"
#include "host/train/cycle.h"
#include "host/train/joint.h"
#include "host/train/shuffle.h"
#include "host/train/student_validation.h"

#include <math.h>

typedef struct acquisition {
    const tt_config *config;
    const tt_corpus *corpus;
    const tt_tokenizer *tokenizer;
    tt_stage_set set;
    tt_dataset sets[TT_STAGES]; // empty for a stage that the ablation leaves out
    tt_shuffle orders[TT_STAGES];
    tt_cycle cycle;
    tt_joint joint; // instead of the cycle for step_by_step, where each step trains both tasks
    tt_student_validation validation;
} acquisition;

static tt_status batch_at(void *self, int64_t step, tt_global_batch *out) {
    acquisition *a = self;
    if (a->set == TT_SET_STEP_BY_STEP) {
        tt_joint_batch(&a->joint, step, out);
        return TT_OK;
    }
    const tt_cycle_step turn = tt_cycle_step_of(&a->cycle, step);
    const tt_dataset *set = &a->sets[turn.stage];
    const int64_t size = a->config->acquisition.batch_size, first = turn.batch * size;
    const int n = (int)(set->n - first < size ? set->n - first : size);
    *out = (tt_global_batch){.dataset = set,
        .examples = tt_shuffle_epoch(&a->orders[turn.stage], turn.epoch) + first,
        .n = n,
        .stage = tt_stage_name(turn.stage)};
    return TT_OK;
}

static bool validation_due(void *self, int64_t step) {
    const acquisition *a = self;
    if (a->set == TT_SET_STEP_BY_STEP) { // `interval` steps count as a cycle
        const int64_t length = a->config->acquisition.interval * a->config->acquisition.validate_every;
        return length > 0 && !a->validation.empty && step % length == 0;
    }
    const tt_cycle_step last = tt_cycle_step_of(&a->cycle, step - 1);
    const int64_t every = a->config->acquisition.validate_every;
    return every > 0 && !a->validation.empty && last.ends_cycle && (last.cycle + 1) % every == 0;
}

static tt_status validate_student(void *self, tt_model *model, tt_validation *out) {
    const acquisition *a = self;
    return tt_student_validate(&a->validation, model, out);
}

static tt_status make_sets(acquisition *a, tt_stage_options options) {
    for (int s = 0; s < TT_STAGES; ++s) {
        options.stage = (tt_stage)s;
        if (tt_stage_set_trains(a->set, options.stage))
            TT_TRY(tt_dataset_build(&a->sets[s], a->corpus, &options));
    }
    return TT_OK;
}

static tt_status build_sets(acquisition *a, const tt_phase_context *context) {
    const tt_training_config *train = &a->config->acquisition;
    const tt_stage_options options = {.split = TT_TRAIN,
        .set = a->set,
        .tokenizer = a->tokenizer,
        .max_input = (int)train->max_input,
        .max_target = (int)train->max_target,
        .reasonings = (int)a->config->reasonings};
    const uint64_t key = tt_token_cache_key(a->corpus, &options);
    const bool built = tt_dataset_is_built(a->corpus, &options);
    bool found = false;
    if (!built) tt_token_cache_read(context->tokens_path, key, a->sets, &found);
    if (!found) {
        TT_TRY(make_sets(a, options));
        if (context->comm->rank == 0 && !built) tt_token_cache_write(context->tokens_path, key, a->sets);
    }
    uint32_t first = 0;
    for (int s = 0; s < TT_STAGES; ++s) {
        tt_dataset *set = &a->sets[s];
        if (!tt_stage_set_trains(a->set, (tt_stage)s)) continue;
        set->first_example = first;
        first += (uint32_t)set->n;
        TT_TRY(tt_shuffle_open(&a->orders[s], set->n, context->seed, (uint32_t)s));
        tt_dataset_warn(set, &(tt_dataset_limits){.phase = "acquisition",
                                 .input_key = "acquisition.max_input",
                                 .target_key = "acquisition.max_target",
                                 .max_input = train->max_input,
                                 .max_target = train->max_target});
    }
    return TT_OK;
}

// Mean number of options of the training questions, rounded: how many times longer the turns of analyze are.
static int64_t typical_options(const tt_corpus *corpus) {
    int64_t options = 0, questions = 0;
    for (size_t i = 0; i < corpus->n_questions; ++i) {
        if (corpus->questions[i].split != TT_TRAIN) continue;
        options += corpus->questions[i].n_options;
        questions++;
    }
    return questions ? (options + questions / 2) / questions : 1;
}

static tt_status open_data(acquisition *a, const tt_phase_context *context) {
    TT_TRY(tt_stage_set_parse(&a->set, a->config->stages));
    TT_TRY(build_sets(a, context));
    int batches[TT_STAGES];
    const int64_t size = a->config->acquisition.batch_size;
    for (int s = 0; s < TT_STAGES; ++s) batches[s] = (int)((a->sets[s].n + size - 1) / size);
    tt_student_validation_open(&a->validation);
    if (a->validation.empty)
        tt_warn("the corpus has no validation questions: the weights of the last step are kept as the best");
    if (a->set == TT_SET_STEP_BY_STEP) {
        const tt_joint_task rationales = {&a->sets[TT_RECALL], &a->orders[TT_RECALL]},
                            labels = {&a->sets[TT_SUMMARIZE], &a->orders[TT_SUMMARIZE]};
        a->cycle.epoch_steps = batches[rationales.dataset->n > labels.dataset->n ? TT_RECALL : TT_SUMMARIZE];
        return tt_joint_open(&a->joint, rationales, labels, size, a->config->rationale_weight);
    }
    return tt_cycle_open(&a->cycle, batches, a->config->acquisition.interval, typical_options(a->corpus));
}

static void close_data(acquisition *a) {
    tt_joint_close(&a->joint);
    for (int s = 0; s < TT_STAGES; ++s) {
        tt_dataset_close(&a->sets[s]);
        tt_shuffle_close(&a->orders[s]);
    }
    tt_cycle_close(&a->cycle);
}

tt_status tt_acquisition_run(const tt_phase_context *context, const tt_corpus *corpus, tt_checkpoint *start,
    bool resume, tt_phase_result *out) {
    const tt_config *config = context->config;
    const tt_training_config *train = &config->acquisition;
    acquisition a = {.config = config,
        .corpus = corpus,
        .tokenizer = start->tokenizer,
        .validation = {.config = config,
            .train = train,
            .corpus = corpus,
            .tokenizer = start->tokenizer,
            .comm = context->comm,
            .cuts_warned = context->cuts_warned}};
    tt_status status = tt_comm_agree(context->comm, open_data(&a, context));
    if (status == TT_OK) {
        int64_t total =
            train->steps > 0 ? train->steps : llround(train->epochs * (double)a.cycle.epoch_steps);
        tt_info(
            "acquisition (%s): %d recall, %d analyze, %d summarize examples; %lld steps of %lld examples, "
            "%lld steps per epoch",
            config->stages, a.sets[TT_RECALL].n, a.sets[TT_ANALYZE].n, a.sets[TT_SUMMARIZE].n,
            (long long)total, (long long)train->batch_size, (long long)a.cycle.epoch_steps);
        const tt_phase phase = {.name = "acquisition",
            .config = train,
            .total = total > 0 ? total : 1,
            .source = {&a, batch_at},
            .self = &a,
            .due = validation_due,
            .validate = validate_student};
        status = tt_phase_run(&phase, context, start, resume, out);
    }
    close_data(&a);
    return status;
}
