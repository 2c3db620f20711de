// Tokenizers of Hugging Face directories: added tokens, tokenizer.json. The expected ids are those of T5Tokenizer of
// transformers 4.57.6 (with tests/golden's model and 20 sentinels) and of `tokenizers` 0.23.3.
#include "golden.h"
#include "host/base/fs.h"
#include "host/model/huggingface/huggingface.h"

#include <dirent.h>
#include <jansson.h>
#include <unistd.h>

static const char directory[] = "imported_tokenizer";
static tt_device *device;

typedef struct example {
    const char *text;
    int32_t ids[16]; // up to </s>, which is 1
    int n;
    const char *back; // decoded
} example;

static void clear(void) {
    DIR *folder = opendir(directory);
    for (struct dirent *e; folder && (e = readdir(folder));)
        if (e->d_name[0] != '.') unlinkat(dirfd(folder), e->d_name, 0);
    if (folder) closedir(folder);
    rmdir(directory);
}

static void write_text(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    OK(tt_write_file(path, text, strlen(text)));
}

static void write_model(void) {
    tt_h5 h;
    size_t n;
    char path[256];
    golden_open(&h, "tokenizer");
    unsigned char *bytes = golden_read(&h, "model", H5T_NATIVE_UINT8, 1, &n);
    OK(tt_make_dirs(directory));
    snprintf(path, sizeof path, "%s/spiece.model", directory);
    OK(tt_write_file(path, bytes, n));
    free(bytes);
    tt_h5_close(&h);
}

static void expect_examples(const tt_tokenizer *t, const example *examples, size_t n) {
    tt_ids ids = {0};
    for (size_t i = 0; i < n; ++i) {
        char *back;
        OK(tt_tokenizer_encode(t, examples[i].text, true, &ids));
        if (ids.n != examples[i].n ||
            memcmp(ids.items, examples[i].ids, (size_t)ids.n * sizeof *ids.items) != 0) {
            for (int k = 0; k < ids.n; ++k) print_error("%d ", ids.items[k]);
            fail_msg("\"%s\": other ids", examples[i].text);
        }
        OK(tt_tokenizer_decode(t, ids.items, ids.n, &back));
        assert_string_equal(back, examples[i].back);
        free(back);
    }
    free(ids.items);
}

// The same tokenizer after it went through a checkpoint, and through an export and an import.
static void expect_kept(tt_tokenizer *t, const example *examples, size_t n) {
    tt_model_config c = tiny_1_0;
    tt_model *model;
    tt_checkpoint back;
    c.vocab_size = (tt_tokenizer_size(t) + 63) / 64 * 64;
    OK(tt_model_open(&model, &c, device));
    OK(tt_model_init(model, TT_INIT_T5, 3));
    OK(tt_checkpoint_save("tokenizer_test.h5", &(tt_checkpoint_write){.model = model, .tokenizer = t}));
    OK(tt_checkpoint_load(&back, "tokenizer_test.h5", device));
    assert_true(tt_tokenizer_hash(back.tokenizer) == tt_tokenizer_hash(t));
    expect_examples(back.tokenizer, examples, n);
    clear();
    OK(tt_huggingface_export(&back, directory, false, false));
    tt_checkpoint_close(&back);
    OK(tt_huggingface_import(&back, directory, false, device));
    assert_true(tt_tokenizer_hash(back.tokenizer) == tt_tokenizer_hash(t));
    assert_int_equal(tt_tokenizer_first_sentinel(back.tokenizer), tt_tokenizer_first_sentinel(t));
    assert_int_equal(tt_tokenizer_extra_ids(back.tokenizer), tt_tokenizer_extra_ids(t));
    expect_examples(back.tokenizer, examples, n);
    tt_checkpoint_close(&back);
    tt_model_close(model);
    unlink("tokenizer_test.h5");
    clear();
}

#define FLAGS(single, left, right, normalized, special)                                                      \
    "\"single_word\":" #single ",\"lstrip\":" #left ",\"rstrip\":" #right ",\"normalized\":" #normalized     \
    ",\"special\":" #special "}"
#define PLAIN FLAGS(false, false, false, true, false)

