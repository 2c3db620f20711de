// Questions and reasoning in memory, added with checks.
#include "host/data/corpus.h"

#include "host/base/str.h"
#include "host/data/corpus_tokens.h"
#include "host/text/stages.h"

#include <stdlib.h>
#include <string.h>

static const char *const split_names[] = {TT_SPLIT_MAP(TT_WORD_TEXT)};

const char *tt_split_name(tt_split split) {
    return split_names[split];
}

tt_status tt_split_parse(tt_split *out, const char *name) {
    static const tt_words words = {
        .what = "split", .words = split_names, .n = TT_SPLITS, .error = TT_ERR_INPUT};
    int split;
    TT_TRY(tt_word_parse(&words, name, &split));
    *out = (tt_split)split;
    return TT_OK;
}

void tt_corpus_close(tt_corpus *corpus) {
    tt_corpus_tokens_close(corpus);
    free(corpus->questions);
    free(corpus->reasoning);
    free(corpus->latest);
    free(corpus->earlier);
    tt_arena_close(&corpus->memory);
    *corpus = (tt_corpus){0};
}

static bool is_blank(const char *text) {
    size_t n = text ? strlen(text) : 0;
    if (n) tt_trim(&text, &n);
    return n == 0;
}

static tt_status check_text(const char *id, const char *what, const char *text) {
    size_t bad = 0;
    if (is_blank(text)) return tt_fail(TT_ERR_INPUT, "question %s: %s is empty", id, what);
    if (!tt_utf8_valid(text, strlen(text), &bad))
        return tt_fail(TT_ERR_INPUT, "question %s: %s has invalid UTF-8 at byte %zu", id, what, bad);
    return TT_OK;
}

static tt_status check_question(const tt_question *q) {
    TT_TRY(check_text(q->id ? q->id : "?", "its id", q->id));
    TT_TRY(check_text(q->id, "its text", q->text));
    if (q->n_options < TT_MIN_OPTIONS || q->n_options > TT_MAX_OPTIONS)
        return tt_fail(TT_ERR_INPUT, "question %s: has %d options, allowed are %d to %d", q->id, q->n_options,
            TT_MIN_OPTIONS, TT_MAX_OPTIONS);
    for (int i = 0; i < q->n_options; ++i) {
        char what[32];
        snprintf(what, sizeof what, "option %c", 'A' + i);
        TT_TRY(check_text(q->id, what, q->options[i]));
    }
    if (q->gold < 0 || q->gold >= q->n_options)
        return tt_fail(
            TT_ERR_INPUT, "question %s: the gold answer is not among its %d options", q->id, q->n_options);
    return TT_OK;
}

static tt_status copy_text(tt_arena *memory, const char **out, const char *text) {
    *out = NULL;
    if (text && !(*out = tt_arena_strdup(memory, text))) return TT_ERR_NOMEM;
    return TT_OK;
}

static tt_status copy_texts(tt_arena *memory, const char *const **out, const char *const *texts, int n) {
    *out = NULL;
    if (!texts) return TT_OK;
    const char **copy = tt_arena_alloc(memory, (size_t)n * sizeof *copy);
    if (!copy) return TT_ERR_NOMEM;
    for (int i = 0; i < n; ++i) TT_TRY(copy_text(memory, &copy[i], texts[i]));
    *out = copy;
    return TT_OK;
}

tt_status tt_corpus_add_question(tt_corpus *corpus, const tt_question *question) {
    TT_TRY(check_question(question));
    TT_TRY(tt_grow(&corpus->questions, &corpus->questions_capacity, corpus->n_questions + 1, sizeof *question,
        "questions"));
    TT_TRY(tt_grow(&corpus->latest, &corpus->latest_capacity, corpus->n_questions + 1, sizeof *corpus->latest,
        "questions"));
    tt_question *q = &corpus->questions[corpus->n_questions];
    *q = *question;
    q->taught = q->gold;
    corpus->latest[corpus->n_questions] = -1;
    TT_TRY(copy_text(&corpus->memory, &q->id, question->id));
    TT_TRY(copy_text(&corpus->memory, &q->text, question->text));
    TT_TRY(copy_text(&corpus->memory, &q->place, question->place));
    TT_TRY(copy_texts(&corpus->memory, &q->options, question->options, question->n_options));
    corpus->n_questions++;
    return TT_OK;
}

int tt_right_answer(const tt_question *question) {
    return question->split == TT_TRAIN ? question->taught : question->gold;
}

