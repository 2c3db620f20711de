// A corpus printed for people.
#include "host/base/str.h"
#include "host/data/corpus.h"
#include "host/data/corpus_tokens.h"
#include "host/data/provenance.h"
#include "host/text/stages.h"

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
        if (questions[s])
            fprintf(out, "%-12s %10zu %18zu\n", tt_split_name((tt_split)s), questions[s], reasoning[s]);
    fprintf(out, "options per question: %d to %d; answers with general knowledge: %zu, with specific: %zu\n",
        fewest, most, general, specific);
    show_teacher(corpus, out);
}

// In one line, shortened.
static void append_id(tt_str *out, const char *id) {
    enum { MOST = 100 };
    const size_t n = tt_utf8_fit(id, MOST);
    for (size_t i = 0; i < n; ++i) tt_str_append_n(out, id[i] == '\n' || id[i] == '\t' ? " " : id + i, 1);
    if (id[n]) tt_str_append(out, "...");
}

static void append_question(tt_str *out, const tt_corpus *corpus, size_t i) {
    const tt_question *q = &corpus->questions[i];
    tt_str_append(out, "\n");
    append_id(out, q->id);
    tt_str_format(out, " (%s)\n  %s\n", tt_split_name(q->split), q->text);
    for (int o = 0; o < q->n_options; ++o)
        tt_str_format(out, "  (%c) %s%s%s\n", 'A' + o, q->options[o], o == q->gold ? "   <- gold" : "",
            o == tt_right_answer(q) && o != q->gold ? "   <- the teacher's, right in training" : "");
    for (size_t k = 0; k < corpus->n_reasoning; ++k) {
        const tt_reasoning *r = &corpus->reasoning[k];
        if ((size_t)r->question != i) continue;
        if (r->general) tt_str_format(out, "  recall: %s\n", r->general);
        for (int o = 0; r->specific && o < q->n_options; ++o)
            tt_str_format(out, "  analyze %c: %s\n", 'A' + o, r->specific[o]);
    }
}

void tt_corpus_show(const tt_corpus *corpus, int examples, FILE *out) {
    fprintf(out, "corpus %s (hash %016llx)\n", corpus->name ? corpus->name : "?",
        (unsigned long long)corpus->hash);
    tt_provenance_show(corpus->provenance, out);
    show_counts(corpus, out);
    tt_corpus_tokens_show(corpus, out);
    for (size_t i = 0; i < corpus->n_questions && (int)i < examples; ++i) {
        tt_str text = {0}, visible = {0};
        append_question(&text, corpus, i);
        tt_str_append_visible(&visible, tt_str_text(&text)); // a terminal obeys control characters
        fputs(tt_str_text(&visible), out);
        tt_str_close(&text);
        tt_str_close(&visible);
    }
}
