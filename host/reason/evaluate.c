// Scoring: questions are dealt to ranks in turn, answers are counted once each.
#include "host/reason/evaluate.h"

#include "host/base/log.h"
#include "host/reason/chain.h"
#include "host/reason/vote.h"
#include "host/text/limit.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// What ranks add up: all of it as double, for one collective.
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

// This rank's questions of the split: number rank, rank + size, ... *all receives how many all ranks have.
static tt_status select_questions(
    const tt_comm *comm, const tt_evaluate_options *o, const tt_question ***out, int *n, int *all) {
    const tt_corpus *corpus = o->corpus;
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

static json_t *option_letter(int option) {
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
    json_object_set_new(object, "answer", option_letter(run->answer));
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
    json_object_set_new(object, "gold", option_letter(q->gold));
    if (tt_right_answer(q) != q->gold)
        json_object_set_new(object, "taught", option_letter(tt_right_answer(q)));
    json_object_set_new(object, "answer", option_letter(answer));
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

// The end of the line that starts at `begin` (< end), its newline included.
static const char *line_end(const char *begin, const char *end) {
    const char *newline = memchr(begin, '\n', (size_t)(end - begin));
    return newline ? newline + 1 : end;
}

// Writes the lines of all ranks in the order of the questions, one of each rank in turn. rest[r]..ends[r] are the
// lines of rank r.
static void interleave_lines(const char **rest, const char *const *ends, int ranks, FILE *out) {
    for (bool more = true; more;) {
        more = false;
        for (int r = 0; r < ranks; ++r) {
            if (rest[r] == ends[r]) continue;
            const char *end = line_end(rest[r], ends[r]);
            fwrite(rest[r], 1, (size_t)(end - rest[r]), out);
            rest[r] = end;
            more = true;
        }
    }
}

// Rank 0 writes the predictions of all ranks.
static tt_status write_predictions(tt_comm *comm, const tt_str *mine, FILE *out) {
    const size_t ranks = (size_t)comm->size;
    char *all = NULL;
    size_t *sizes;
    const char **rest = NULL; // [2 ranks]: begin and end of each rank's lines
    TT_TRY(tt_alloc(&sizes, ranks, sizeof *sizes, "predictions"));
    tt_status status = tt_comm_gather(comm, tt_str_text(mine), mine->length, &all, sizes);
    if (status == TT_OK && comm->rank == 0 && out) {
        status = tt_alloc(&rest, 2 * ranks, sizeof *rest, "predictions");
        const char *p = all;
        for (size_t r = 0; r < ranks && status == TT_OK; ++r) {
            rest[r] = p;
            rest[ranks + r] = p += sizes[r];
        }
        if (status == TT_OK) interleave_lines(rest, rest + ranks, comm->size, out);
        if (status == TT_OK && (fflush(out) != 0 || ferror(out)))
            status = tt_fail(TT_ERR_IO, "predictions: cannot write: %s", strerror(errno));
    }
    free(rest);
    free(all);
    free(sizes);
    return status;
}

// What a rank adds to the result.
typedef struct rank_share {
    int slots;    // of the engine
    bool predict; // predictions are wanted
    double counts[COUNTS];
    tt_str predictions; // lines
} rank_share;

static tt_status score_questions(tt_model *model, const tt_question *const *questions, int n,
    const tt_chain_options *options, rank_share *share) {
    double *counts = share->counts;
    tt_engine *engine;
    tt_chain chain = {0};
    TT_TRY(tt_engine_open(&engine, model, share->slots, options->decoding.max_length));
    tt_status status = tt_chain_generate(&chain, engine, questions, n, options);
    int *answers = NULL;
    if (status == TT_OK) status = tt_alloc(&answers, (size_t)chain.runs_each, sizeof *answers, "answers");
    for (int q = 0; q < n && status == TT_OK; ++q) {
        const tt_chain_run *runs = chain.runs + (size_t)q * (size_t)chain.runs_each;
        for (int r = 0; r < chain.runs_each; ++r) answers[r] = runs[r].answer;
        const int answer = tt_vote(answers, chain.runs_each, questions[q]->n_options);
        counts[RIGHT] += answer == tt_right_answer(questions[q]);
        counts[UNANSWERED] += answer == TT_NO_ANSWER;
        if (share->predict)
            status = append_prediction(&share->predictions, questions[q], runs, chain.runs_each, answer);
    }
    counts[TOKENS] = (double)tt_engine_tokens(engine);
    counts[PROMPTS] = (double)chain.prompts;
    counts[CUT] = (double)chain.cut;
    for (int stage = 0; stage < TT_STAGES; ++stage) {
        counts[STAGE_TEXTS + stage] = (double)chain.counts[stage].texts;
        counts[STAGE_TOKENS + stage] = (double)chain.counts[stage].tokens;
        counts[STAGE_UNENDED + stage] = (double)chain.counts[stage].unended;
    }
    free(answers);
    tt_chain_close(&chain);
    tt_engine_close(engine);
    return status;
}

static void warn_of_cuts(const tt_evaluate_options *o, const double *counts) {
    if (!(counts[CUT] > 0) || (o->cuts_warned && *o->cuts_warned)) return;
    tt_limit_warn_prompts(o->label ? o->label : tt_split_name(o->split), (int64_t)counts[CUT],
        (int64_t)counts[PROMPTS], o->max_input, o->limit_name ? o->limit_name : "evaluation.max_input");
    if (o->cuts_warned) *o->cuts_warned = true;
}

static tt_evaluation summarize_counts(const double *counts, int n) {
    tt_evaluation e = {.n = n,
        .right = (int)counts[RIGHT],
        .unanswered = (int)counts[UNANSWERED],
        .accuracy = counts[RIGHT] / n,
        .tokens = counts[TOKENS]};
    for (int stage = 0; stage < TT_STAGES; ++stage) {
        const double texts = counts[STAGE_TEXTS + stage];
        if (!(texts > 0)) continue;
        e.length[stage] = counts[STAGE_TOKENS + stage] / texts;
        e.unended[stage] = counts[STAGE_UNENDED + stage] / texts;
    }
    tt_wilson(e.right, e.n, &e.low, &e.high);
    return e;
}

tt_status tt_evaluate(tt_model *model, const tt_tokenizer *tokenizer, tt_comm *comm,
    const tt_evaluate_options *o, tt_evaluation *out) {
    const double started = tt_seconds();
    const tt_question **questions;
    int n, all;
    rank_share share = {.slots = o->slots};
    const tt_chain_options options = {.tokenizer = tokenizer,
        .set = o->set,
        .samples = o->samples,
        // A chain of thought is one text, so votes need that stage to be sampled.
        .sampled = {true, true, [TT_SUMMARIZE] = o->set == TT_SET_CHAIN_OF_THOUGHT},
        .max_input = o->max_input,
        .label = o->label,
        .decoding = o->decoding};
    TT_TRY(select_questions(comm, o, &questions, &n, &all));
    int64_t wanted = o->predictions != NULL; // on rank 0, which has the file; all ranks need to know
    tt_status status = tt_comm_max_i64(comm, &wanted, 1);
    share.predict = wanted != 0;
    if (status == TT_OK && n) status = score_questions(model, questions, n, &options, &share);
    status = tt_comm_agree(comm, status);
    if (status == TT_OK) status = tt_comm_sum_f64(comm, share.counts, COUNTS);
    if (status == TT_OK && wanted)
        status = tt_comm_agree(comm, write_predictions(comm, &share.predictions, o->predictions));
    tt_str_close(&share.predictions);
    free(questions);
    if (status != TT_OK) return status;
    warn_of_cuts(o, share.counts);
    *out = summarize_counts(share.counts, all);
    out->seconds = tt_seconds() - started;
    return TT_OK;
}
