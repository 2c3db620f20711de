// The chain: what each stage reads, what runs share, that company changes nothing. The student has random
// weights; what it writes is noise, but the next stage must read exactly that noise, in the exact format.
#include "host/reason/chain.h"
#include "kernels/ops.h"
#include "tests/expect.h"
#include "tests/unit/tiny_student.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 10, INPUT = 400, QUESTIONS = 3 };

static tt_device *device;
static tt_model *model;
static tt_tokenizer *tokenizer;
static tt_engine *engine;

static const char *const colours[] = {"red", "blue", "green"};
static const char *const rooms[] = {"kitchen", "cellar"};
static const tt_question questions[QUESTIONS] = {
    {.id = "q1", .text = "What colour is the sea?", .options = (const char **)colours, .n_options = 3},
    {.id = "q2", .text = "Where do we cook?", .options = (const char **)rooms, .n_options = 2},
    {.id = "q3", .text = "What colour is grass?", .options = (const char **)colours, .n_options = 3}};
static const tt_question *const all[QUESTIONS] = {&questions[0], &questions[1], &questions[2]};

static int open_student(void **state) {
    (void)state;
    static const char *const texts[] = {"What colour is the sea? (A) red (B) blue (C) green",
        "Where do we cook? (A) kitchen (B) cellar", "What colour is grass? red blue green kitchen cellar",
        "Recall: Analyze: For option A, For option B, For option C, Summarize: So the answer is option A."};
    tiny_student tiny;
    tiny_student_open(&tiny, "test_chain.model", texts, 4, 50, 4);
    tokenizer = tiny.tokenizer;
    model = tiny.model;
    device = tiny.device;
    OK(tt_engine_open(&engine, model, 7, LENGTH));
    return 0;
}

static int close_student(void **state) {
    (void)state;
    tt_engine_close(engine);
    tt_model_close(model);
    tt_device_close(device);
    tt_tokenizer_close(tokenizer);
    return 0;
}

static tt_chain_options options_of(tt_stage_set set, int samples) {
    return (tt_chain_options){.tokenizer = tokenizer,
        .set = set,
        .samples = samples,
        .sampled = {[TT_RECALL] = true, [TT_ANALYZE] = true},
        .max_input = INPUT,
        .decoding = {.temperature = 1, .top_p = 1, .max_length = LENGTH, .seed = 9}};
}

static tt_status keep(void *context, int prompt, int sample, const int32_t *ids, int n) {
    assert_int_equal(prompt, 0);
    assert_int_equal(sample, 0);
    return tt_tokenizer_decode(tokenizer, ids, n, context);
}

// What the student greedily writes to this input; released with free().
static char *write_to(const char *input) {
    tt_ids ids = {0};
    static const int32_t sample = 0;
    tt_prompt prompt = {.samples = &sample, .n_samples = 1};
    OK(tt_tokenizer_encode(tokenizer, input, true, &ids));
    prompt.ids = ids.items;
    prompt.n = ids.n;
    char *text = NULL;
    const tt_decoding greedy = {.top_p = 1, .max_length = LENGTH};
    OK(tt_engine_generate(engine, &(tt_generation){&prompt, 1, &greedy, keep, &text}));
    free(ids.items);
    return text;
}

static void check_text(const char *input, const char *written, bool knowledge) {
    char *text = write_to(input), expected[256];
    const size_t n = strlen(text);
    const bool closed = n && (text[n - 1] == '.' || text[n - 1] == '"' || text[n - 1] == '\'');
    snprintf(expected, sizeof expected, "%s%s", text, knowledge && !closed ? "." : "");
    assert_string_equal(written, expected);
    free(text);
}

