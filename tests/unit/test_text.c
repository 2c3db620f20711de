// Stage texts, exactly; the tokenizer as T5 has it.
#include "host/base/fs.h"
#include "host/text/stages.h"
#include "host/text/tokenizer.h"
#include "tests/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void formats_are_exact(void **state) {
    (void)state;
    const char *options[] = {"yes", "no"}, *specific[] = {"It floats.", "It sinks."};
    tt_str block = {0}, s = {0};
    tt_stage_block(&block, "Does oil float?", options, 2);
    assert_string_equal(block.data, "Does oil float?\n(A) yes (B) no");
    tt_stage_recall_input(&s, block.data);
    assert_string_equal(s.data, "Does oil float?\n(A) yes (B) no\nRecall:");
    tt_str_clear(&s);
    tt_stage_analyze_input(&s, "B", "Oil is light.", 1);
    assert_string_equal(s.data, "B\nRecall: Oil is light.\nAnalyze: For option B,");
    tt_str_clear(&s);
    tt_stage_analyze_input(&s, "B", NULL, 0);
    assert_string_equal(s.data, "B\nAnalyze: For option A,");
    tt_str_clear(&s);
    tt_stage_summarize_input(&s, "B", "Oil is light.", specific, 2);
    assert_string_equal(s.data,
        "B\nRecall: Oil is light.\nAnalyze: For option A, It floats. For option B, It sinks.\nSummarize:");
    tt_str_clear(&s);
    tt_stage_summarize_input(&s, "B", "G.", NULL, 2);
    assert_string_equal(s.data, "B\nRecall: G.\nSummarize:");
    tt_str_clear(&s);
    tt_stage_summarize_input(&s, "B", NULL, specific, 2);
    assert_string_equal(s.data, "B\nAnalyze: For option A, It floats. For option B, It sinks.\nSummarize:");
    tt_str_clear(&s);
    tt_stage_summarize_input(&s, "B", NULL, NULL, 2);
    assert_string_equal(s.data, "B\nSummarize:");
    tt_str_clear(&s);
    tt_stage_answer(&s, 4);
    assert_string_equal(s.data, "So the answer is option E.");
    tt_str_close(&block);
    tt_str_close(&s);
}

static void answers_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int answer;
    } cases[] = {{"So the answer is option C.", 2}, {"the answer is option A. the answer is option B.", 0},
        {"the answer is option c.", TT_NO_ANSWER}, {"the answer is option C", TT_NO_ANSWER},
        {"", TT_NO_ANSWER}, {"the answer is option 3. No, the answer is option Z.", 25},
        {"The answer is option A.", TT_NO_ANSWER}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        assert_int_equal(tt_stage_read_answer(cases[i].text), cases[i].answer);
}

static void knowledge_is_trimmed_and_closed(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"It floats", "It floats."}, {"It floats.", "It floats."},
        {"he said \"go\"", "he said \"go\""}, {"the cats'", "the cats'"}, {"why?", "why?."}, {"", "."},
        {"A button is 1 cm wide. ", "A button is 1 cm wide."}, {" \t\nIt floats\r\n", "It floats."},
        {"he said \"go.\" ", "he said \"go.\""}, {"etc...", "etc..."}, {"Yes! ", "Yes!."},
        {"\xc2\xa0It sinks.\xe2\x80\x83\xe3\x80\x80", "It sinks."}, // no-break, em and ideographic spaces
        {"\xc3\xa0 la carte", "\xc3\xa0 la carte."}, {" ", "."}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_str s = {0};
        tt_str_append(&s, cases[i][0]);
        tt_stage_close_knowledge(&s);
        assert_string_equal(s.data, cases[i][1]);
        tt_str_close(&s);
    }
}

