#include "host/train/reflection/pairs.h"

#include "host/base/fs.h"
#include "host/train/reflection/reference.h"
#include "host/train/reflection/rules.h"

#include <inttypes.h>
#include <string.h>

typedef struct maker {
    tt_reflection_runs runs;
    tt_reflection_rules rules;
} maker;

// Rank 0's pairs to every rank: through the file, which all can read.
static tt_status share(tt_comm *comm, tt_preferences *pairs, const char *path) {
    TT_TRY(tt_comm_agree(comm, comm->rank == 0 ? tt_preferences_save(pairs, path) : TT_OK));
    if (comm->rank == 0) return tt_comm_agree(comm, TT_OK);
    tt_preferences_close(pairs);
    return tt_comm_agree(comm, tt_preferences_load(pairs, path));
}

// Generates the runs of all items; rank 0 makes pairs of them.
static tt_status pairs_of_items(
    maker *m, const tt_reflection_items *items, tt_stage sampled, const char *name, tt_preferences *out) {
    tt_comm *comm = m->runs.room->comm;
    tt_run_log log = {0};
    tt_status status = tt_reflection_generate(&m->runs, items, sampled, name, &log);
    if (comm->rank == 0)
        for (int i = 0; i < items->n && status == TT_OK; ++i) {
            const tt_chain_run *runs = &log.runs[(size_t)i * (size_t)log.samples];
            status = sampled == TT_RECALL
                         ? tt_reflection_recall_pairs(&m->rules, &items->items[i], runs, out)
                         : tt_reflection_analyze_pairs(&m->rules, &items->items[i], runs, out);
        }
    tt_run_log_close(&log);
    return tt_comm_agree(comm, status);
}

// Behind the chosen recalls, or, where the student writes none, behind the questions.
static tt_status analyze_pairs(
    maker *m, const tt_reflection_items *questions, bool recall, tt_preferences *out, const char *path) {
    tt_comm *comm = m->runs.room->comm;
    static const char name[] = "analyze_runs.jsonl";
    if (!recall) return pairs_of_items(m, questions, TT_ANALYZE, name, out);
    tt_reflection_items recalls = {0};
    tt_status status = share(comm, out, path);
    if (status == TT_OK) status = tt_comm_agree(comm, tt_reflection_recalls(&recalls, m->rules.corpus, out));
    if (status == TT_OK) status = pairs_of_items(m, &recalls, TT_ANALYZE, name, out);
    tt_reflection_items_close(&recalls);
    return status;
}

static tt_status make(maker *m, const tt_reflection_room *room, tt_checkpoint *reference, tt_preferences *out,
    const char *path) {
    const tt_config *c = room->config;
    tt_reflection_items questions = {0};
    TT_TRY(tt_stage_set_parse(&m->runs.set, c->stages));
    const bool recall = tt_stage_set_has(m->runs.set, TT_RECALL),
               analyze =
                   tt_stage_set_has(m->runs.set, TT_ANALYZE) && tt_targets_analyze(c->reflection.targets);
    tt_status status =
        tt_comm_agree(room->comm, tt_reflection_questions(&questions, room->corpus, c->reflection.questions,
                                      m->rules.seed, room->iteration));
    if (status == TT_OK && recall)
        status = pairs_of_items(m, &questions, TT_RECALL, "recall_runs.jsonl", out);
    if (status == TT_OK && analyze) status = analyze_pairs(m, &questions, recall, out, path);
    out->questions = questions.n;
    out->reference = reference->hash;
    if (status == TT_OK) status = share(room->comm, out, path);
    for (int stage = TT_RECALL; stage <= TT_ANALYZE && status == TT_OK; ++stage)
        status = tt_reflection_score(out, (tt_stage)stage, c, room->comm, reference);
    out->scored = true;
    if (status == TT_OK)
        status = tt_comm_agree(room->comm, room->comm->rank == 0 ? tt_preferences_save(out, path) : TT_OK);
    tt_reflection_items_close(&questions);
    return status;
}

static tt_status exists(tt_comm *comm, const char *path, bool *out) {
    *out = comm->rank == 0 && tt_file_exists(path);
    return tt_comm_broadcast(comm, out, sizeof *out, 0);
}

// What the file has, if it is complete. Errors: TT_ERR_FORMAT when it is another reference's.
static tt_status load(
    tt_preferences *out, const tt_reflection_room *room, const char *path, uint64_t hash, bool *complete) {
    TT_TRY(tt_comm_agree(room->comm, tt_preferences_load(out, path)));
    *complete = out->scored && out->rules == TT_PREFERENCE_RULES;
    if (!*complete || out->reference == hash) return TT_OK;
    const uint64_t found = out->reference;
    tt_preferences_close(out);
    return tt_comm_agree(room->comm,
        tt_fail(TT_ERR_FORMAT,
            "%s: its reference log-probabilities are those of checkpoint %016" PRIx64
            ", the reference of this iteration is %016" PRIx64 "; remove the file to make it anew",
            path, found, hash));
}

tt_status tt_reflection_pairs(tt_preferences *out, const tt_reflection_room *room, tt_checkpoint *reference) {
    char path[TT_PATH_MAX];
    bool there, complete = false;
    TT_TRY(tt_path_join(path, sizeof path, room->folder, "pairs.h5"));
    TT_TRY(exists(room->comm, path, &there));
    if (there) {
        TT_TRY(load(out, room, path, reference->hash, &complete));
        if (complete) return TT_OK;
        tt_preferences_close(out);
    }
    maker m = {.runs = {.room = room, .student = reference},
        .rules = {.corpus = room->corpus,
            .samples = (int)room->config->reflection.samples,
            .seed = (uint64_t)room->config->seed,
            .iteration = room->iteration}};
    *out = (tt_preferences){.rules = TT_PREFERENCE_RULES};
    tt_status status = make(&m, room, reference, out, path);
    tt_engine_close(m.runs.engine);
    if (status != TT_OK) tt_preferences_close(out);
    return status;
}

tt_status tt_reflection_pairs_again(tt_preferences *out, const tt_reflection_room *room, uint64_t hash) {
    char path[TT_PATH_MAX];
    bool complete;
    TT_TRY(tt_path_join(path, sizeof path, room->folder, "pairs.h5"));
    TT_TRY(load(out, room, path, hash, &complete));
    if (complete) return TT_OK;
    const bool old = out->rules != TT_PREFERENCE_RULES;
    tt_preferences_close(out);
    return tt_fail(TT_ERR_FORMAT,
        old ? "%s: was made by an earlier version, which chose pairs by other rules; finish the run with "
              "that "
              "version, or start it over with --fresh"
            : "%s: is not complete, though training on it has begun; start the run over with --fresh",
        path);
}