// The first question's greedy run, its inputs spelled out.
static void check_run(const tt_chain_run *r, bool recall, bool analyze) {
    static const char block[] = "What colour is the sea?\n(A) red (B) blue (C) green";
    char general[300] = "", input[1200];
    assert_true((r->general != NULL) == recall);
    assert_true((r->specific != NULL) == analyze);
    if (recall) {
        snprintf(input, sizeof input, "%s\nRecall:", block);
        check_text(input, r->general, true);
        snprintf(general, sizeof general, "\nRecall: %s", r->general);
    }
    for (int o = 0; analyze && o < 3; ++o) {
        snprintf(input, sizeof input, "%s%s\nAnalyze: For option %c,", block, general, "ABC"[o]);
        check_text(input, r->specific[o], true);
    }
    if (analyze)
        snprintf(input, sizeof input,
            "%s%s\nAnalyze: For option A, %s For option B, %s For option C, %s\nSummarize:", block, general,
            r->specific[0], r->specific[1], r->specific[2]);
    else
        snprintf(input, sizeof input, "%s%s\nSummarize:", block, general);
    check_text(input, r->summary, false);
}

static void stages_read_what_was_written(void **state) {
    (void)state;
    for (int set = TT_SET_ALL; set <= TT_SET_SUMMARIZE_ONLY; ++set) {
        const bool recall = set == TT_SET_ALL || set == TT_SET_NO_ANALYZE;
        const bool analyze = set == TT_SET_ALL || set == TT_SET_NO_RECALL;
        const tt_chain_options options = options_of((tt_stage_set)set, 0);
        tt_chain chain;
        OK(tt_chain_generate(&chain, engine, all, QUESTIONS, &options));
        assert_int_equal(chain.runs_each, 1);
        assert_int_equal(chain.counts[TT_RECALL].texts, recall ? 3 : 0);
        assert_int_equal(chain.counts[TT_ANALYZE].texts, analyze ? 3 + 2 + 3 : 0);
        assert_int_equal(chain.counts[TT_SUMMARIZE].texts, 3);
        check_run(&chain.runs[0], recall, analyze);
        tt_chain_close(&chain);
    }
}

static bool same_analyses(const tt_chain_run *a, const tt_chain_run *b, int n) {
    for (int o = 0; o < n; ++o)
        if (strcmp(a->specific[o], b->specific[o]) != 0) return false;
    return true;
}

// Sampled runs differ; runs that come to the same knowledge share one summary; a question's texts are the
// same whether it is asked alone or with others, and whether ten runs are wanted or three.
static void sampled_runs(void **state) {
    (void)state;
    enum { RUNS = 10 };
    tt_chain many, alone;
    tt_chain_options options = options_of(TT_SET_ALL, RUNS);
    OK(tt_chain_generate(&many, engine, all, QUESTIONS, &options));
    options.samples = 3;
    OK(tt_chain_generate(&alone, engine, all + 2, 1, &options));
    assert_int_equal(many.runs_each, RUNS);
    assert_int_equal(many.counts[TT_RECALL].texts, QUESTIONS * RUNS);
    assert_int_equal(many.counts[TT_ANALYZE].texts, RUNS * (3 + 2 + 3));
    int differing = 0;
    for (int q = 0; q < QUESTIONS; ++q)
        for (int r = 1; r < RUNS; ++r)
            differing += strcmp(many.runs[q * RUNS].general, many.runs[q * RUNS + r].general) != 0;
    assert_true(differing > QUESTIONS * RUNS / 2);
    for (int r = 0; r < 3; ++r) {
        const tt_chain_run *a = &many.runs[2 * RUNS + r], *b = &alone.runs[r];
        assert_string_equal(a->general, b->general);
        assert_true(same_analyses(a, b, 3));
        assert_string_equal(a->summary, b->summary);
        assert_int_equal(a->answer, b->answer);
    }
    tt_chain_close(&alone);
    tt_chain_close(&many);
}

// Prompts that the encoder, of one layer, reads: sequences that attend to both sides.
static const tt_ops *plain_ops;
static int encoded;
static tt_status count_prompts(tt_device *on, const tt_attention *attention) {
    encoded += attention->q_seqs;
    return plain_ops->attention_fwd(on, attention);
}