bool tt_reasoning_agrees(const tt_corpus *corpus, const tt_reasoning *reasoning) {
    return reasoning->answer == tt_right_answer(&corpus->questions[reasoning->question]);
}

// The answer of most reasonings of a question; of several such answers gold, else the one seen first.
static int majority_answer(const tt_corpus *corpus, int question) {
    const tt_question *q = &corpus->questions[question];
    int votes[TT_MAX_OPTIONS] = {0}, first[TT_MAX_OPTIONS] = {0}, best = q->gold;
    for (int r = corpus->latest[question]; r >= 0; r = corpus->earlier[r]) {
        votes[corpus->reasoning[r].answer]++;
        first[corpus->reasoning[r].answer] = r;
    }
    for (int o = 0; o < q->n_options; ++o)
        if (votes[o] > votes[best] || (votes[o] == votes[best] && best != q->gold && first[o] < first[best]))
            best = o;
    return best;
}

// Knowledge is trimmed and closed.
static tt_status copy_knowledge(tt_arena *memory, const char **out, const char *text) {
    tt_str knowledge = {0};
    tt_str_append(&knowledge, text);
    tt_stage_close_knowledge(&knowledge);
    tt_status status = tt_str_status(&knowledge);
    if (status == TT_OK) status = copy_text(memory, out, tt_str_text(&knowledge));
    tt_str_close(&knowledge);
    return status;
}

static tt_status copy_all_knowledge(tt_arena *memory, tt_reasoning *r, int n_options) {
    if (r->general) TT_TRY(copy_knowledge(memory, &r->general, r->general));
    if (!r->specific) return TT_OK;
    const char **copy = tt_arena_alloc(memory, (size_t)n_options * sizeof *copy);
    if (!copy) return TT_ERR_NOMEM;
    for (int i = 0; i < n_options; ++i) TT_TRY(copy_knowledge(memory, &copy[i], r->specific[i]));
    r->specific = copy;
    return TT_OK;
}

tt_status tt_corpus_add_reasoning(tt_corpus *corpus, const tt_reasoning *reasoning) {
    if (reasoning->question < 0 || (size_t)reasoning->question >= corpus->n_questions)
        return tt_fail(TT_ERR_INPUT, "reasoning names question %d; the corpus has %zu", reasoning->question,
            corpus->n_questions);
    const tt_question *q = &corpus->questions[reasoning->question];
    if (reasoning->answer < 0 || reasoning->answer >= q->n_options)
        return tt_fail(TT_ERR_INPUT, "question %s: the teacher's answer is not among its %d options", q->id,
            q->n_options);
    if (reasoning->general) TT_TRY(check_text(q->id, "general knowledge", reasoning->general));
    for (int i = 0; reasoning->specific && i < q->n_options; ++i)
        TT_TRY(check_text(q->id, "specific knowledge", reasoning->specific[i]));
    TT_TRY(tt_grow(&corpus->reasoning, &corpus->reasoning_capacity, corpus->n_reasoning + 1,
        sizeof *reasoning, "reasoning"));
    TT_TRY(tt_grow(&corpus->earlier, &corpus->earlier_capacity, corpus->n_reasoning + 1,
        sizeof *corpus->earlier, "reasoning"));
    tt_reasoning *r = &corpus->reasoning[corpus->n_reasoning];
    *r = *reasoning;
    TT_TRY(copy_text(&corpus->memory, &r->source, reasoning->source ? reasoning->source : ""));
    TT_TRY(copy_all_knowledge(&corpus->memory, r, q->n_options));
    corpus->earlier[corpus->n_reasoning] = corpus->latest[r->question];
    corpus->latest[r->question] = (int)corpus->n_reasoning++;
    corpus->questions[r->question].taught = majority_answer(corpus, r->question);
    return TT_OK;
}

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_reasoning(const tt_reasoning *a, const tt_reasoning *b, int n_options) {
    if (a->answer != b->answer || !same_text(a->general, b->general) || !a->specific != !b->specific)
        return false;
    for (int o = 0; a->specific && o < n_options; ++o)
        if (strcmp(a->specific[o], b->specific[o]) != 0) return false;
    return true;
}

bool tt_reasoning_repeats(const tt_corpus *corpus, size_t index) {
    const tt_reasoning *reasoning = &corpus->reasoning[index];
    const int n_options = corpus->questions[reasoning->question].n_options;
    for (int r = corpus->earlier[index]; r >= 0; r = corpus->earlier[r])
        if (same_reasoning(&corpus->reasoning[r], reasoning, n_options)) return true;
    return false;
}

