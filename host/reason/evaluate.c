// Scoring: questions are dealt to ranks in turn, answers are counted once each.
#include "host/reason/evaluate.h"

#include "host/base/log.h"
#include "host/reason/chain.h"
#include "host/reason/vote.h"
#include "host/text/limit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// What ranks add up, all as double for one collective.
enum {
    RIGHT,
    UNANSWERED,
    TOKENS,
    PROMPTS,
    CUT,
    STAGE_TEXTS,
    STAGE_TOKENS = STAGE_TEXTS + TT_STAGES,
    STAGE_UNENDED = STAGE_TOKENS + TT_STAGES,
    COUNTS = STAGE_UNENDED + TT_STAGES
};

// This rank's questions of the split: those at places rank, rank + size, ...
static tt_status select_questions(const tt_corpus *corpus, const tt_comm *comm, const tt_evaluate_options *o,
    const tt_question ***out, int *n, int *all) {
    int64_t seen = 0;
    *n = *all = 0;
    TT_TRY(tt_alloc(out, corpus->n_questions, sizeof(void *), "questions"));
    for (size_t i = 0; i < corpus->n_questions && (o->questions == 0 || seen < o->questions); ++i) {
        if (corpus->questions[i].split != o->split) continue;
        if (seen++ % comm->size == comm->rank) (*out)[(*n)++] = &corpus->questions[i];
    }
    *all = (int)seen;
    if (seen) return TT_OK;
    free(*out);
    *out = NULL;
    return tt_fail(
        TT_ERR_INPUT, "corpus %s has no questions in split %s", corpus->name, tt_split_name(o->split));
}

static json_t *letter(int option) {
    const char text[2] = {(char)('A' + option), '\0'};
    return option < 0 ? json_null() : json_string(text);
}

static json_t *run_json(const tt_chain_run *run, int n_options) {
    json_t *object = json_object();
    if (run->general) json_object_set_new(object, "recall", json_string(run->general));
    if (run->specific) {
        json_t *list = json_array();
        for (int i = 0; i < n_options; ++i) json_array_append_new(list, json_string(run->specific[i]));
        json_object_set_new(object, "analyze", list);
    }
    json_object_set_new(object, "summarize", json_string(run->summary));
    json_object_set_new(object, "answer", letter(run->answer));
    return object;
}

// How many runs chose each option that was chosen.
static json_t *votes_json(const tt_chain_run *runs, int n, int n_options) {
    json_t *object = json_object();
    for (int option = 0; option < n_options; ++option) {
        const char key[2] = {(char)('A' + option), '\0'};
        int votes = 0;
        for (int i = 0; i < n; ++i) votes += runs[i].answer == option;
        if (votes) json_object_set_new(object, key, json_integer(votes));
    }
    return object;
}

static tt_status append_prediction(
    tt_str *lines, const tt_question *q, const tt_chain_run *runs, int n, int answer) {
    json_t *object = json_object(), *options = json_array(), *list = json_array();
    for (int i = 0; i < q->n_options; ++i) json_array_append_new(options, json_string(q->options[i]));
    for (int i = 0; i < n; ++i) json_array_append_new(list, run_json(&runs[i], q->n_options));
    json_object_set_new(object, "id", json_string(q->id));
    json_object_set_new(object, "split", json_string(tt_split_name(q->split)));
    json_object_set_new(object, "question", json_string(q->text));
    json_object_set_new(object, "options", options);
    json_object_set_new(object, "gold", letter(q->gold));
    if (tt_right_answer(q) != q->gold) json_object_set_new(object, "taught", letter(tt_right_answer(q)));
    json_object_set_new(object, "answer", letter(answer));
    json_object_set_new(object, "right", json_boolean(answer == tt_right_answer(q)));
    if (n > 1) json_object_set_new(object, "votes", votes_json(runs, n, q->n_options));
    json_object_set_new(object, "runs", list);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!text) return tt_fail(TT_ERR_NOMEM, "no memory for the prediction of %s", q->id);
    tt_str_format(lines, "%s\n", text);
    free(text);
    return tt_str_status(lines);
}

// Rank 0 writes everybody's lines in the order of the questions: one of each rank in turn.
static tt_status write_predictions(tt_comm *comm, const tt_str *mine, FILE *out) {
    char *all = NULL;
    size_t *sizes;
    TT_TRY(tt_alloc(&sizes, (size_t)comm->size, sizeof *sizes, "predictions"));
    tt_status status = tt_comm_gather(comm, tt_str_text(mine), mine->length, &all, sizes);
    if (status == TT_OK && comm->rank == 0) {
        const char **at, **end;
        const char *p = all;
        status = tt_alloc(&at, 2 * (size_t)comm->size, sizeof *at, "predictions");
        end = status == TT_OK ? at + comm->size : NULL;
        for (int r = 0; r < comm->size && status == TT_OK; ++r) {
            at[r] = p;
            p += sizes[r];
            end[r] = p;
        }
        for (bool more = status == TT_OK; more;) {
            more = false;
            for (int r = 0; r < comm->size; ++r) {
                if (at[r] == end[r]) continue;
                const char *stop = (const char *)memchr(at[r], '\n', (size_t)(end[r] - at[r])) + 1;
                fwrite(at[r], 1, (size_t)(stop - at[r]), out);
                at[r] = stop;
                more = true;
            }
        }
        if (status == TT_OK && (fflush(out) != 0 || ferror(out)))
            status = tt_fail(TT_ERR_IO, "predictions: cannot write");
        free(at);
    }
    free(all);
    free(sizes);
    return status;
}

