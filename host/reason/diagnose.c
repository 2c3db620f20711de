#include "host/reason/diagnose.h"

#include "host/base/memory.h"

#include <stdlib.h>

// The questions that have reasoning of a teacher, with its texts.
typedef struct taught_questions {
    int n;
    int *place; // [n] index into the caller's questions
    const tt_question **questions;
    const char **general;
    const char *const **specific;
} taught_questions;

static tt_status open_taught(taught_questions *t, int most) {
    const size_t n = (size_t)most + 1;
    TT_TRY(tt_alloc(&t->place, n, sizeof *t->place, "questions"));
    TT_TRY(tt_alloc(&t->questions, n, sizeof(void *), "questions"));
    TT_TRY(tt_alloc(&t->general, n, sizeof *t->general, "recalls"));
    return tt_alloc(&t->specific, n, sizeof *t->specific, "analyses");
}

static void close_taught(taught_questions *t) {
    free(t->place);
    free(t->questions);
    free(t->general);
    free(t->specific);
}

// The first reasoning of the question that agrees with its right answer and has both texts; NULL without one.
static tt_status find_teacher(const tt_corpus *corpus, int question, const tt_reasoning **out) {
    *out = NULL;
    const int n = tt_corpus_reasonings(corpus, question, NULL);
    if (n == 0) return TT_OK;
    int *indices;
    TT_TRY(tt_alloc(&indices, (size_t)n, sizeof *indices, "reasoning"));
    tt_corpus_reasonings(corpus, question, indices);
    for (int i = 0; i < n && !*out; ++i) {
        const tt_reasoning *r = &corpus->reasoning[indices[i]];
        if (r->general && r->specific) *out = r;
    }
    free(indices);
    return TT_OK;
}

// Sets out[place].with_recall or, with `analyses`, with_analyses to the answers that follow from the given texts.
static tt_status answer_again(tt_diagnosis *out, tt_engine *engine, const taught_questions *t,
    const tt_chain_options *common, bool analyses) {
    tt_chain_options options = *common;
    tt_chain chain;
    options.set = TT_SET_ALL;
    options.samples = 0;
    options.general = t->general;
    options.specific = analyses ? t->specific : NULL;
    TT_TRY(tt_chain_generate(&chain, engine, t->questions, t->n, &options));
    for (int i = 0; i < t->n; ++i) {
        tt_diagnosis *d = &out[t->place[i]];
        *(analyses ? &d->with_analyses : &d->with_recall) = chain.runs[i].answer;
    }
    tt_chain_close(&chain);
    return TT_OK;
}

tt_status tt_diagnose(tt_diagnosis *out, tt_engine *engine, const tt_diagnosis_request *request) {
    const tt_corpus *corpus = request->corpus;
    const int *questions = request->questions, n = request->n;
    taught_questions t = {0};
    tt_status status = open_taught(&t, n);
    for (int i = 0; i < n && status == TT_OK; ++i) {
        out[i] = (tt_diagnosis){.with_recall = TT_NO_ANSWER, .with_analyses = TT_NO_ANSWER};
        status = find_teacher(corpus, questions[i], &out[i].teacher);
        if (!out[i].teacher) continue;
        t.place[t.n] = i;
        t.questions[t.n] = &corpus->questions[questions[i]];
        t.general[t.n] = out[i].teacher->general;
        t.specific[t.n++] = out[i].teacher->specific;
    }
    if (status == TT_OK && t.n > 0) status = answer_again(out, engine, &t, request->options, false);
    if (status == TT_OK && t.n > 0) status = answer_again(out, engine, &t, request->options, true);
    for (int i = 0; i < n && status == TT_OK; ++i) {
        const int right = tt_right_answer(&corpus->questions[questions[i]]);
        out[i].stage = out[i].with_recall == right     ? TT_RECALL
                       : out[i].with_analyses == right ? TT_ANALYZE
                                                       : TT_SUMMARIZE;
    }
    close_taught(&t);
    return status;
}