static void sets_and_stages(void **state) {
    (void)state;
    tt_stage_set set;
    for (int i = 0; i < 6; ++i) {
        OK(tt_stage_set_parse(&set, tt_stage_set_name((tt_stage_set)i)));
        assert_int_equal(set, i);
        assert_true(tt_stage_set_has(set, TT_SUMMARIZE));
    }
    assert_false(tt_stage_set_has(TT_SET_NO_RECALL, TT_RECALL));
    assert_true(tt_stage_set_has(TT_SET_NO_RECALL, TT_ANALYZE));
    assert_false(tt_stage_set_has(TT_SET_NO_ANALYZE, TT_ANALYZE));
    assert_int_equal(tt_stage_set_parse(&set, "none"), TT_ERR_CONFIG);
    for (int s = TT_RECALL; s <= TT_ANALYZE; ++s) { // baselines answer in one generation
        assert_false(tt_stage_set_has(TT_SET_CHAIN_OF_THOUGHT, (tt_stage)s));
        assert_false(tt_stage_set_has(TT_SET_STEP_BY_STEP, (tt_stage)s));
        assert_true(tt_stage_set_trains(TT_SET_STEP_BY_STEP, (tt_stage)s) == (s == TT_RECALL));
    }
}

static void texts_of_the_baselines(void **state) {
    (void)state;
    static const char *const specific[] = {"a fits.", "b does not."};
    tt_str text = {0};
    tt_stage_single_input(&text, TT_SET_CHAIN_OF_THOUGHT, "Q?\n(A) a (B) b");
    assert_string_equal(text.data, "Q?\n(A) a (B) b\nReason:");
    tt_str_clear(&text);
    tt_stage_single_input(&text, TT_SET_STEP_BY_STEP, "Q?\n(A) a (B) b");
    assert_string_equal(text.data, "[label] Q?\n(A) a (B) b");
    tt_str_clear(&text);
    tt_stage_rationale_input(&text, "Q?\n(A) a (B) b");
    assert_string_equal(text.data, "[rationale] Q?\n(A) a (B) b");
    tt_str_clear(&text);
    tt_stage_rationale(&text, "G.", specific, 2);
    assert_string_equal(text.data, "G. For option A, a fits. For option B, b does not.");
    tt_str_clear(&text);
    tt_stage_rationale(&text, NULL, specific, 2);
    assert_string_equal(text.data, "For option A, a fits. For option B, b does not.");
    tt_str_close(&text);
}

static const char *const texts[] = {"the hammer is made of steel, which is hard.", "a cup (A) holds water.",
    "is the steel hammer hard? the water is not.", "water hammer cup steel hard holds"};

static tt_tokenizer *train(const char *path) {
    const char *symbols[] = {"(A)"};
    const tt_tokenizer_training how = {
        .pieces = 33, .symbols = symbols, .n_symbols = 1, .split_punctuation = true};
    tt_tokenizer *t;
    OK(tt_tokenizer_train(texts, 4, &how, path));
    OK(tt_tokenizer_load(&t, path, 10));
    return t;
}

// *ids is valid until the next call.
static void encode(const tt_tokenizer *t, const char *text, int32_t **ids, int *n) {
    static tt_ids buffer;
    OK(tt_tokenizer_encode(t, text, true, &buffer));
    *ids = buffer.items;
    *n = buffer.n;
}

static void a_trained_tokenizer(void **state) {
    (void)state;
    tt_tokenizer *t = train("text_test.model"), *again = train("text_test2.model");
    assert_true(tt_tokenizer_hash(t) == tt_tokenizer_hash(again)); // training repeats
    assert_int_equal(tt_tokenizer_size(t), tt_tokenizer_pieces(t) + 10);
    int32_t *ids = NULL;
    int n;
    for (int i = 0; i < 4; ++i) {
        char *back;
        encode(t, texts[i], &ids, &n);
        assert_int_equal(ids[n - 1], TT_EOS);
        OK(tt_tokenizer_decode(t, ids, n, &back));
        assert_string_equal(back, texts[i]);
        free(back);
    }
    encode(t, "cup (A) hard.", &ids, &n);
    int whole = 0;
    for (int i = 0; i < n; ++i) whole += strstr(tt_tokenizer_piece(t, ids[i]), "(A)") != NULL;
    assert_int_equal(whole, 1);
    assert_string_equal(tt_tokenizer_piece(t, ids[n - 2]), "."); // never part of a word's piece
    // A newline is white space; sentinels count down from the top.
    int32_t line[64];
    int m;
    encode(t, "the cup", &ids, &m);
    memcpy(line, ids, (size_t)m * sizeof *ids);
    encode(t, "the\ncup", &ids, &n);
    assert_int_equal(n, m);
    assert_memory_equal(line, ids, (size_t)n * sizeof *ids);
    encode(t, "a <extra_id_0> cup <extra_id_9> <extra_id_10>", &ids, &n);
    int zero = 0, nine = 0;
    for (int i = 0; i < n; ++i) {
        zero += ids[i] == tt_tokenizer_size(t) - 1;
        nine += ids[i] == tt_tokenizer_size(t) - 10;
        assert_true(ids[i] < tt_tokenizer_size(t));
    }
    assert_int_equal(zero, 1);
    assert_int_equal(nine, 1);
    tt_ids none = {0};
    assert_int_equal(tt_tokenizer_encode(t, "bad \xff", true, &none), TT_ERR_INPUT);
    encode(t, "", &ids, &n);
    assert_int_equal(n, 1);
    tt_tokenizer_close(t);
    tt_tokenizer_close(again);
}