static const example added[] = {
    {"a\nb", {9, 1520, 100, 1}, 4, "a \n b"},
    {"{x}", {1521, 6, 180, 1522, 1}, 5, "{ x }"},
    {"cat concat cat", {1523, 333, 149, 247, 1523, 1}, 6, "cat concat cat"},
    {"the  lefty water", {10, 1524, 1525, 1}, 4, "the lefty water"},
    {"underwater <mine> rain", {542, 1525, 1526, 536, 1}, 5, "under water rain"},
    {"{cat", {6, 1521, 149, 247, 1}, 5, "{ cat"},
    {"a<extra_id_0>\n<extra_id_1>", {9, 1519, 1520, 1518, 1}, 5, "a \n"},
    {"\xef\xbc\xa3\xef\xbc\xa1\xef\xbc\xb4 {}", {79, 8, 1489, 1521, 1522, 1}, 6, "CAT { }"},
};
enum { ADDED = sizeof added / sizeof *added };

static void added_tokens_have_their_ids(void **state) {
    (void)state;
    tt_tokenizer *t;
    clear();
    write_model();
    write_text("tokenizer_config.json",
        "{\"extra_ids\":20,\"eos_token\":\"</s>\",\"model_max_length\":1000000000000000019884624838656,"
        "\"added_tokens_decoder\":{\"1519\":{\"content\":\"<extra_id_0>\"," FLAGS(
            false, false, false, false, true) ",\"1518\":{\"content\":\"<extra_id_1>\"," FLAGS(false, false,
            false, false, true) ","
                                "\"1520\":{\"content\":\"\\n\"," PLAIN ",\"1521\":{\"content\":\"{\"," PLAIN
                                ",\"1522\":{\"content\":\"}\"," PLAIN
                                ",\"1523\":{\"content\":\"cat\"," FLAGS(true, false, false, true, false) //
        ",\"1524\":{\"content\":\"lefty\"," FLAGS(false, true, false, true, false)                       //
        ",\"1525\":{\"content\":\"water\"," PLAIN ",\"1526\":{\"content\":\"<mine>\","                   //
        FLAGS(false, false, false, false, true) "}}");
    OK(tt_huggingface_tokenizer_read(&t, directory, 1536));
    assert_int_equal(tt_tokenizer_size(t), 1527);
    assert_int_equal(tt_tokenizer_first_sentinel(t), 1519);
    expect_examples(t, added, ADDED);
    expect_kept(t, added, ADDED);
    tt_tokenizer_close(t);
}

// added_tokens.json, and special tokens that no file gives an id: they get the next ones, in order.
static void tokens_of_older_directories(void **state) {
    (void)state;
    static const example examples[] = {
        {"a\nb", {9, 1520, 100, 1}, 4, "a \n b"},
        {"{x}<mine>", {1521, 6, 180, 1522, 1526, 1}, 6, "{ x }"},
        {"<sep>", {1525, 1}, 2, ""},
    };
    tt_tokenizer *t;
    clear();
    write_model();
    write_text("added_tokens.json", "{\"\\n\":1520,\"{\":1521,\"}\":1522,\"cat\":1523,\"water\":1524}");
    write_text("special_tokens_map.json",
        "{\"sep_token\":\"<sep>\",\"additional_special_tokens\":[{\"content\":\"<mine>\"}]}");
    write_text("tokenizer_config.json", "{\"extra_ids\":20}");
    OK(tt_huggingface_tokenizer_read(&t, directory, 1536));
    expect_examples(t, examples, 3);
    expect_kept(t, examples, 3);
    tt_tokenizer_close(t);
}

#define MODEL_HEAD                                                                                           \
    "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":0,\"content\":\"<pad>\"," FLAGS(                         \
        false, false, false, false, true) ",{\"id\":1,\"content\":\"</s>\"," FLAGS(false, false, false,      \
        false, true) ",{\"id\":2,\"content\":\"<unk>\"," FLAGS(false, false, false, false,                   \
        true) ",{\"id\":12,\"content\":\"<extra_id_1>\"," FLAGS(false, false, false, false,                  \
        true) ",{\"id\":13,\"content\":\"<extra_id_0>\"," FLAGS(false, false, false, false,                  \
        true) ",{\"id\":14,\"content\":\"{\"," FLAGS(false, false, false, false,                             \
        false) ",{\"id\":15,\"content\":\"cat\"," FLAGS(true, false, false, true,                            \
        false) ",{\"id\":16,\"content\":\"<sp>\"," FLAGS(false, true, true, false, true) "],"
#define METASPACE                                                                                            \
    "{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\",\"split\":true}"
