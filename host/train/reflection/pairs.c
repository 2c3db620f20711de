#include "host/train/reflection/pairs.h"

#include "host/train/reflection/pairs_file.h"
#include "host/train/reflection/reference.h"
#include "host/train/reflection/rules.h"

#include <string.h>

typedef struct pairs_builder {
    const tt_pairs_file *file;
    tt_reflection_runs runs;
    tt_reflection_rules rules;
    tt_preferences *out;
} pairs_builder;

// Generates the runs of all items; rank 0 makes pairs of them.
static tt_status pair_items(
    pairs_builder *b, const tt_reflection_items *items, tt_stage sampled, const char *log_name) {
    tt_comm *comm = b->runs.context->comm;
    tt_run_log log = {0};
    tt_status status = tt_reflection_generate(&b->runs, items, sampled, log_name, &log);
    if (comm->rank == 0)
        for (int i = 0; i < items->n && status == TT_OK; ++i) {
            const tt_chain_run *runs = &log.runs[(size_t)i * (size_t)log.samples];
            status = sampled == TT_RECALL
                         ? tt_reflection_recall_pairs(&b->rules, &items->items[i], runs, b->out)
                         : tt_reflection_analyze_pairs(&b->rules, &items->items[i], runs, b->out);
        }
    tt_run_log_close(&log);
    return tt_comm_agree(comm, status);
}

// Analyze pairs are made for the chosen recalls, or, where the student writes none, for the questions.
static tt_status pair_analyses(pairs_builder *b, const tt_reflection_items *questions, bool recall) {
    static const char log_name[] = "analyze_runs.jsonl";
    if (!recall) return pair_items(b, questions, TT_ANALYZE, log_name);
    tt_reflection_items recalls = {0};
    tt_status status = tt_pairs_file_share(b->file, b->out);
    if (status == TT_OK)
        status =
            tt_comm_agree(b->runs.context->comm, tt_reflection_recalls(&recalls, b->rules.corpus, b->out));
    if (status == TT_OK) status = pair_items(b, &recalls, TT_ANALYZE, log_name);
    tt_reflection_items_close(&recalls);
    return status;
}

static tt_status build_pairs(pairs_builder *b, tt_checkpoint *reference) {
    const tt_reflection_context *context = b->runs.context;
    const tt_config *c = context->config;
    tt_reflection_items questions = {0};
    TT_TRY(tt_stage_set_parse(&b->runs.set, c->stages));
    const bool recall = tt_stage_set_has(b->runs.set, TT_RECALL),
               analyze =
                   tt_stage_set_has(b->runs.set, TT_ANALYZE) && tt_targets_analyze(c->reflection.targets);
    tt_status status =
        tt_comm_agree(context->comm, tt_reflection_questions(&questions, context->corpus,
                                         c->reflection.questions, b->rules.seed, context->iteration));
    if (status == TT_OK && recall) status = pair_items(b, &questions, TT_RECALL, "recall_runs.jsonl");
    if (status == TT_OK && analyze) status = pair_analyses(b, &questions, recall);
    b->out->questions = questions.n;
    if (status == TT_OK) status = tt_pairs_file_share(b->file, b->out);
    for (int stage = TT_RECALL; stage <= TT_ANALYZE && status == TT_OK; ++stage)
        status = tt_reflection_score(b->out, (tt_stage)stage, c, context->comm, reference);
    b->out->scored = true;
    if (status == TT_OK) status = tt_pairs_file_save(b->file, b->out);
    tt_reflection_items_close(&questions);
    return status;
}

tt_status tt_reflection_pairs_build(
    tt_preferences *out, const tt_reflection_context *context, tt_checkpoint *reference) {
    tt_pairs_file file;
    uint64_t hash;
    TT_TRY(tt_comm_agree(context->comm, tt_checkpoint_hash(reference, &hash)));
    TT_TRY(tt_pairs_file_open(&file, context));
    if (file.exists) {
        bool complete;
        TT_TRY(tt_pairs_file_load(&file, hash, out, &complete));
        if (complete) return TT_OK;
        tt_preferences_close(out);
    }
    pairs_builder b = {.file = &file,
        .runs = {.context = context, .student = reference},
        .rules = {.corpus = context->corpus,
            .samples = (int)context->config->reflection.samples,
            .seed = (uint64_t)context->config->seed,
            .iteration = context->iteration},
        .out = out};
    *out = (tt_preferences){.rules = TT_PREFERENCE_RULES, .reference = hash};
    tt_status status = build_pairs(&b, reference);
    tt_engine_close(b.runs.engine);
    if (status != TT_OK) tt_preferences_close(out);
    return status;
}

tt_status tt_reflection_pairs_load(
    tt_preferences *out, const tt_reflection_context *context, uint64_t reference) {
    tt_pairs_file file;
    bool complete;
    TT_TRY(tt_pairs_file_open(&file, context));
    TT_TRY(tt_pairs_file_load(&file, reference, out, &complete));
    if (complete) return TT_OK;
    const bool other_rules = out->rules != TT_PREFERENCE_RULES;
    tt_preferences_close(out);
    return tt_fail(TT_ERR_FORMAT,
        other_rules ? "%s: was made by an earlier version, which chose pairs by other rules; finish the run "
                      "with that version, or start it over with --fresh"
                    : "%s: is not complete, although training on it has begun; start the run over with "
                      "--fresh",
        file.path);
}