// With the likeliest token alone to draw from all runs agree: one summary per question serves them all.
static void equal_runs_share(void **state) {
    (void)state;
    tt_chain_options options = options_of(TT_SET_ALL, 4);
    options.decoding.top_k = 1;
    tt_chain chain;
    tt_engine *wide; // of 32 slots four may wait, so that a question's samples start together
    OK(tt_engine_open(&wide, model, 32, LENGTH));
    plain_ops = device->ops;
    tt_ops counting = *plain_ops;
    counting.attention_fwd = count_prompts;
    device->ops = &counting;
    encoded = 0;
    OK(tt_chain_generate(&chain, wide, all, QUESTIONS, &options));
    device->ops = plain_ops;
    assert_int_equal(encoded, 3 + (3 + 2 + 3) + 3);
    assert_int_equal(chain.prompts, encoded);
    assert_int_equal(chain.counts[TT_RECALL].asked, 3 * 4);
    assert_int_equal(chain.counts[TT_ANALYZE].asked, (3 + 2 + 3) * 4);
    assert_int_equal(chain.counts[TT_SUMMARIZE].asked, 3 * 4);
    assert_int_equal(chain.counts[TT_RECALL].texts, 3 * 4); // drawn, one by one
    assert_int_equal(chain.counts[TT_ANALYZE].texts, (3 + 2 + 3) * 4);
    assert_int_equal(chain.counts[TT_SUMMARIZE].texts, QUESTIONS);
    // Three of four samples go with the first; summaries are not samples.
    const int64_t summary_tokens =
        chain.counts[TT_SUMMARIZE].tokens + QUESTIONS - chain.counts[TT_SUMMARIZE].unended;
    assert_int_equal(4 * tt_engine_shared(wide), 3 * (tt_engine_tokens(wide) - summary_tokens));
    for (int q = 0; q < QUESTIONS; ++q)
        for (int r = 1; r < 4; ++r)
            assert_ptr_equal(chain.runs[q * 4].summary, chain.runs[q * 4 + r].summary);
    tt_chain_close(&chain);
    tt_engine_close(wide);
}

static void long_prompts_are_cut_and_counted(void **state) {
    (void)state;
    tt_chain_options options = options_of(TT_SET_SUMMARIZE_ONLY, 0);
    options.max_input = 5;
    tt_chain chain;
    OK(tt_chain_generate(&chain, engine, all, QUESTIONS, &options));
    assert_int_equal(chain.cut, QUESTIONS);
    assert_int_equal(chain.prompts, QUESTIONS);
    tt_chain_close(&chain);
}

typedef struct seen {
    char last[256]; // the text so far
    int order[16], n, growing;
} seen;

static tt_status look(void *context, const tt_chain_text *text) {
    seen *s = context;
    const int place = (int)text->stage * 10 + text->option;
    assert_int_equal(text->question, 0);
    if (s->last[0]) assert_int_equal(strncmp(text->text, s->last, strlen(s->last)), 0);
    snprintf(s->last, sizeof s->last, "%s", text->ended ? "" : text->text);
    if (text->ended) s->order[s->n++] = place;
    s->growing += !text->ended;
    return TT_OK;
}

// On one slot texts come in reading order, each growing at its end.
static void watched_texts_grow_in_order(void **state) {
    (void)state;
    tt_engine *single;
    tt_chain chain;
    seen s = {0};
    OK(tt_engine_open(&single, model, 1, LENGTH));
    tt_chain_options options = options_of(TT_SET_ALL, 0);
    options.watch = look;
    options.watch_context = &s;
    OK(tt_chain_generate(&chain, single, all, 1, &options));
    static const int order[] = {0, 10, 11, 12, 20};
    assert_int_equal(s.n, 5);
    assert_memory_equal(s.order, order, sizeof order);
    assert_true(s.growing >= 5);
    tt_chain_close(&chain);
    tt_engine_close(single);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_read_what_was_written),
        cmocka_unit_test(sampled_runs),
        cmocka_unit_test(equal_runs_share),
        cmocka_unit_test(long_prompts_are_cut_and_counted),
        cmocka_unit_test(watched_texts_grow_in_order),
    };
    return cmocka_run_group_tests(tests, open_student, close_student);
}
