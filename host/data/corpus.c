// Questions and reasoning in memory: adding with checks, and printing for people.
#include "host/data/corpus.h"

#include "host/base/str.h"
#include "host/data/corpus_tokens.h"
#include "host/data/provenance.h"
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

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

tt_status tt_corpus_check(const tt_corpus *corpus) {
    if (corpus->n_questions == 0) return tt_fail(TT_ERR_INPUT, "the corpus has no questions");
    const char **ids;
    TT_TRY(tt_alloc(&ids, corpus->n_questions, sizeof *ids, "ids"));
    for (size_t i = 0; i < corpus->n_questions; ++i) ids[i] = corpus->questions[i].id;
    qsort(ids, corpus->n_questions, sizeof *ids, by_text);
    tt_status status = TT_OK;
    for (size_t i = 1; i < corpus->n_questions && status == TT_OK; ++i)
        if (strcmp(ids[i - 1], ids[i]) == 0)
            status = tt_fail(TT_ERR_INPUT, "question id '%s' occurs twice", ids[i]);
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

static void show_teacher(const tt_corpus *corpus, FILE *out) {
    const tt_teacher_counts t = tt_corpus_count_teacher(corpus);
    if (t.questions == 0) return;
    fprintf(out, "training questions that the teacher answered: %lld; ", (long long)t.questions);
    if (t.differing > 0)
        fprintf(out,
            "on %lld of them it differs from the data set's gold, and training takes its answer as right\n",
            (long long)t.differing);
    else
        fprintf(out, "it never differs from the data set's gold\n");
    if (t.left_out > 0)
        fprintf(out,
            "of its answers, %lld disagree with most of the others on their question: "
            "nothing is learned from them\n",
            (long long)t.left_out);
}

static void show_counts(const tt_corpus *corpus, FILE *out) {
    size_t questions[TT_SPLITS] = {0}, reasoning[TT_SPLITS] = {0}, general = 0, specific = 0;
    int fewest = TT_MAX_OPTIONS, most = 0;
    for (size_t i = 0; i < corpus->n_questions; ++i) {
        const tt_question *q = &corpus->questions[i];
        questions[q->split]++;
        if (q->n_options < fewest) fewest = q->n_options;
        if (q->n_options > most) most = q->n_options;
    }
    for (size_t i = 0; i < corpus->n_reasoning; ++i) {
        const tt_reasoning *r = &corpus->reasoning[i];
        reasoning[corpus->questions[r->question].split]++;
        general += r->general != NULL;
        specific += r->specific != NULL;
    }
    fprintf(out, "%-12s %10s %18s\n", "split", "questions", "teacher's answers");
    for (int s = 0; s < TT_SPLITS; ++s)
        if (questions[s]) fprintf(out, "%-12s %10zu %18zu\n", split_names[s], questions[s], reasoning[s]);
    fprintf(out, "options per question: %d to %d; answers with general knowledge: %zu, with specific: %zu\n",
        fewest, most, general, specific);
    show_teacher(corpus, out);
}

void tt_corpus_show(const tt_corpus *corpus, int examples, FILE *out) {
    fprintf(out, "corpus %s (hash %016llx)\n", corpus->name ? corpus->name : "?",
        (unsigned long long)corpus->hash);
    tt_provenance_show(corpus->provenance, out);
    show_counts(corpus, out);
    tt_corpus_tokens_show(corpus, out);
    for (size_t i = 0; i < corpus->n_questions && (int)i < examples; ++i) {
        const tt_question *q = &corpus->questions[i];
        fprintf(out, "\n%s (%s)\n  %s\n", q->id, split_names[q->split], q->text);
        for (int o = 0; o < q->n_options; ++o)
            fprintf(out, "  (%c) %s%s%s\n", 'A' + o, q->options[o], o == q->gold ? "   <- gold" : "",
                o == tt_right_answer(q) && o != q->gold ? "   <- the teacher's, right in training" : "");
        for (size_t k = 0; k < corpus->n_reasoning; ++k) {
            const tt_reasoning *r = &corpus->reasoning[k];
            if ((size_t)r->question != i) continue;
            if (r->general) fprintf(out, "  recall: %s\n", r->general);
            for (int o = 0; r->specific && o < q->n_options; ++o)
                fprintf(out, "  analyze %c: %s\n", 'A' + o, r->specific[o]);
        }
    }
}