static const char tokenizer_json[] = MODEL_HEAD
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Strip\",\"strip_left\":false,\"strip_"
    "right\":true},"
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"``\"},\"content\":\"a\"},"
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"\xe2\x96\x81\"}]},"
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"}," METASPACE
    "]},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":"
    "0}},"
    "{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}],\"special_tokens\":{\"</s>\":{\"id\":\"</"
    "s>\",\"ids\":[1]}}},"
    "\"decoder\":" METASPACE
    ",\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"<pad>\",0],[\"</s>\",0.0],"
    "[\"<unk>\",0.0],[\"\xe2\x96\x81\",-2.0],[\"a\",-3.0],[\"b\",-3.5],[\"\xe2\x96\x81"
    "a\",-2.5],[\"ab\",-4.0],"
    "[\"aa\",-5.0],[\"c\",-4.5],[\"\xe2\x96\x81\xe2\x96\x81\",-6.0],[\"ba\",-4.25],[\"<extra_id_1>\",0.0],"
    "[\"<extra_id_0>\",0.0]],\"byte_fallback\":false}}";

static const example fast[] = {
    {"", {1}, 1, ""},
    {"ab  ba", {3, 7, 3, 11, 1}, 5, "ab ba"},
    {"aaaaa", {6, 8, 8, 1}, 4, "aaaaa"},
    {"aababa", {6, 7, 7, 4, 1}, 5, "aababa"},
    {"x yz a", {3, 2, 3, 2, 6, 1}, 6, "a"},
    {"a<extra_id_0>b<extra_id_1>", {6, 13, 3, 5, 12, 1}, 6, "a b"},
    {"a{b", {6, 14, 3, 5, 1}, 5, "a{ b"},
    {"cat cats a cat", {15, 3, 9, 4, 2, 6, 15, 1}, 8, "cat ca acat"},
    {"concat cat", {3, 9, 2, 9, 4, 2, 15, 1}, 8, "ccacat"},
    {"``b", {3, 7, 1}, 3, "ab"},
    {"a <sp> b", {6, 16, 3, 5, 1}, 5, "a b"},
    {"a</s>", {6, 1, 1}, 3, "a"},
    {"\xe2\x96\x81"
     "a\xe2\x96\x81\xe2\x96\x81"
     "b ",
        {6, 3, 3, 5, 1}, 5, "a  b"},
    {"a\xe3\x80\x80"
     "b\xc2\xa0"
     "c",
        {6, 3, 5, 3, 9, 1}, 6, "a b c"},
};
enum { FAST = sizeof fast / sizeof *fast };

// Words of 128 and 129 bytes with their mark: the longest whose search needs no memory of its own, and the next. Of equal ways
// the search keeps the first one, so an "a" alone comes before all "aa".
static void long_words(const tt_tokenizer *t) {
    tt_ids ids = {0};
    for (int n = 125; n <= 126; ++n) {
        char text[128] = "";
        int at = 0;
        memset(text, 'a', (size_t)n);
        OK(tt_tokenizer_encode(t, text, true, &ids));
        assert_int_equal(ids.items[at++], 6);
        if (n == 126) assert_int_equal(ids.items[at++], 4);
        for (int k = 0; k < 62; ++k) assert_int_equal(ids.items[at++], 8);
        assert_int_equal(ids.items[at++], 1);
        assert_int_equal(ids.n, at);
    }
    free(ids.items);
}

static void a_tokenizer_json_gives_the_ids_of_its_package(void **state) {
    (void)state;
    tt_tokenizer *t;
    clear();
    OK(tt_make_dirs(directory));
    write_text("tokenizer.json", tokenizer_json);
    write_text("tokenizer_config.json",
        "{\"tokenizer_class\":\"T5Tokenizer\",\"extra_special_tokens\":[\"<extra_id_0>\"]}");
    OK(tt_huggingface_tokenizer_read(&t, directory, 64));
    assert_true(tt_tokenizer_is_json(t));
    assert_int_equal(tt_tokenizer_size(t), 17);
    long_words(t);
    assert_int_equal(tt_tokenizer_pieces(t), 12);
    assert_int_equal(tt_tokenizer_first_sentinel(t), 13);
    assert_int_equal(tt_tokenizer_extra_ids(t), 2);
    expect_examples(t, fast, FAST);
    expect_kept(t, fast, FAST);
    tt_tokenizer_close(t);
}

static void expect_refusal(const char *message) {
    tt_tokenizer *t;
    if (tt_huggingface_tokenizer_read(&t, directory, 1536) == TT_OK) fail_msg("read, expected: %s", message);
    if (!strstr(tt_error_message(), message) || !strstr(tt_error_message(), directory))
        fail_msg("said      %s\n  expected  %s", tt_error_message(), message);
    assert_null(t);
}