static void foreign_models_are_refused(void **state) {
    (void)state;
    tt_tokenizer *t;
    assert_int_equal(tt_tokenizer_parse(&t, "hello", 5, 100), TT_ERR_FORMAT);
    assert_int_equal(tt_tokenizer_load(&t, "no_such.model", 100), TT_ERR_IO);
    assert_non_null(strstr(tt_error_message(), "no_such.model"));
    // A trained model to which fields of a protocol buffer are appended, which changes what was said before.
    static const struct {
        const char *more;
        size_t n;
        const char *message;
    } table[] = {{"\x12\x02\x18\x02", 4, "of type BPE"}, {"\x12\x02\x18\x03", 4, "of type word"},
        {"\x12\x02\x18\x04", 4, "of type character"}, {"\x12\x02\x18\x09", 4, "of type unknown"},
        {"\x0a\x06\x0a\x01z\x1d\x00\x00", 8, "damaged"},
        {"\x0a\x08\x0a\x01z\x15\x00\x00\x80\x7f", 10, "has the score inf"},
        {"\x0a\x05\x0a\x01z\x18\x07", 7, "unknown type"},
        {"\x0a\x08\x0a\x01z\x1d\x00\x00\x80\x3f", 10, "unknown type"},
        {"\x0a\x05\x0a\x01z\x10\x01", 7, "expected its score as a 32-bit float"},
        {"\x0a\x05\x0a\x03"
         "a\0b",
            7, "is not UTF-8"},
        {"\x0a\x03\x0a\x01\xff", 5, "is not UTF-8"},
        {"\x1a\x06\x12\x04\xff\xff\x00\x00", 8, "precompiled_charsmap"},
        {"\x1a\x0a\x12\x08\x04\x00\x00\x00\x00\x04\x00\x00", 12, "leads out of the table"}};
    static const char *const some[] = {"the cat sat on the mat", "the dog sat on the log", "a cat and a dog"};
    const tt_tokenizer_training how = {.pieces = 20};
    char *bytes, *changed;
    size_t n;
    OK(tt_tokenizer_train(some, 3, &how, "foreign.model"));
    OK(tt_read_file("foreign.model", 0, &bytes, &n));
    changed = malloc(n + 16);
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        memcpy(changed, bytes, n);
        memcpy(changed + n, table[i].more, table[i].n);
        if (tt_tokenizer_parse(&t, changed, n + table[i].n, 0) == TT_OK)
            fail_msg("read: %s", table[i].message);
        if (!strstr(tt_error_message(), table[i].message))
            fail_msg("said %s, expected %s", tt_error_message(), table[i].message);
    }
    // Damaged: refused or read, never a crash. What the library says goes to standard error.
    for (unsigned i = 0; i < 120; ++i) {
        tt_ids ids = {0};
        memcpy(changed, bytes, n);
        const size_t at = i * 2654435761u % n;
        changed[at] = (char)(changed[at] ^ 1 << i % 8);
        if (tt_tokenizer_parse(&t, changed, i % 4 ? n : at, 4) != TT_OK) continue;
        if (tt_tokenizer_encode(t, "the cat \xef\xbc\xa1 \xc2\xbd", true, &ids) != TT_OK)
            assert_true(*tt_error_message());
        free(ids.items);
        tt_tokenizer_close(t);
    }
    free(bytes);
    free(changed);
    unlink("foreign.model");
}