static tt_status run_questions(tt_model *model, const tt_tokenizer *tokenizer,
    const tt_question *const *questions, int n, const tt_evaluate_options *o, bool predictions,
    double *counts, tt_str *lines) {
    tt_engine *engine;
    tt_chain chain = {0};
    const tt_chain_options options = {.set = o->set,
        .samples = o->samples,
        // A chain of thought is one text: what votes are taken of must be drawn.
        .sampled = {true, true, [TT_SUMMARIZE] = o->set == TT_SET_CHAIN_OF_THOUGHT},
        .max_input = o->max_input,
        .label = o->label,
        .decoding = o->decoding};
    TT_TRY(tt_engine_open(&engine, model, o->slots, o->decoding.max_length));
    tt_status status = tt_chain_generate(&chain, engine, tokenizer, questions, n, &options);
    int *answers = NULL;
    if (status == TT_OK) status = tt_alloc(&answers, (size_t)chain.runs_each, sizeof *answers, "answers");
    for (int q = 0; q < n && status == TT_OK; ++q) {
        const tt_chain_run *runs = chain.runs + (size_t)q * (size_t)chain.runs_each;
        for (int r = 0; r < chain.runs_each; ++r) answers[r] = runs[r].answer;
        const int answer = tt_vote(answers, chain.runs_each, questions[q]->n_options);
        counts[RIGHT] += answer == tt_right_answer(questions[q]);
        counts[UNANSWERED] += answer == TT_NO_ANSWER;
        if (predictions) status = append_prediction(lines, questions[q], runs, chain.runs_each, answer);
    }
    counts[TOKENS] = (double)tt_engine_tokens(engine);
    counts[PROMPTS] = (double)chain.prompts;
    counts[CUT] = (double)chain.cut;
    for (int stage = 0; stage < TT_STAGES; ++stage) {
        counts[STAGE_TEXTS + stage] = (double)chain.use[stage].texts;
        counts[STAGE_TOKENS + stage] = (double)chain.use[stage].tokens;
        counts[STAGE_UNENDED + stage] = (double)chain.use[stage].unended;
    }
    free(answers);
    tt_chain_close(&chain);
    tt_engine_close(engine);
    return status;
}

tt_status tt_evaluate(tt_model *model, const tt_tokenizer *tokenizer, tt_comm *comm, const tt_corpus *corpus,
    const tt_evaluate_options *o, tt_evaluation *out) {
    const double started = tt_seconds();
    const tt_question **questions;
    int n, all;
    double counts[COUNTS] = {0};
    tt_str lines = {0};
    TT_TRY(select_questions(corpus, comm, o, &questions, &n, &all));
    int64_t wanted =
        o->predictions != NULL; // the file is rank 0's; whether there is one is everybody's to know
    tt_status status = tt_comm_max_i64(comm, &wanted, 1);
    if (status == TT_OK && n)
        status = run_questions(model, tokenizer, questions, n, o, wanted != 0, counts, &lines);
    status = tt_comm_agree(comm, status);
    if (status == TT_OK) status = tt_comm_sum_f64(comm, counts, COUNTS);
    if (status == TT_OK && wanted)
        status = tt_comm_agree(comm, write_predictions(comm, &lines, o->predictions));
    tt_str_close(&lines);
    free(questions);
    if (status != TT_OK) return status;
    if (counts[CUT] > 0 && !(o->told && *o->told)) {
        tt_limit_warn_prompts(o->label ? o->label : tt_split_name(o->split), (int64_t)counts[CUT],
            (int64_t)counts[PROMPTS], o->max_input, o->limit_name ? o->limit_name : "evaluation.max_input");
        if (o->told) *o->told = true;
    }
    *out = (tt_evaluation){.n = all,
        .right = (int)counts[RIGHT],
        .unanswered = (int)counts[UNANSWERED],
        .accuracy = counts[RIGHT] / all,
        .tokens = counts[TOKENS],
        .seconds = tt_seconds() - started};
    for (int stage = 0; stage < TT_STAGES; ++stage) {
        const double texts = counts[STAGE_TEXTS + stage];
        if (!(texts > 0)) continue;
        out->length[stage] = counts[STAGE_TOKENS + stage] / texts;
        out->unended[stage] = counts[STAGE_UNENDED + stage] / texts;
    }
    tt_wilson(out->right, out->n, &out->low, &out->high);
    return TT_OK;
}
