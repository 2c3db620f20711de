// Texts cut by tt_spm_encode and by the SentencePiece library itself: the same pieces, for every way a .model can be set.
#include "host/base/fs.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/text/sentencepiece.h"
#include "host/text/sentencepiece_encode.h"
#include "host/text/trie.h"
#include "tests/expect.h"
#include "tests/unit/golden.h"
#include "tests/unit/sentencepiece_twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What texts are made of: letters with marks that join them, wide and compatibility forms, white space of all kinds, the mark
// of a space itself, characters that no model knows, symbols, stretches where two ways are equally good.
static const char *const parts[] = {"a", "b", "ab", "the ", "water", " rain", "\xcc\x80", "e\xcc\x81",
    "\xef\xbc\xa1", "\xef\xac\x81", " ", "  ", "\t", "\n", "\r\n", "\xc2\xa0", "\xe3\x80\x80", "\xe2\x96\x81",
    "\xe2\x96\x81\xe2\x96\x81", ".", ",", "?", "(A)", "(B) ", "\xe6\xbc\xa2", "\xf0\x9f\x98\x80",
    "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9", "\xe1\x84\x92\xe1\x85\xa1", "zzz", "qqqq", "<0x41>",
    "\x7f", "\x01", "xyz q", "xyz", "Z", "\xc2\xbd", "unwanted", "aaaaaaaa", "1999", "<unk>", "</s>"};
enum { PARTS = sizeof parts / sizeof *parts };

static void append_line(void *context, int id, const char *text, size_t n) {
    tt_str_format(context, "%d ", id);
    tt_str_append_n(context, text, n);
    tt_str_append(context, "\n");
}

// Texts of up to `most` parts, the same every time.
static void compare(const tt_str *model, uint64_t seed, int texts, uint32_t most) {
    tt_spm_encoder *encoder;
    twin *library = twin_open(model->data, model->length);
    tt_str text = {0}, pieces = {0};
    tt_rng rng;
    assert_non_null(library);
    OK(tt_spm_encoder_open(&encoder, model->data, model->length));
    tt_rng_open(&rng, seed, TT_FOR_ORDER, 0, 0);
    for (int i = 0; i < texts; ++i) {
        tt_str_clear(&text);
        tt_str_clear(&pieces);
        tt_str_append(&text, "");
        for (uint32_t k = tt_rng_u32(&rng) % (most + 1); k > 0; --k)
            tt_str_append(&text, parts[tt_rng_u32(&rng) % PARTS]);
        OK(tt_spm_encode(encoder, text.data, text.length, &(tt_spm_sink){append_line, &pieces}));
        assert_string_equal(tt_str_text(&pieces), twin_encode(library, text.data, text.length));
    }
    tt_str_close(&text);
    tt_str_close(&pieces);
    tt_spm_encoder_close(encoder);
    twin_close(library);
}

// Appends a field of bytes to a message of a protocol buffer; messages that come twice are merged.
static void append_field(tt_str *message, int number, const char *bytes, size_t n) {
    const char head[] = {(char)(number << 3 | 2), (char)n};
    assert_true(n < 128);
    tt_str_append_n(message, head, sizeof head);
    tt_str_append_n(message, bytes, n);
}

static void append_piece(tt_str *model, const char *text, float score, char type) {
    tt_str piece = {0};
    append_field(&piece, 1, text, strlen(text));
    tt_str_append_n(&piece, "\x15", 1);
    tt_str_append_n(&piece, (const char *)&score, sizeof score);
    tt_str_append_n(&piece, (const char[]){0x18, type}, 2);
    append_field(model, 1, piece.data, piece.length);
    tt_str_close(&piece);
}

static void read_golden(tt_str *out) {
    tt_h5 h;
    size_t n;
    golden_open(&h, "tokenizer");
    unsigned char *bytes = golden_read(&h, "model", H5T_NATIVE_UINT8, 1, &n);
    tt_str_append_n(out, (const char *)bytes, n);
    free(bytes);
    tt_h5_close(&h);
}

static void the_same_pieces(void **state) {
    (void)state;
    tt_str model = {0};
    read_golden(&model);
    compare(&model, 1, 3000, 12);
    compare(&model, 2, 20, 3000);
    tt_str_close(&model);
}

static void the_same_pieces_of_every_setting(void **state) {
    (void)state;
    // Fields of trainer_spec (2) and normalizer_spec (3), number and value: suffix; no prefix; no trimming; no mark.
    static const struct {
        int spec;
        const char *bytes;
        size_t n;
    } settings[] = {{2, "\xc0\x01\x01", 3}, {3, "\x18\x00", 2}, {3, "\x20\x00", 2}, {3, "\x28\x00", 2},
        {3, "\x18\x00\x20\x00\x28\x00", 6}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i) {
        tt_str model = {0};
        read_golden(&model);
        append_field(&model, settings[i].spec, settings[i].bytes, settings[i].n);
        compare(&model, 10 + i, 2000, 12);
        tt_str_close(&model);
    }
}

