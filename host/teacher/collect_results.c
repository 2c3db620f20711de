#include "host/base/memory.h"
#include "host/teacher/collection.h"
#include "host/teacher/outside.h"

#include <stdlib.h>
#include <string.h>

tt_status tt_collection_report_of(tt_collection *c, tt_collection_report *out) {
    *out = (tt_collection_report){.requests = c->requests,
        .failed = c->failed,
        .prompt_tokens = c->prompt_tokens,
        .completion_tokens = c->completion_tokens,
        .money = c->money,
        .out_of_budget = c->out_of_budget,
        .client = c->counts};
    for (int i = 0; i < c->n_items; ++i) {
        const tt_asked *a = &c->items[i];
        out->questions += i < c->n_asked || a->n > 0;
        out->answered += a->n > 0;
        out->with_reasoning += a->n_kept > 0;
        out->reasonings += a->n_kept;
        out->complete += a->n_kept == c->options.plan->n_augment;
        out->relabelled += a->n_kept > 0 && a->choices[a->kept[0]].answer != a->question->gold;
        out->choices += a->n;
        for (int k = 0; k < a->n; ++k) {
            const tt_verdict verdict = a->choices[k].verdict;
            out->verdicts[verdict]++;
            if (verdict != TT_CHOICE_KEPT && !out->examples[verdict]) out->examples[verdict] = a->texts[k];
        }
    }
    return TT_OK;
}

static tt_status add_kept(const tt_collection *c, const tt_asked *a, tt_corpus *out) {
    for (int k = 0; k < a->n_kept; ++k) {
        const tt_teacher_choice *choice = &a->choices[a->kept[k]];
        const tt_reasoning reasoning = {.question = a->index,
            .general = choice->general,
            .specific = (const char *const *)choice->specific,
            .answer = choice->answer,
            .source = c->options.plan->model};
        TT_TRY(tt_corpus_add_reasoning(out, &reasoning));
    }
    return TT_OK;
}

// The beginning of a text, cut between characters.
static json_t *excerpt_of(const char *text) {
    enum { LONGEST = 800 };
    size_t n = strlen(text);
    if (n <= LONGEST) return json_string(text);
    for (n = LONGEST; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;) --n;
    return json_stringn(text, n);
}

// What became of all answers, as JSON (data/provenance.h): the same after whatever faults and restarts.
static json_t *describe_counts(tt_collection *c) {
    tt_collection_report r;
    int64_t prompt = 0, written = 0;
    if (tt_collection_report_of(c, &r) != TT_OK) return NULL;
    for (int i = 0; i < c->n_items; ++i) {
        prompt += c->items[i].prompt_tokens;
        written += c->items[i].completion_tokens;
    }
    json_t *verdicts = json_object(), *examples = json_object();
    for (int v = 0; v < TT_VERDICTS; ++v) {
        const char *word = tt_verdict_word((tt_verdict)v);
        if (r.verdicts[v]) json_object_set_new(verdicts, word, json_integer((json_int_t)r.verdicts[v]));
        if (r.examples[v]) json_object_set_new(examples, word, excerpt_of(r.examples[v]));
    }
    json_t *counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "questions",
        (json_int_t)r.questions, "answered", (json_int_t)r.answered, "with_reasoning",
        (json_int_t)r.with_reasoning, "complete", (json_int_t)r.complete, "reasonings",
        (json_int_t)r.reasonings, "relabelled", (json_int_t)r.relabelled, "answers", (json_int_t)r.choices,
        "prompt_tokens", (json_int_t)prompt, "completion_tokens", (json_int_t)written, "verdicts", verdicts,
        "examples", examples);
    const tt_price *price = &c->options.price;
    if (counts && price->known) {
        json_object_set_new(counts, "cost", json_real(tt_price_of(price, prompt, written)));
        json_object_set_new(counts, "currency", json_string(price->currency));
    }
    return counts;
}

// The exemplars of the pool as requests show them, one text each.
static json_t *describe_examples(const tt_collection *c) {
    const tt_pool *pool = c->options.pool;
    json_t *list = json_array();
    for (int i = 0; i < pool->n; ++i) {
        tt_str text = {0};
        const tt_status status = tt_pool_example(pool, i, tt_collection_rules(c).json, &text);
        if (status == TT_OK) json_array_append_new(list, json_string(tt_str_text(&text)));
        tt_str_close(&text);
    }
    return list;
}

// What the endpoint did not take, though the plan says it.
static json_t *describe_without(const tt_collection *c) {
    const char *word, *meaning;
    tt_dialect told = {0};
    tt_str text = {0};
    while (tt_dialect_change(&told, &c->without, &word, &meaning)) {
        tt_str_format(&text, "%s%s: %s", text.length ? "; " : "", word, meaning);
        told.no_temperature = told.no_temperature || strcmp(word, "temperature") == 0;
        told.no_seed = told.no_seed || strcmp(word, "seed") == 0;
        told.no_schema = told.no_schema || strcmp(word, "response_format") == 0;
    }
    json_t *out = text.length ? json_string(tt_str_text(&text)) : NULL;
    tt_str_close(&text);
    return out;
}

// Where the reasoning comes from, as JSON.
static tt_status describe_source(tt_collection *c, tt_corpus *out) {
    json_t *teacher = tt_collection_identity(c);
    const char *before = c->options.questions->provenance;
    json_t *questions = before ? json_loads(before, JSON_DECODE_ANY, NULL) : NULL;
    if (teacher) {
        json_object_set_new(teacher, "url", json_string(tt_str_text(&c->address)));
        json_object_set_new(teacher, "pool", json_string(c->options.pool->name));
        json_object_set_new(teacher, "instruction",
            json_string(tt_collection_rules(c).json ? c->options.pool->json_instruction
                                                    : c->options.pool->instruction));
        json_object_set_new(teacher, "worked_examples", describe_examples(c));
        json_t *without = describe_without(c);
        if (without) json_object_set_new(teacher, "left_out", without);
        json_object_set_new(teacher, "counts", describe_counts(c));
    }
    json_t *object = json_pack("{s:o, s:o*}", "teacher", teacher, "questions", questions);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (text) out->provenance = tt_arena_strdup(&out->memory, text);
    free(text);
    return out->provenance ? TT_OK : tt_fail(TT_ERR_NOMEM, "out of memory for a corpus");
}

tt_status tt_collection_corpus(tt_collection *c, tt_corpus *out) {
    const tt_corpus *from = c->options.questions;
    for (size_t i = 0; i < from->n_questions; ++i) TT_TRY(tt_corpus_add_question(out, &from->questions[i]));
    for (int i = 0; i < c->n_items; ++i) TT_TRY(add_kept(c, &c->items[i], out));
    out->name = tt_arena_strdup(&out->memory, from->name ? from->name : "questions");
    if (!out->name) return TT_ERR_NOMEM;
    return describe_source(c, out);
}