tt_status tt_corpus_add_new_reasoning(tt_corpus *corpus, const tt_reasoning *reasoning, bool *added) {
    const int question = reasoning->question;
    TT_TRY(tt_corpus_add_reasoning(corpus, reasoning)); // its texts are compared as the corpus stores them
    *added = !tt_reasoning_repeats(corpus, corpus->n_reasoning - 1);
    if (*added) return TT_OK;
    corpus->latest[question] = corpus->earlier[--corpus->n_reasoning];
    corpus->questions[question].taught = majority_answer(corpus, question);
    return TT_OK;
}

tt_status tt_corpus_group_reasoning(tt_corpus *corpus) {
    tt_reasoning *grouped;
    TT_TRY(tt_alloc(&grouped, corpus->n_reasoning, sizeof *grouped, "reasoning"));
    size_t end = corpus->n_reasoning;
    for (size_t i = corpus->n_questions; i-- > 0;) { // each list runs from the latest to the earliest
        for (int r = corpus->latest[i]; r >= 0; r = corpus->earlier[r]) grouped[--end] = corpus->reasoning[r];
        corpus->latest[i] = -1;
    }
    for (size_t i = 0; i < corpus->n_reasoning; ++i) {
        int *latest = &corpus->latest[grouped[i].question];
        corpus->reasoning[i] = grouped[i];
        corpus->earlier[i] = *latest;
        *latest = (int)i;
    }
    free(grouped);
    tt_corpus_tokens_close(corpus);
    return TT_OK;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static tt_status fail_twice(const tt_corpus *corpus, const char *id) {
    size_t first = 0, second;
    while (strcmp(corpus->questions[first].id, id) != 0) ++first;
    for (second = first + 1; strcmp(corpus->questions[second].id, id) != 0;) ++second;
    const char *one = corpus->questions[first].place, *other = corpus->questions[second].place;
    if (!one || !other)
        return tt_fail(TT_ERR_INPUT,
            "questions %zu and %zu have the same id '%s'; each question needs an id of its own", first + 1,
            second + 1, id);
    if (strcmp(one, other) == 0)
        return tt_fail(TT_ERR_INPUT,
            "%s: question id '%s' was read twice from here; name the file once on the command line", one, id);
    return tt_fail(TT_ERR_INPUT,
        "%s: question id '%s' occurs already at %s; each question needs an id of its own", other, id, one);
}

tt_status tt_corpus_check(const tt_corpus *corpus) {
    if (corpus->n_questions == 0) return tt_fail(TT_ERR_INPUT, "the corpus has no questions");
    const char **ids;
    TT_TRY(tt_alloc(&ids, corpus->n_questions, sizeof *ids, "ids"));
    for (size_t i = 0; i < corpus->n_questions; ++i) ids[i] = corpus->questions[i].id;
    qsort(ids, corpus->n_questions, sizeof *ids, by_text);
    tt_status status = TT_OK;
    for (size_t i = 1; i < corpus->n_questions && status == TT_OK; ++i)
        if (strcmp(ids[i - 1], ids[i]) == 0) status = fail_twice(corpus, ids[i]);
    free(ids);
    return status;
}

int tt_corpus_reasonings(const tt_corpus *corpus, int question, int *out) {
    int n = 0;
    for (int r = corpus->latest[question]; r >= 0; r = corpus->earlier[r])
        n += tt_reasoning_agrees(corpus, &corpus->reasoning[r]);
    int place = n; // the list runs from the latest to the earliest
    for (int r = corpus->latest[question]; out && r >= 0; r = corpus->earlier[r])
        if (tt_reasoning_agrees(corpus, &corpus->reasoning[r])) out[--place] = r;
    return n;
}

tt_teacher_counts tt_corpus_count_teacher(const tt_corpus *corpus) {
    tt_teacher_counts counts = {0};
    for (size_t i = 0; i < corpus->n_questions; ++i) {
        const tt_question *q = &corpus->questions[i];
        if (q->split != TT_TRAIN || corpus->latest[i] < 0) continue;
        counts.questions++;
        counts.differing += tt_right_answer(q) != q->gold;
        for (int r = corpus->latest[i]; r >= 0; r = corpus->earlier[r])
            counts.left_out += !tt_reasoning_agrees(corpus, &corpus->reasoning[r]);
    }
    return counts;
}