static void the_same_pieces_of_every_type(void **state) {
    (void)state;
    tt_str model = {0};
    read_golden(&model);
    append_piece(&model, "xyz q", 0, 4); // a symbol with a space, in which another one begins
    append_piece(&model, "xyz", -3, 4);
    append_piece(&model, "(A)", 0, 4);
    append_piece(&model, "\xcc\x80", 0, 4);
    append_piece(&model, "qq", 5, 5); // good, but unused
    append_piece(&model, "Z", 5, 5);  // so that the character alone is unknown
    compare(&model, 20, 3000, 12);
    for (int i = 0; i < 256; ++i) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        append_piece(&model, name, 0, 6);
    }
    append_field(&model, 2, "\x98\x02\x01", 3); // byte_fallback
    compare(&model, 21, 3000, 12);
    tt_str_close(&model);
}

// A model of many pieces that overlap: "~" to 20 of them, all equally good in sum, where rounding decides.
static void the_same_pieces_where_rounding_decides(void **state) {
    (void)state;
    tt_str model = {0};
    char text[32] = "";
    read_golden(&model);
    for (int i = 0; i < 20; ++i) {
        text[i] = '~';
        append_piece(&model, text, -1.1f * (float)(i + 1), 1);
    }
    tt_spm_encoder *encoder;
    twin *library = twin_open(model.data, model.length);
    assert_non_null(library);
    OK(tt_spm_encoder_open(&encoder, model.data, model.length));
    tt_str all = {0}, pieces = {0};
    for (int n = 0; n < 200; ++n) {
        tt_str_append(&all, n % 17 == 16 ? " " : "~");
        tt_str_clear(&pieces);
        OK(tt_spm_encode(encoder, all.data, all.length, &(tt_spm_sink){append_line, &pieces}));
        assert_string_equal(tt_str_text(&pieces), twin_encode(library, all.data, all.length));
    }
    tt_str_close(&all);
    tt_str_close(&pieces);
    tt_spm_encoder_close(encoder);
    twin_close(library);
    tt_str_close(&model);
}

static void the_same_pieces_of_32000(void **state) {
    (void)state;
    tt_str model = {0};
    char *bytes;
    size_t n;
    const char *path = TT_SOURCE_DIR "/../shared/data/tokenizer/t5_unigram_32000.model";
    if (access(path, R_OK) != 0) skip();
    OK(tt_read_file(path, (size_t)1 << 24, &bytes, &n));
    tt_str_append_n(&model, bytes, n);
    compare(&model, 30, 2000, 12);
    free(bytes);
    tt_str_close(&model);
}

// More keys after one beginning than a cell's neighbours have room for, and keys of all bytes.
static void tries(void **state) {
    (void)state;
    enum { N = 255 * 40 };
    static char texts[N][4];
    static tt_trie_key keys[N + 2];
    tt_trie *trie;
    tt_trie_match found[4];
    for (int i = 0; i < N; ++i) {
        texts[i][0] = (char)(1 + i / 40);
        texts[i][1] = (char)(1 + 6 * (i % 40));
        texts[i][2] = i % 3 ? (char)(255 - i % 250) : '\0';
        keys[i] = (tt_trie_key){texts[i], i};
    }
    keys[N] = (tt_trie_key){"x", N};
    keys[N + 1] = (tt_trie_key){"x", N + 1}; // the later of two
    OK(tt_trie_open(&trie, keys, N + 2));
    for (int i = 0; i < N; ++i) assert_int_equal(tt_trie_find(trie, texts[i], strlen(texts[i])), i);
    assert_int_equal(tt_trie_most(trie), 2);
    assert_int_equal(
        tt_trie_matches(trie, "x\x07", 2, found), 2); // 'x' is 120; 119 * 40 + 1 is a multiple of 3
    assert_int_equal(found[0].value, N + 1);
    assert_int_equal(found[0].length, 1);
    assert_int_equal(found[1].value, 119 * 40 + 1);
    assert_int_equal(tt_trie_matches(trie, "x\x07", 1, found), 1);
    assert_int_equal(tt_trie_find(trie, "\x01", 1), -1);
    assert_int_equal(tt_trie_find(trie, "", 0), -1);
    tt_trie_close(trie);
    OK(tt_trie_open(&trie, keys, 0));
    assert_int_equal(tt_trie_matches(trie, "x", 1, found), 0);
    tt_trie_close(trie);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries),
        cmocka_unit_test(the_same_pieces),
        cmocka_unit_test(the_same_pieces_of_every_setting),
        cmocka_unit_test(the_same_pieces_of_every_type),
        cmocka_unit_test(the_same_pieces_where_rounding_decides),
        cmocka_unit_test(the_same_pieces_of_32000),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
