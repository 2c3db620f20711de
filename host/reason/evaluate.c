// Scoring: ranks take pieces of the questions, one rank all of them at once; answers are counted once each.
#include "host/reason/evaluate.h"

#include "host/base/log.h"
#include "host/dist/pieces.h"
#include "host/reason/chain.h"
#include "host/reason/portions.h"
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
    SHARED,
    PLACES,
    PROMPTS,
    CUT,
    ASKED,
    STAGE_TEXTS,
    STAGE_TOKENS = STAGE_TEXTS + TT_STAGES,
    STAGE_UNENDED = STAGE_TOKENS + TT_STAGES,
    COUNTS = STAGE_UNENDED + TT_STAGES
};

// The questions of the split that are asked.
static tt_status select_questions(const tt_evaluate_options *o, const tt_question ***out, int *n) {
    const tt_corpus *corpus = o->corpus;
    *n = 0;
    TT_TRY(tt_alloc(out, corpus->n_questions, sizeof(void *), "questions"));
    for (size_t i = 0; i < corpus->n_questions && (o->questions == 0 || *n < o->questions); ++i)
        if (corpus->questions[i].split == o->split) (*out)[(*n)++] = &corpus->questions[i];
    if (*n) return TT_OK;
    free(*out);
    *out = NULL;
    return tt_fail(
        TT_ERR_INPUT, "corpus %s has no questions in split %s", corpus->name, tt_split_name(o->split));
}

static tt_status cut_questions(const tt_evaluate_options *o, tt_device *device,
    const tt_question *const *questions, int n, tt_portions *out) {
    int *texts;
    TT_TRY(tt_alloc(&texts, (size_t)n, sizeof *texts, "questions"));
    for (int i = 0; i < n; ++i) texts[i] = tt_widest_stage(o->set, o->samples, questions[i]);
    const tt_status status = tt_portions_cut(out, texts, n, device, o->slots);
    free(texts);
    return status;
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

// Rank 0 writes the predictions of all ranks.
static tt_status write_predictions(const tt_pieces *pieces, const tt_str *mine, int64_t *sizes, FILE *out) {
    char *all = NULL;
    size_t bytes = 0;
    tt_status status = tt_pieces_gather(pieces, mine, sizes, &all, &bytes);
    if (status == TT_OK && out && (fwrite(all, 1, bytes, out) != bytes || fflush(out) != 0 || ferror(out)))
        status = tt_fail(TT_ERR_IO, "predictions: cannot write: %s", strerror(errno));
    free(all);
    return status;
}

// What a rank does and adds to the result.
typedef struct rank_work {
    const tt_chain_options *options;
    const tt_question **questions;
    int n;
    tt_portions portions;
    tt_pieces pieces;
    tt_engine *engine;
    bool predict; // predictions are wanted
    double counts[COUNTS];
    tt_str predictions; // lines
    int64_t *sizes;     // [portions.n]: bytes of a piece's predictions
} rank_work;

static tt_status count_answers(rank_work *w, const tt_chain *chain, const tt_question *const *questions) {
    int *answers;
    tt_status status = TT_OK;
    TT_TRY(tt_alloc(&answers, (size_t)chain->runs_each, sizeof *answers, "answers"));
    for (int q = 0; q < chain->n && status == TT_OK; ++q) {
        const tt_chain_run *runs = chain->runs + (size_t)q * (size_t)chain->runs_each;
        for (int r = 0; r < chain->runs_each; ++r) answers[r] = runs[r].answer;
        const int answer = tt_vote(answers, chain->runs_each, questions[q]->n_options);
        w->counts[RIGHT] += answer == tt_right_answer(questions[q]);
        w->counts[UNANSWERED] += answer == TT_NO_ANSWER;
        if (w->predict)
            status = append_prediction(&w->predictions, questions[q], runs, chain->runs_each, answer);
    }
    free(answers);
    return status;
}

static tt_status score_piece(rank_work *w, int64_t piece) {
    const int begin = tt_portion_begin(&w->portions, piece);
    const tt_question *const *questions = w->questions + begin;
    const size_t before = w->predictions.length;
    tt_chain chain;
    TT_TRY(tt_chain_generate(&chain, w->engine, questions, w->portions.ends[piece] - begin, w->options));
    const tt_status status = count_answers(w, &chain, questions);
    w->sizes[piece] = (int64_t)(w->predictions.length - before);
    w->counts[PROMPTS] += (double)chain.prompts;
    w->counts[CUT] += (double)chain.cut;
    for (int stage = 0; stage < TT_STAGES; ++stage) {
        w->counts[ASKED] += (double)chain.counts[stage].asked;
        w->counts[STAGE_TEXTS + stage] += (double)chain.counts[stage].texts;
        w->counts[STAGE_TOKENS + stage] += (double)chain.counts[stage].tokens;
        w->counts[STAGE_UNENDED + stage] += (double)chain.counts[stage].unended;
    }
    tt_chain_close(&chain);
    return status;
}

static tt_status score_pieces(rank_work *w, const tt_evaluate_options *o, tt_model *model) {
    tt_progress progress;
    TT_TRY(tt_engine_open(&w->engine, model, o->slots, o->decoding.max_length));
    const bool shown = o->label && w->pieces.comm->size > 1;
    if (shown) tt_progress_open(&progress, o->label, "questions", w->n, 0);
    tt_status status;
    for (int64_t piece; (status = tt_pieces_take(&w->pieces, &piece)) == TT_OK && piece >= 0;) {
        // The ranks are at about the same piece.
        if (shown)
            tt_progress_update(&progress, tt_portion_begin(&w->portions, piece), "%lld tokens",
                (long long)tt_engine_tokens(w->engine));
        status = score_piece(w, piece);
        if (status != TT_OK) break;
    }
    if (status != TT_OK) tt_pieces_stop(&w->pieces);
    if (shown) tt_progress_close(&progress);
    w->counts[TOKENS] = (double)tt_engine_tokens(w->engine);
    w->counts[SHARED] = (double)tt_engine_shared(w->engine);
    w->counts[PLACES] = (double)tt_engine_places(w->engine);
    tt_engine_close(w->engine);
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
        .tokens = counts[TOKENS],
        .shared = counts[SHARED],
        .asked = counts[ASKED],
        .slot_use = counts[PLACES] > 0 ? counts[TOKENS] / counts[PLACES] : 0};
    for (int stage = 0; stage < TT_STAGES; ++stage) {
        const double texts = counts[STAGE_TEXTS + stage];
        e.texts += texts;
        if (!(texts > 0)) continue;
        e.length[stage] = counts[STAGE_TOKENS + stage] / texts;
        e.unended[stage] = counts[STAGE_UNENDED + stage] / texts;
    }
    tt_wilson(e.right, e.n, &e.low, &e.high);
    return e;
}