// tokenizer_json with one part replaced by another.
static void write_changed(const char *from, const char *to) {
    const char *at = strstr(tokenizer_json, from);
    tt_str text = {0};
    assert_non_null(at);
    tt_str_append_n(&text, tokenizer_json, (size_t)(at - tokenizer_json));
    tt_str_format(&text, "%s%s", to, at + strlen(from));
    write_text("tokenizer.json", text.data);
    tt_str_close(&text);
}

// "legacy": false is a matter of text behind added tokens, which go on without a new word. A tokenizer.json says so, and is read
// in place of spiece.model; spiece.model alone gives the ids of legacy true.
static void legacy_false_reads_tokenizer_json(void **state) {
    (void)state;
    static const example modern[] = {
        {"ab ba", {3, 7, 3, 11, 1}, 5, "ab ba"},
        {"a<extra_id_0>b", {6, 13, 5, 1}, 4, "ab"},
        {"a<extra_id_0> b", {6, 13, 3, 5, 1}, 5, "a b"},
        {"<extra_id_0>ab", {13, 7, 1}, 3, "ab"},
        {"a{b", {6, 14, 5, 1}, 4, "a{b"},
        {"cat ba", {15, 3, 11, 1}, 4, "cat ba"},
    };
    static const char *const said[] = {"{}", "{\"legacy\":null}", "{\"legacy\":true}", "{\"legacy\":false}"};
    tt_tokenizer *t;
    clear();
    write_model();
    write_changed("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"}," METASPACE "]}",
        "{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"first\"}");
    for (int i = 0; i < 4; ++i) {
        write_text("tokenizer_config.json", said[i]);
        if (i < 3) {
            expect_refusal("in spiece.model, but \"\xe2\x96\x81\" in tokenizer.json");
            continue;
        }
        OK(tt_huggingface_tokenizer_read(&t, directory, 1620));
        assert_true(tt_tokenizer_is_json(t));
        expect_examples(t, modern, sizeof modern / sizeof *modern);
        tt_tokenizer_close(t);
    }
    write_text("tokenizer.json", "{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}");
    expect_refusal("to read spiece.model in its place, remove \"legacy\": false");
    write_text("tokenizer_config.json", "{}");
    OK(tt_huggingface_tokenizer_read(&t, directory, 1620));
    tt_tokenizer_close(t);
    write_text("tokenizer_config.json", "{\"legacy\":false}");
    unlink("imported_tokenizer/tokenizer.json");
    OK(tt_huggingface_tokenizer_read(&t, directory, 1620)); // with a warning
    assert_false(tt_tokenizer_is_json(t));
    tt_tokenizer_close(t);
}

// The pieces of spiece.model in a tokenizer.json, one of them spelled otherwise; `n` of them.
static void write_same_pieces(int n, int other) {
    tt_tokenizer *t;
    tt_str text = {0};
    OK(tt_tokenizer_load(&t, "imported_tokenizer/spiece.model", 0));
    json_t *vocab = json_array();
    for (int i = 0; i < n; ++i)
        json_array_append_new(
            vocab, json_pack("[s, f]", i == other ? "other" : tt_tokenizer_piece(t, i), (double)-i));
    char *pieces = json_dumps(vocab, JSON_COMPACT);
    tt_str_format(&text, "{\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":%s}}", pieces);
    write_text("tokenizer.json", text.data);
    free(pieces);
    json_decref(vocab);
    tt_str_close(&text);
    tt_tokenizer_close(t);
}

