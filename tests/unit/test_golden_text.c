// Token ids, decoded text and position buckets against Hugging Face (tests/golden).
#include "golden.h"
#include "host/text/tokenizer.h"
#include "kernels/ops.h"

static void token_ids_and_decoded_text(void **state) {
    (void)state;
    tt_h5 h;
    size_t bytes, n_texts, n_decoded;
    golden_open(&h, "tokenizer");
    unsigned char *model = golden_read(&h, "model", H5T_NATIVE_UINT8, 1, &bytes);
    tt_tokenizer *tokenizer;
    OK(tt_tokenizer_parse(&tokenizer, model, bytes, 100));
    golden_texts ids = golden_sequences(&h, "ids"), sequences = golden_sequences(&h, "sequences");
    char **texts = golden_strings(&h, "texts", &n_texts),
         **decoded = golden_strings(&h, "decoded", &n_decoded);
    assert_true(n_texts >= 600 && (int)n_texts == ids.n && (int)n_decoded == sequences.n);
    tt_ids got = {0};
    int wrong = 0;
    for (int i = 0; i < ids.n; ++i) {
        const int32_t *want = ids.ids + ids.offsets[i];
        OK(tt_tokenizer_encode(tokenizer, texts[i], true, &got));
        if (got.n == golden_length(&ids, i) && memcmp(got.items, want, (size_t)got.n * sizeof *want) == 0)
            continue;
        wrong++;
        print_error("\"%.60s\": ids", texts[i]);
        for (int k = 0; k < got.n && k < 20; ++k) print_error(" %d", got.items[k]);
        print_error("; Hugging Face");
        for (int k = 0; k < golden_length(&ids, i) && k < 20; ++k) print_error(" %d", want[k]);
        print_error("\n");
    }
    for (int i = 0; i < sequences.n; ++i) {
        char *text;
        OK(tt_tokenizer_decode(
            tokenizer, sequences.ids + sequences.offsets[i], golden_length(&sequences, i), &text));
        if (strcmp(text, decoded[i]) != 0) {
            wrong++;
            print_error("sequence %d: \"%.60s\"; Hugging Face \"%.60s\"\n", i, text, decoded[i]);
        }
        free(text);
    }
    assert_int_equal(wrong, 0);
    for (size_t i = 0; i < n_texts; ++i) free(texts[i]);
    for (size_t i = 0; i < n_decoded; ++i) free(decoded[i]);
    free(got.items), free(texts), free(decoded), free(model);
    golden_texts_close(&ids);
    golden_texts_close(&sequences);
    tt_tokenizer_close(tokenizer);
    tt_h5_close(&h);
}

static void buckets_of_all_distances(void **state) {
    (void)state;
    static const int settings[][2] = {{32, 128}, {8, 20}, {16, 40}, {64, 512}, {4, 3}};
    tt_h5 h;
    golden_open(&h, "buckets");
    for (size_t s = 0; s < sizeof settings / sizeof *settings; ++s)
        for (int both = 0; both < 2; ++both) {
            char name[64];
            size_t n;
            snprintf(name, sizeof name, "%d_%d/%s", settings[s][0], settings[s][1], both ? "both" : "causal");
            int32_t *want = golden_ints(&h, name, &n);
            assert_int_equal(n, 1201);
            for (int i = 0; i < 1201; ++i) {
                const int got = tt_relative_bucket(i - 600, both, settings[s][0], settings[s][1]);
                if (got != want[i])
                    fail_msg("%s, distance %d: bucket %d, theirs %d", name, i - 600, got, want[i]);
            }
            free(want);
        }
    tt_h5_close(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_ids_and_decoded_text),
        cmocka_unit_test(buckets_of_all_distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