// How many pieces the ranks took.
static tt_status compare_ranks(tt_comm *comm, const tt_pieces *pieces, tt_evaluation *out) {
    int64_t most[2] = {pieces->taken, -pieces->taken};
    TT_TRY(tt_comm_max_i64(comm, most, 2));
    out->pieces = (int)pieces->n;
    out->most_pieces = (int)most[0];
    out->fewest_pieces = (int)-most[1];
    return TT_OK;
}

static tt_status score_questions(rank_work *w, tt_model *model, tt_comm *comm, const tt_evaluate_options *o) {
    tt_status status = comm->size == 1 ? tt_portions_whole(&w->portions, w->n)
                                       : cut_questions(o, model->device, w->questions, w->n, &w->portions);
    if (status == TT_OK) status = tt_alloc(&w->sizes, (size_t)w->portions.n, sizeof *w->sizes, "predictions");
    TT_TRY(tt_comm_agree(comm, status));
    TT_TRY(tt_pieces_open(&w->pieces, comm, w->portions.n));
    TT_TRY(tt_comm_agree(comm, score_pieces(w, o, model)));
    TT_TRY(tt_comm_sum_f64(comm, w->counts, COUNTS));
    if (w->predict)
        TT_TRY(tt_comm_agree(comm, write_predictions(&w->pieces, &w->predictions, w->sizes, o->predictions)));
    return TT_OK;
}

tt_status tt_evaluate(tt_model *model, const tt_tokenizer *tokenizer, tt_comm *comm,
    const tt_evaluate_options *o, tt_evaluation *out) {
    const double started = tt_seconds();
    const tt_chain_options options = {.tokenizer = tokenizer,
        .set = o->set,
        .samples = o->samples,
        // A chain of thought is one text, so votes need that stage to be sampled.
        .sampled = {true, true, [TT_SUMMARIZE] = o->set == TT_SET_CHAIN_OF_THOUGHT},
        .label = comm->size == 1 ? o->label : NULL,
        .max_input = o->max_input,
        .decoding = o->decoding};
    rank_work work = {.options = &options};
    TT_TRY(select_questions(o, &work.questions, &work.n));
    int64_t wanted = o->predictions != NULL; // on rank 0, which has the file; all ranks need to know
    tt_status status = tt_comm_max_i64(comm, &wanted, 1);
    work.predict = wanted != 0;
    if (status == TT_OK) status = score_questions(&work, model, comm, o);
    if (status == TT_OK) {
        warn_of_cuts(o, work.counts);
        *out = summarize_counts(work.counts, work.n);
        status = compare_ranks(comm, &work.pieces, out);
        out->seconds = tt_seconds() - started;
    }
    tt_str_close(&work.predictions);
    tt_portions_close(&work.portions);
    free(work.sizes);
    free(work.questions);
    return status;
}