// Files that contradict each other, or themselves, about ids.
static void contradictions_are_named(void **state) {
    (void)state;
    static const struct {
        const char *config, *added, *message;
    } table[] = {
        {"{\"added_tokens_decoder\":{\"72\":{\"content\":\"<clash>\"}}}", "{}",
            "the added token <clash> has id 72, which "},
        {"{}", "{\"<a>\":1560,\"<b>\":1560}", "has id 1560, which "},
        {"{\"extra_ids\":10}", "{\"<a>\":1505}", "<a> has id 1505, which <extra_id_4> has, too"},
        {"{}", "{\"</s>\":1600}", "the added token </s> has id 1600, but the model has it as piece 1"},
        {"{\"added_tokens_decoder\":{\"1560\":{\"content\":\"<a>\"},\"1561\":{\"content\":\"<a>\"}}}", "{}",
            "the added token \"<a>\" has id 1561 here, and 1560 in another place"},
        {"{\"extra_ids\":1.5}", "{}", "extra_ids must be a whole number"},
        {"{\"extra_ids\":-1}", "{}", "extra_ids must be a whole number"},
        {"{\"tokenizer_class\":\"ByT5Tokenizer\"}", "{}",
            "tokenizer_class is ByT5Tokenizer; supported is T5Tokenizer"},
        {"{\"tokenizer_class\":\"XLMRobertaTokenizer\"}", "{}", "tokenizer_class is XLMRobertaTokenizer"},
    };
    tt_tokenizer *t;
    clear();
    write_model();
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        write_text("tokenizer_config.json", table[i].config);
        write_text("added_tokens.json", table[i].added);
        expect_refusal(table[i].message);
    }
    write_text("added_tokens.json", "{}");
    write_text("tokenizer_config.json", "{\"tokenizer_class\":\"T5TokenizerFast\"}");
    write_same_pieces(1500, -1);
    OK(tt_huggingface_tokenizer_read(&t, directory, 1620));
    assert_false(tt_tokenizer_is_json(t));
    tt_tokenizer_close(t);
    write_same_pieces(1500, 1499);
    expect_refusal("in spiece.model, but \"other\" in tokenizer.json: remove the file");
    write_same_pieces(1499, -1);
    expect_refusal("in spiece.model, but not there in tokenizer.json");
    write_text("tokenizer.json", "{\"added_tokens\":[{\"id\":1570,\"content\":\"<a>\"}]}");
    write_text("tokenizer_config.json", "{\"added_tokens_decoder\":{\"1560\":{\"content\":\"<a>\"}}}");
    expect_refusal("the token \"<a>\" has id 1560 in tokenizer_config.json, but 1570 in tokenizer.json");
    clear();
}

static void what_cannot_be_read_is_named(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *message;
    } table[] = {
        {"\"Unigram\"", "\"BPE\"", "its type is BPE; T5 has a Unigram model"},
        {"\"Unigram\"", "\"BPE\"", "imported_tokenizer/spiece.model"}, // where to put the file
        {"\"unk_id\":2", "\"unk_id\":null", "unk_id is missing"},
        {"\"unk_id\":2", "\"unk_id\":5", "the ids of pad, </s> and <unk> are 0, 1, 5"},
        {"[\"a\",-3.0]", "[\"a\",\"-3.0\"]", "entry 4 of vocab"},
        {"[\"a\",-3.0]", "[\"a\",NaN]", "entry 4 of vocab"},
        {"\"type\":\"Strip\"", "\"type\":\"NFKC\"", "normalizer NFKC; supported are"},
        {"\"type\":\"Strip\"", "\"type\":\"Lowercase\"",
            "Normalise all texts beforehand, in Python: text.lower()"},
        {"\" {2,}\"", "\"\\\\s+\"", "the pattern \"\\s+\""},
        {"\"type\":\"WhitespaceSplit\"", "\"type\":\"Digits\"", "pre_tokenizer Digits; supported are"},
        {"\"ids\":[1]", "\"ids\":[2]", "post_processor TemplateProcessing; T5 puts </s>"},
        {"\"id\":14,", "\"id\":4,", "the added token { has id 4, which a has, too"},
        {"{\"version\"", "{\"version\":1,\"version\"", "duplicate"},
    };
    clear();
    OK(tt_make_dirs(directory));
    expect_refusal("no spiece.model and no tokenizer.json");
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        write_changed(table[i].from, table[i].to);
        expect_refusal(table[i].message);
    }
    clear();
    write_model();
    write_text("added_tokens.json", "{\"far\":1536}");
    expect_refusal("the token far has id 1536, but the model's vocabulary has 1536 rows");
    write_text("added_tokens.json", "{\"far\":\"x\"}");
    expect_refusal("added_tokens.json: the added token \"far\"");
    write_text("added_tokens.json", "{}");
    write_text("tokenizer_config.json", "{\"extra_ids\":\"20\"}");
    expect_refusal("extra_ids must be a whole number");
    write_text("tokenizer_config.json", "{\"extra_ids\":20,\"eos_token\":\"<end>\"}");
    expect_refusal("eos_token is <end>, whose id is 1520");
    clear();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added_tokens_have_their_ids),
        cmocka_unit_test(tokens_of_older_directories),
        cmocka_unit_test(a_tokenizer_json_gives_the_ids_of_its_package),
        cmocka_unit_test(legacy_false_reads_tokenizer_json),
        cmocka_unit_test(contradictions_are_named),
        cmocka_unit_test(what_cannot_be_read_is_named),
    };
    OK(tt_device_open(&device, "cpu", TT_FP32, 1));
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tt_device_close(device);
    return failed;
}