// Ids and texts from T5Tokenizer(legacy=True) of transformers 4.37.2 with 100 sentinels, texts decoded with
// skip_special_tokens. Ids end with TT_EOS, 0.
static const struct {
    const char *text;
    int32_t ids[20];
    const char *back;
} golden[] = {
    {"", {1}, ""},
    {" \n\t", {1}, ""},
    {"Question?\n(A) yes (B) no\nRecall:",
        {2296, 104, 16, 252, 14, 34, 68, 16, 395, 14, 102, 8570, 2587, 39, 1},
        "Question? (A) yes (B) no Recall:"},
    {"x<extra_id_3>y", {4443, 32096, 34, 1}, "x y"},
    {"a <extra_id_0> b <extra_id_99> c <extra_id_100> d",
        {10, 32099, 212, 32000, 226, 8, 2, 912, 1360, 1632, 959, 16673, 615, 2, 45, 1},
        "a b c extra_id_100 d"},
    {"<extra_id_01>", {8, 2, 912, 1360, 1632, 959, 1632, 914, 2, 1}, "extra_id_01"},
    {"<pad> x", {0, 4443, 1}, "x"},
    {"<unk>", {2, 1}, ""},
    {"ab</s>", {847, 1}, "ab"}, // no second one
    {"{braces} ~tilde`", {8, 2, 4387, 3358, 2, 8, 2, 51, 211, 153, 2, 1}, "braces tilde"},
    {"na\xc3\xafve caf\xc3\xa9 \xc2\xbd", {101, 2, 805, 1689, 277, 169, 83, 2, 459, 1},
        "nave caf\xc3\xa9 12"},
    {"a\xc2\xa0"
     "b",
        {10, 212, 1}, "a b"},
    {"it 's n't , . ? ! end", {214, 8, 9, 6, 171, 9, 51, 116, 351, 8385, 8, 524, 2353, 1}, "it'sn't,.?! end"},
    {"I do n't know , really .", {92, 207, 171, 9, 51, 3764, 116, 9948, 351, 1}, "I don't know, really."},
};

static void the_32000_pieces_of_t5(void **state) {
    (void)state;
    const char *path = TT_SOURCE_DIR "/../shared/data/tokenizer/t5_unigram_32000.model";
    FILE *there = fopen(path, "r");
    if (!there) {
        print_message("skipped: %s is not here\n", path);
        skip();
    }
    fclose(there);
    tt_tokenizer *t;
    OK(tt_tokenizer_load(&t, path, 100));
    assert_int_equal(tt_tokenizer_size(t), 32100);
    int32_t *ids = NULL, one[64];
    int n, m;
    encode(t, "Question?\n(A) yes (B) no\nRecall:", &ids, &m);
    memcpy(one, ids, (size_t)m * sizeof *ids);
    encode(t, "Question?  (A) yes (B) no Recall:", &ids, &n);
    assert_int_equal(n, m); // newlines and double spaces are white space alike
    assert_memory_equal(one, ids, (size_t)n * sizeof *ids);
    for (size_t i = 0; i < sizeof golden / sizeof *golden; ++i) {
        char *back;
        encode(t, golden[i].text, &ids, &n);
        for (m = 0; golden[i].ids[m] != TT_EOS || golden[i].ids[m + 1]; ++m)
            if (m >= n || ids[m] != golden[i].ids[m]) fail_msg("\"%s\": token %d differs", golden[i].text, m);
        assert_int_equal(n, m + 1);
        OK(tt_tokenizer_decode(t, ids, n, &back));
        assert_string_equal(back, golden[i].back);
        free(back);
    }
    tt_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_exact),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(knowledge_is_trimmed_and_closed),
        cmocka_unit_test(sets_and_stages),
        cmocka_unit_test(texts_of_the_baselines),
        cmocka_unit_test(a_trained_tokenizer),
        cmocka_unit_test(foreign_models_are_refused),
        cmocka_unit_test(the_32000_pieces_of_t5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
