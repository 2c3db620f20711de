// Corpora: importing with every mistake named, HDF5 round trips, data sets, order, dealing.
#include "host/base/fs.h"
#include "host/base/str.h"
#include "host/data/hdf5_seal.h"
#include "host/data/import/import.h"
#include "host/data/stage_dataset.h"
#include "host/data/token_cache.h"
#include "tests/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST                                                                                                \
    "{\"id\": \"q1\", \"question\": \"What cuts?\", \"options\": [\"knife\", \"cup, big\"], \"gold\": "      \
    "\"A\", "                                                                                                \
    "\"general\": \"Blades cut.\", \"specific\": [\"It has a blade.\", \"It holds water.\"]}\n"
#define SECOND                                                                                               \
    "{\"id\": \"q2\", \"question\": \"What holds?\", \"options\": [\"knife\", \"cup, big\", "                \
    "\"h\xc3\xa4t\"], \"gold\": 1, "                                                                         \
    "\"split\": \"test\", \"reasoning\": [{\"general\": \"Cups hold.\", \"answer\": \"cup, big\"}]}\n"

#define ASKED(id, split)                                                                                     \
    "{\"id\": \"" id "\", \"question\": \"Which " id "?\", \"options\": [\"red\", \"blue\", "                \
    "\"green\"], \"gold\": \"A\", \"split\": \"" split "\", \"reasoning\": ["
#define SAYS(recall, answer) "{\"general\": \"" recall "\", \"answer\": \"" answer "\"}"

static tt_status build_stage(tt_dataset *d, const tt_corpus *corpus, tt_split split, tt_stage_set set,
    tt_stage stage, const tt_tokenizer *t, int max_input, int max_target) {
    return tt_dataset_build(d, corpus,
        &(tt_stage_options){.split = split,
            .set = set,
            .stage = stage,
            .tokenizer = t,
            .max_input = max_input,
            .max_target = max_target});
}

static tt_status import(tt_corpus *corpus, const char *text) {
    *corpus = (tt_corpus){.name = "fixture"};
    OK(tt_write_file("corpus_test.jsonl", text, strlen(text)));
    return tt_import_jsonl(corpus, "corpus_test.jsonl");
}

static void round_trip(void **state) {
    (void)state;
    tt_corpus a, b;
    OK(import(&a, FIRST SECOND));
    OK(tt_corpus_save(&a, "corpus_test.h5"));
    OK(tt_corpus_load(&b, "corpus_test.h5"));
    assert_int_equal(b.n_questions, 2);
    assert_int_equal(b.n_reasoning, 2);
    assert_string_equal(b.questions[0].options[1], "cup, big");
    assert_string_equal(b.questions[1].options[2], "h\xc3\xa4t");
    assert_int_equal(b.questions[1].gold, 1);
    assert_int_equal(b.questions[1].split, TT_TEST);
    assert_string_equal(b.reasoning[0].specific[1], "It holds water.");
    assert_null(b.reasoning[1].specific);
    assert_int_equal(b.reasoning[1].answer, 1);
    assert_true(a.hash == b.hash && a.hash != 0);
    tt_corpus_close(&a);
    tt_corpus_close(&b);
}

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": \"c\"}",
            "\"c\" is not among the 2 options"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": 2}", "2 is not among the 2 options"},
        {"{\"question\": \"Q\", \"options\": [\"a\"], \"gold\": 0}", "1 entries, allowed are 2 to 26"},
        {"{\"question\": \"  \", \"options\": [\"a\", \"b\"], \"gold\": 0}", "its text is empty"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"\"], \"gold\": 0}", "option B is empty"},
        {"{\"question\": \"Q\xff\", \"options\": [\"a\", \"b\"], \"gold\": 0}",
            "byte 16 of the line is not UTF-8"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"]}", "\"gold\" is missing"},
        {"{\"question\": \"Q\", \"optons\": [\"a\", \"b\"], \"gold\": 0}", "did you mean options"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": 0, \"split\": \"dev\"}",
            "unknown split 'dev'"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": 0, \"specific\": [\"x\"]}",
            "1 entries for 2 options"},
        {"{\"id\": \"q9\", \"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": \"c\"}",
            "question q9: "},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": 0, \"reasoning\": {}}",
            "expected a list [{...}, ...]"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": 0, \"reasoning\": [\"x\"]}",
            "entry 1 of \"reasoning\": expected an object"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": 0, \"reasoning\": [{\"genral\": "
         "\"x\"}]}",
            "did you mean general"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": 0, \"reasoning\": [{\"general\": "
         "\"\"}]}",
            "general knowledge is empty"},
        {"{\"question\": \"Q\", \"options\": [\"a\", \"b\"], \"gold\": 0, \"reasoning\": [{\"answer\": "
         "\"D\"}]}",
            "\"D\" is not among the 2 options"},
        {"{\"question\": \"Q\" \"options\"}", "not JSON"},
        {"[1, 2]", "expected an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char text[1024];
        tt_corpus corpus;
        snprintf(text, sizeof text, "%s%s\n", FIRST, cases[i].line);
        assert_int_equal(import(&corpus, text), TT_ERR_INPUT);
        if (!strstr(tt_error_message(), cases[i].message) ||
            !strstr(tt_error_message(), "corpus_test.jsonl:2"))
            fail_msg("expected line 2 and \"%s\", got \"%s\"", cases[i].message, tt_error_message());
        tt_corpus_close(&corpus);
    }
    tt_corpus twice;
    OK(import(&twice, FIRST FIRST));
    assert_int_equal(tt_corpus_save(&twice, "twice.h5"), TT_ERR_INPUT);
    assert_non_null(strstr(
        tt_error_message(), "corpus_test.jsonl:2: question id 'q1' occurs already at corpus_test.jsonl:1"));
    assert_false(tt_file_exists("twice.h5"));
    twice.questions[0].place = NULL; // as in a file, which does not keep where questions were read
    assert_int_equal(tt_corpus_check(&twice), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "questions 1 and 2 have the same id 'q1'"));
    tt_corpus_close(&twice);
}

static void damage_is_noticed(void **state) {
    (void)state;
    tt_corpus a;
    char *bytes;
    size_t n;
    OK(import(&a, FIRST SECOND));
    OK(tt_corpus_save(&a, "corpus_test.h5"));
    tt_corpus_close(&a);
    OK(tt_read_file("corpus_test.h5", 0, &bytes, &n));
    char *hit = NULL;
    for (size_t i = 0; i + 11 < n && !hit; ++i)
        if (memcmp(bytes + i, "Blades cut.", 11) == 0) hit = bytes + i;
    assert_non_null(hit);
    hit[0] = 'G';
    OK(tt_write_file("corpus_test.h5", bytes, n));
    assert_int_equal(tt_corpus_load(&a, "corpus_test.h5"), TT_ERR_FORMAT);
    assert_non_null(strstr(tt_error_message(), "does not match its checksum"));
    OK(tt_seal_write("corpus_test.h5")); // the data set has a checksum of its own
    assert_int_equal(tt_corpus_load(&a, "corpus_test.h5"), TT_ERR_FORMAT);
    assert_non_null(strstr(tt_error_message(), "cannot read data set /reasoning/general/bytes"));
    OK(tt_write_file("corpus_test.h5", bytes, n / 3));
    assert_int_equal(tt_corpus_load(&a, "corpus_test.h5"), TT_ERR_FORMAT);
    free(bytes);
}

static tt_tokenizer *tokenizer(void) {
    static const char *const texts[] = {
        "What cuts What holds knife cup big blade water Recall Analyze Summarize For option",
        "So the answer is option It has a blade It holds water Blades cut Cups hold"};
    const tt_tokenizer_training how = {.pieces = 50, .split_punctuation = true};
    tt_tokenizer *t;
    OK(tt_tokenizer_train(texts, 2, &how, "corpus_test.model"));
    OK(tt_tokenizer_load(&t, "corpus_test.model", 0));
    return t;
}

static void datasets(void **state) {
    (void)state;
    tt_tokenizer *t = tokenizer();
    tt_corpus corpus;
    OK(import(&corpus, FIRST SECOND));
    // The same answer again, and one that differs in an analysis only.
    tt_reasoning again = corpus.reasoning[0];
    const char *other[] = {"It has a blade.", "It is a cup."};
    OK(tt_corpus_add_reasoning(&corpus, &again));
    again.specific = other;
    OK(tt_corpus_add_reasoning(&corpus, &again));
    static const struct {
        tt_stage_set set;
        tt_stage stage;
        int n;
    } cases[] = {{TT_SET_ALL, TT_RECALL, 1}, {TT_SET_ALL, TT_ANALYZE, 3}, {TT_SET_ALL, TT_SUMMARIZE, 2},
        {TT_SET_SUMMARIZE_ONLY, TT_SUMMARIZE, 1}, {TT_SET_NO_ANALYZE, TT_SUMMARIZE, 1},
        {TT_SET_NO_RECALL, TT_ANALYZE, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_dataset d = {0};
        OK(build_stage(&d, &corpus, TT_TRAIN, cases[i].set, cases[i].stage, t, 512, 200));
        assert_int_equal(d.n, cases[i].n);
        assert_int_equal(d.cut_inputs + d.cut_targets, 0);
        tt_dataset_close(&d);
    }
    tt_dataset d = {0};
    assert_int_equal(build_stage(&d, &corpus, TT_TEST, TT_SET_ALL, TT_ANALYZE, t, 512, 200), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "q2 has no specific knowledge"));
    tt_dataset_close(&d);
    OK(build_stage(&d, &corpus, TT_TRAIN, TT_SET_ALL, TT_SUMMARIZE, t, 7, 3));
    assert_int_equal(d.cut_inputs, 2);
    assert_int_equal(d.cut_targets, 2);
    assert_int_equal(d.offsets[1], 7);
    assert_int_equal(d.ids[6], TT_EOS);
    tt_batch batch = {0};
    const int32_t both[] = {1, 0};
    OK(tt_dataset_pack(&d, both, 2, TT_PAD, &batch));
    assert_int_equal(batch.enc_seqs, 2);
    assert_int_equal(batch.dec_tokens, 6);
    assert_int_equal(batch.dec_ids[0], TT_PAD);
    assert_int_equal(batch.dec_ids[1], batch.dec_targets[0]);
    assert_int_equal(batch.dec_targets[2], TT_EOS);
    assert_int_equal(batch.dec_source[1], 1);
    assert_int_equal(batch.enc_example[0], 1);
    assert_int_equal(tt_dataset_target_tokens(&d, both, 2), 6);
    tt_batch_close(&batch);
    tt_dataset_close(&d);
    tt_corpus_close(&corpus);
    tt_tokenizer_close(t);
}

static void kept_tokens_are_those_of_the_texts(void **state) {
    (void)state;
    tt_tokenizer *t = tokenizer(), *other;
    tt_corpus a, b;
    tt_dataset fresh = {0}, kept = {0}, cut = {0};
    OK(import(&a, FIRST));
    OK(build_stage(&fresh, &a, TT_TRAIN, TT_SET_ALL, TT_ANALYZE, t, 512, 200));
    OK(tt_corpus_tokenise(&a, t, 512, 200));
    OK(tt_corpus_save(&a, "corpus_test.h5"));
    OK(tt_corpus_load(&b, "corpus_test.h5"));
    OK(build_stage(&kept, &b, TT_TRAIN, TT_SET_ALL, TT_ANALYZE, t, 512, 200));
    assert_int_equal(kept.n, fresh.n);
    assert_memory_equal(kept.ids, fresh.ids, (size_t)fresh.tokens * sizeof *fresh.ids);
    assert_memory_equal(kept.offsets, fresh.offsets, (2 * (size_t)fresh.n + 1) * sizeof *fresh.offsets);
    OK(build_stage(&cut, &b, TT_TRAIN, TT_SET_ALL, TT_ANALYZE, t, 5, 200)); // other limits: from the texts
    assert_int_equal(cut.offsets[1], 5);
    OK(tt_tokenizer_load(&other, "corpus_test.model", 7));
    tt_dataset_close(&kept);
    assert_int_equal(build_stage(&kept, &b, TT_TRAIN, TT_SET_ALL, TT_ANALYZE, other, 512, 200), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "was tokenised with tokenizer"));
    tt_dataset_close(&fresh);
    tt_dataset_close(&kept);
    tt_dataset_close(&cut);
    tt_corpus_close(&a);
    tt_corpus_close(&b);
    tt_tokenizer_close(t);
    tt_tokenizer_close(other);
}

static void same_examples(const tt_dataset *a, const tt_dataset *b) {
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->tokens, b->tokens);
    assert_memory_equal(a->ids, b->ids, (size_t)a->tokens * sizeof *a->ids);
    assert_memory_equal(a->offsets, b->offsets, (2 * (size_t)a->n + 1) * sizeof *a->offsets);
    assert_int_equal(a->cut_inputs, b->cut_inputs);
    assert_int_equal(a->cut_targets, b->cut_targets);
    assert_int_equal(a->unknown, b->unknown);
}

// All at once, by threads, they are what they are one by one; on both sides of a thread's portion and of the round in which
// a corpus's texts are tokenised.
static void many_texts_at_once(void **state) {
    (void)state;
    enum { MOST = 2049 };
    static const int counts[] = {0, 1, 7, 8, 9, 2047, 2048, MOST};
    static char texts[2 * MOST][64];
    const char *pointers[2 * MOST];
    tt_tokenizer *t = tokenizer();
    const tt_dataset_encoding encoding = {.tokenizer = t, .max_input = 9, .max_target = 5};
    for (int i = 0; i < 2 * MOST; ++i) {
        snprintf(
            texts[i], sizeof texts[i], "%.*s %d \xE2\x98\x83", i % 23, "a cat knows where the cup is", i);
        pointers[i] = texts[i];
    }
    for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
        tt_dataset one = {0}, all = {0};
        for (int i = 0; i < counts[c]; ++i)
            OK(tt_dataset_add(&one, &encoding, texts[2 * i], texts[2 * i + 1]));
        OK(tt_dataset_add_all(&all, &encoding, pointers, counts[c]));
        if (counts[c])
            same_examples(&one, &all);
        else
            assert_int_equal(all.n, 0);
        if (counts[c] == MOST) assert_true(all.cut_inputs > 0 && all.cut_targets > 0 && all.unknown > 0);
        tt_dataset_close(&one);
        tt_dataset_close(&all);
    }
    tt_dataset d = {0};
    strcpy(texts[2 * 1000 + 1], "\xC3("); // not UTF-8
    strcpy(texts[2 * 1500], "\xC3(");
    assert_int_equal(tt_dataset_add_all(&d, &encoding, pointers, MOST), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "UTF-8"));
    assert_int_equal(d.n, 1000);
    tt_dataset_close(&d);
    tt_tokenizer_close(t);
}

// A corpus of more than one round of texts, and its examples in a cache: of another corpus, tokenizer, limit or set it has none,
// and a damaged one is as none.
static void cached_tokens(void **state) {
    (void)state;
    enum { QUESTIONS = 1100 };
    tt_str text = {0};
    for (int i = 0; i < QUESTIONS; ++i)
        tt_str_format(&text,
            "{\"id\": \"q%d\", \"question\": \"Where is %d?\", \"options\": [\"here %d\", \"there\"], "
            "\"gold\": \"A\", "
            "\"split\": \"train\", \"reasoning\": [{\"general\": \"It is %d.\", \"specific\": [\"A %d.\", "
            "\"B %d.\"], "
            "\"answer\": \"A\"}]}\n",
            i, i, i, i, i, i);
    tt_tokenizer *t = tokenizer();
    tt_corpus corpus;
    OK(import(&corpus, tt_str_text(&text)));
    tt_stage_options options = {
        .split = TT_TRAIN, .set = TT_SET_ALL, .tokenizer = t, .max_input = 512, .max_target = 200};
    tt_dataset sets[TT_STAGES] = {{0}}, kept[TT_STAGES] = {{0}};
    for (int s = 0; s < TT_STAGES; ++s) {
        options.stage = (tt_stage)s;
        OK(tt_dataset_build(&sets[s], &corpus, &options));
        assert_int_equal(sets[s].n, s == TT_ANALYZE ? 2 * QUESTIONS : QUESTIONS);
    }
    bool found = true;
    const uint64_t key = tt_token_cache_key(&corpus, &options);
    remove("corpus_test_tokens.h5");
    tt_token_cache_read("corpus_test_tokens.h5", key, kept, &found);
    assert_false(found);
    tt_token_cache_write("corpus_test_tokens.h5", key, sets);
    tt_token_cache_read("corpus_test_tokens.h5", key, kept, &found);
    assert_true(found);
    for (int s = 0; s < TT_STAGES; ++s) same_examples(&sets[s], &kept[s]), tt_dataset_close(&kept[s]);
    tt_stage_options changed[] = {options, options, options, options};
    changed[0].max_input = 511, changed[1].max_target = 199, changed[2].set = TT_SET_NO_RECALL,
    changed[3].reasonings = 1;
    for (size_t i = 0; i < sizeof changed / sizeof *changed; ++i) {
        assert_true(tt_token_cache_key(&corpus, &changed[i]) != key);
        tt_token_cache_read("corpus_test_tokens.h5", tt_token_cache_key(&corpus, &changed[i]), kept, &found);
        assert_false(found || kept[0].n);
    }
    FILE *f = fopen("corpus_test_tokens.h5", "r+b");
    assert_non_null(f);
    fseek(f, -9, SEEK_END);
    fputc('x', f);
    fclose(f);
    tt_token_cache_read("corpus_test_tokens.h5", key, kept, &found);
    assert_false(found || kept[0].n);
    for (int s = 0; s < TT_STAGES; ++s) tt_dataset_close(&sets[s]);
    tt_corpus_close(&corpus);
    tt_tokenizer_close(t);
    tt_str_close(&text);
}

// A training question with reasonings One. (B), Two. (A), Three. (B), One. (B), Four. (B), of which Two. disagrees, and one
// with Five. (A) alone; a test question with two.
static void first_reasonings_of_each_question(void **state) {
    (void)state;
    static const struct {
        int reasonings, recalls, summaries; // by hand: without duplicates
    } cases[] = {{0, 4, 4}, {1, 2, 2}, {2, 3, 3}, {3, 3, 3}, {4, 4, 4}, {5, 4, 4}};
    tt_tokenizer *t = tokenizer();
    for (int tokenised = 0; tokenised < 2; ++tokenised) {
        tt_corpus corpus;
        OK(import(&corpus,
            ASKED("many", "train") SAYS("One.", "B") ", " SAYS("Two.", "A") ", " SAYS("Three.",
                "B") ", " SAYS("One.", "B") ", " SAYS("Four.", "B") "]}\n" ASKED("few", "train") SAYS("Five.",
                "A") "]}\n" ASKED("test", "test") SAYS("Six.", "A") ", " SAYS("Seven.", "A") "]}\n"));
        if (tokenised) OK(tt_corpus_tokenise(&corpus, t, 512, 200));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
            for (int s = 0; s < 2; ++s) {
                tt_dataset d = {0};
                OK(tt_dataset_build(&d, &corpus,
                    &(tt_stage_options){.split = TT_TRAIN,
                        .set = TT_SET_NO_ANALYZE,
                        .stage = s ? TT_SUMMARIZE : TT_RECALL,
                        .tokenizer = t,
                        .max_input = 512,
                        .max_target = 200,
                        .reasonings = cases[i].reasonings}));
                assert_int_equal(d.n, s ? cases[i].summaries : cases[i].recalls);
                tt_dataset_close(&d);
            }
        tt_corpus_close(&corpus);
    }
    tt_tokenizer_close(t);
}

static void dealing_is_complete_and_balanced(void **state) {
    (void)state;
    enum { N = 37 };
    int64_t offsets[2 * N + 1] = {0};
    tt_dataset d = {.n = N, .offsets = offsets};
    for (int i = 0; i < N; ++i) {
        offsets[2 * i + 1] = offsets[2 * i] + 1 + i * 7 % 23;
        offsets[2 * i + 2] = offsets[2 * i + 1] + 1 + i % 5;
    }
    int32_t order[N];
    tt_order(order, N, 4, 0, 2);
    for (int ranks = 1; ranks <= 4; ++ranks) {
        int seen[N] = {0};
        int64_t low = INT64_MAX, high = 0;
        for (int r = 0; r < ranks; ++r) {
            int32_t mine[N];
            const int n = tt_deal(&d, order, N, (tt_share){r, ranks}, mine);
            int64_t tokens = 0;
            for (int i = 0; i < n; ++i) {
                seen[mine[i]]++;
                tokens += offsets[2 * mine[i] + 2] - offsets[2 * mine[i]];
            }
            if (tokens < low) low = tokens;
            if (tokens > high) high = tokens;
        }
        for (int i = 0; i < N; ++i) assert_int_equal(seen[i], 1);
        assert_true(high - low <= 28); // no more than the longest example
    }
}

// As one would deal by hand: always the longest that is left, to the rank with the fewest tokens. Many examples and ranks, of few
// lengths, so that there are ties.
static void large_batches_are_dealt_in_the_same_way(void **state) {
    (void)state;
    enum { N = 700, MOST = 129 };
    static int64_t offsets[2 * N + 1];
    static int32_t order[N], examples[N], to[N], mine[N];
    tt_dataset d = {.n = N, .offsets = offsets};
    for (int i = 0; i < N; ++i) {
        offsets[2 * i + 1] = offsets[2 * i] + 1 + i * 7 % 23;
        offsets[2 * i + 2] = offsets[2 * i + 1] + 1 + i % 5;
    }
    tt_order(order, N, 4, 0, 2);
    for (int ranks = 2; ranks <= MOST; ranks = ranks * 3 - 3 < MOST ? ranks * 3 - 3 : ranks + 63) {
        int64_t load[MOST + 63] = {0};
        int count = 0;
        bool done[N] = {false};
        assert_int_equal(tt_deal_all(&d, order, N, ranks, &(tt_dealt){examples, to}), N);
        const int n = tt_deal(&d, order, N, (tt_share){ranks - 1, ranks}, mine);
        for (int k = 0; k < N; ++k) {
            int longest = -1, lightest = 0;
            for (int i = 0; i < N; ++i)
                if (!done[i] &&
                    (longest < 0 || offsets[2 * order[i] + 2] - offsets[2 * order[i]] >
                                        offsets[2 * order[longest] + 2] - offsets[2 * order[longest]]))
                    longest = i;
            for (int r = 1; r < ranks; ++r)
                if (load[r] < load[lightest]) lightest = r;
            done[longest] = true;
            load[lightest] += offsets[2 * order[longest] + 2] - offsets[2 * order[longest]];
            assert_int_equal(examples[k], order[longest]);
            assert_int_equal(to[k], lightest);
            if (lightest == ranks - 1) assert_int_equal(mine[count++], order[longest]);
        }
        assert_int_equal(n, count);
    }
}

// By hand: lengths 2 5 3 1 3 2 for two ranks. 5 to rank 0, 3 and 3 to rank 1, 2 to rank 0 (7 to 6), 2 to rank 1, 1 to rank 0.
static void the_longest_are_dealt_first(void **state) {
    (void)state;
    static const int64_t lengths[] = {2, 5, 3, 1, 3, 2};
    static const int32_t order[] = {5, 4, 3, 2, 1, 0}, dealt[] = {1, 4, 2, 5, 0, 3},
                         ranks[] = {0, 1, 1, 0, 1, 0};
    int64_t offsets[13] = {0};
    for (int i = 0; i < 6; ++i) {
        offsets[2 * i + 1] = offsets[2 * i] + lengths[i] - 1;
        offsets[2 * i + 2] = offsets[2 * i + 1] + 1;
    }
    const tt_dataset d = {.n = 6, .offsets = offsets};
    int32_t examples[6], to[6], mine[6];
    assert_int_equal(tt_deal_all(&d, order, 6, 2, &(tt_dealt){examples, to}), 6);
    assert_memory_equal(examples, dealt, sizeof dealt);
    assert_memory_equal(to, ranks, sizeof ranks);
    assert_int_equal(tt_deal(&d, order, 6, (tt_share){0, 2}, mine), 3);
    assert_memory_equal(mine, ((const int32_t[]){1, 5, 3}), 3 * sizeof *mine);
    assert_int_equal(tt_deal(&d, order, 6, (tt_share){1, 2}, mine), 3);
    assert_memory_equal(mine, ((const int32_t[]){4, 2, 0}), 3 * sizeof *mine);
    assert_int_equal(tt_deal_all(&d, order, 6, 1, &(tt_dealt){examples, to}), 6);
    assert_memory_equal(examples, order, sizeof order);
    assert_int_equal(tt_deal_all(&d, order, 6, 4097, &(tt_dealt){examples, to}), -1);
}

static void order_depends_on_what_it_is_for(void **state) {
    (void)state;
    int32_t a[50], b[50];
    tt_order(a, 50, 1, 0, 0);
    tt_order(b, 50, 1, 0, 0);
    assert_memory_equal(a, b, sizeof a);
    tt_order(b, 50, 1, 0, 1);
    assert_memory_not_equal(a, b, sizeof a);
    tt_order(b, 50, 1, 1, 0);
    assert_memory_not_equal(a, b, sizeof a);
    tt_order(b, 50, 2, 0, 0);
    assert_memory_not_equal(a, b, sizeof a);
}

// ---- the right answer

// The majority of the teacher's answers, for training questions; gold for all others and without a teacher.
static void the_teacher_is_right_in_training(void **state) {
    (void)state;
    static const char text[] = ASKED("differs", "train")
        SAYS("One.", "B") ", " SAYS("Two.", "A") ", " SAYS("Three.", "B") "]}\n" ASKED("held", "validation")
            SAYS("One.", "B") ", " SAYS("Two.", "B") "]}\n" ASKED("test", "test")
                SAYS("One.", "B") "]}\n" ASKED("agrees", "train")
                    SAYS("One.", "A") "]}\n" ASKED("tied", "train")
                        SAYS("One.", "B") ", " SAYS("Two.", "A") "]}\n" ASKED("tied-without-gold", "train")
                            SAYS("One.", "C") ", " SAYS("Two.", "B") "]}\n" ASKED("untaught", "train") "]}\n";
    static const int right[] = {1, 0, 0, 0, 0, 2, 0};
    tt_corpus made, read;
    OK(import(&made, text));
    OK(tt_corpus_save(&made, "corpus_test.h5"));
    OK(tt_corpus_load(&read, "corpus_test.h5"));
    const tt_corpus *const both[] = {&made, &read};
    for (int k = 0; k < 2; ++k) {
        for (int q = 0; q < 7; ++q) {
            assert_int_equal(tt_right_answer(&both[k]->questions[q]), right[q]);
            assert_int_equal(both[k]->questions[q].gold, 0);
        }
        const tt_teacher_counts counts = tt_corpus_count_teacher(both[k]);
        assert_int_equal(counts.questions, 4); // training questions with reasoning
        assert_int_equal(counts.differing, 2); // differs, tied-without-gold
        assert_int_equal(counts.left_out, 3);  // Two. of differs, One. of tied, Two. of tied-without-gold
        int taught[3];
        assert_int_equal(tt_corpus_reasonings(both[k], 0, taught), 2);
        assert_string_equal(both[k]->reasoning[taught[0]].general, "One.");
        assert_string_equal(both[k]->reasoning[taught[1]].general, "Three.");
    }
    tt_corpus_close(&made);
    tt_corpus_close(&read);
}

// The ids of a target.
static void target_is(const tt_dataset *d, int example, const tt_tokenizer *t, const char *text) {
    tt_ids ids = {0};
    OK(tt_tokenizer_encode(t, text, true, &ids));
    assert_int_equal(d->offsets[2 * example + 2] - d->offsets[2 * example + 1], ids.n);
    assert_memory_equal(d->ids + d->offsets[2 * example + 1], ids.items, (size_t)ids.n * sizeof *ids.items);
    free(ids.items);
}

// What does not lead to the right answer is not learned from; answers alone need no reasoning.
static void training_learns_the_right_answer(void **state) {
    (void)state;
    tt_tokenizer *t = tokenizer();
    tt_corpus corpus;
    tt_dataset d = {0};
    OK(import(&corpus, ASKED("differs", "train") SAYS("Blades cut.", "B") ", " SAYS("Cups hold.",
                           "A") ", " SAYS("It holds.", "B") "]}\n" ASKED("untaught", "train") "]}\n"));
    OK(build_stage(&d, &corpus, TT_TRAIN, TT_SET_NO_ANALYZE, TT_RECALL, t, 512, 200));
    assert_int_equal(d.n, 2);
    target_is(&d, 0, t, "Blades cut.");
    target_is(&d, 1, t, "It holds.");
    tt_dataset_close(&d);
    OK(build_stage(&d, &corpus, TT_TRAIN, TT_SET_NO_ANALYZE, TT_SUMMARIZE, t, 512, 200));
    assert_int_equal(d.n, 2);
    target_is(&d, 0, t, "So the answer is option B.");
    tt_dataset_close(&d);
    OK(build_stage(&d, &corpus, TT_TRAIN, TT_SET_SUMMARIZE_ONLY, TT_SUMMARIZE, t, 512, 200));
    assert_int_equal(d.n, 2);
    target_is(&d, 0, t, "So the answer is option B.");
    target_is(&d, 1, t, "So the answer is option A.");
    tt_dataset_close(&d);
    tt_corpus_close(&corpus);
    OK(import(&corpus, ASKED("untaught", "train") "]}\n"));
    OK(tt_corpus_tokenise(&corpus, t, 512, 200)); // also as token ids
    OK(build_stage(&d, &corpus, TT_TRAIN, TT_SET_SUMMARIZE_ONLY, TT_SUMMARIZE, t, 512, 200));
    assert_int_equal(d.n, 1);
    tt_dataset_close(&d);
    assert_int_equal(build_stage(&d, &corpus, TT_TRAIN, TT_SET_ALL, TT_RECALL, t, 512, 200), TT_ERR_INPUT);
    assert_non_null(
        strstr(tt_error_message(), "training on answers alone needs none (stages: summarize_only)"));
    tt_dataset_close(&d);
    tt_corpus_close(&corpus);
    tt_tokenizer_close(t);
}

// ---- knowledge is trimmed and closed at every door

static void imported_knowledge_is_closed(void **state) {
    (void)state;
    tt_corpus corpus, again;
    OK(import(&corpus, "{\"id\": \"q\", \"question\": \"Q?\", \"options\": [\"a\", \"b\"], \"gold\": 0, "
                       "\"general\": \" Blades cut\\n\", \"specific\": [\"It cuts. \", \"\\tIt holds\"]}\n"));
    assert_string_equal(corpus.reasoning[0].general, "Blades cut.");
    assert_string_equal(corpus.reasoning[0].specific[0], "It cuts.");
    assert_string_equal(corpus.reasoning[0].specific[1], "It holds.");
    // A file as earlier versions wrote it reads the same.
    corpus.reasoning[0].general = " Blades cut";
    OK(tt_corpus_save(&corpus, "corpus_test.h5"));
    OK(tt_corpus_load(&again, "corpus_test.h5"));
    assert_string_equal(again.reasoning[0].general, "Blades cut.");
    assert_true(again.hash != corpus.hash);
    tt_corpus_close(&again);
    tt_corpus_close(&corpus);
}

static void facts_are_closed(void **state) {
    (void)state;
    static const char text[] =
        "[{\"qid\": \"s0\", \"question\": \"Could a button fit a thimble?\", \"answer\": true, \"facts\": "
        "[\"Is a thimble small? Yes!\", \"A button is 1 cm wide. \", \"He said \\\"no.\\\"\", \"Trailing "
        "tab.\\t\", "
        "\" \", \"etc...\"]}, {\"qid\": \"s1\", \"question\": \"One?\", \"answer\": false, \"facts\": \"One "
        "fact\"}]";
    const char *path = "facts_test.json";
    tt_corpus corpus = {0};
    OK(tt_write_file(path, text, strlen(text)));
    OK(tt_import_strategyqa(&corpus, &path, 1, true, 1));
    assert_int_equal(corpus.n_reasoning, 2);
    assert_string_equal(corpus.reasoning[0].general,
        "Is a thimble small? Yes!. A button is 1 cm wide. He said \"no.\" Trailing tab. etc...");
    assert_string_equal(corpus.reasoning[1].general, "One fact.");
    tt_corpus_close(&corpus);
    static const char number[] = "[{\"qid\": \"s0\", \"question\": \"Q?\", \"answer\": true, \"facts\": 3}]";
    OK(tt_write_file(path, number, strlen(number)));
    assert_int_equal(tt_import_strategyqa(&corpus, &path, 1, true, 1), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), "question s0: \"facts\": expected a list of strings"));
    tt_corpus_close(&corpus);
}

// ---- limits

// Where a chain of thought is cut, what is lost is its answer.
static void cut_inputs_and_targets_are_counted_apart(void **state) {
    (void)state;
    tt_tokenizer *t = tokenizer();
    tt_corpus corpus;
    tt_dataset d = {0};
    OK(import(&corpus, FIRST));
    OK(build_stage(&d, &corpus, TT_TRAIN, TT_SET_CHAIN_OF_THOUGHT, TT_SUMMARIZE, t, 512, 20));
    assert_int_equal(d.cut_inputs, 0);
    assert_int_equal(d.cut_targets, 1);
    assert_int_equal(d.offsets[2] - d.offsets[1], 20);
    assert_int_equal(d.ids[d.offsets[2] - 1], TT_EOS);
    tt_dataset_close(&d);
    OK(build_stage(&d, &corpus, TT_TRAIN, TT_SET_CHAIN_OF_THOUGHT, TT_SUMMARIZE, t, 12, 200));
    assert_int_equal(d.cut_inputs, 1);
    assert_int_equal(d.cut_targets, 0);
    tt_dataset_close(&d);
    tt_corpus_close(&corpus);
    tt_tokenizer_close(t);
}

#define DATA TT_SOURCE_DIR "/../shared/data/"

static void count(const tt_corpus *c, int train, int validation, int test) {
    int n[TT_SPLITS] = {0};
    for (size_t i = 0; i < c->n_questions; ++i) n[c->questions[i].split]++;
    assert_int_equal(n[TT_TRAIN], train);
    assert_int_equal(n[TT_VALIDATION], validation);
    assert_int_equal(n[TT_TEST], test);
    OK(tt_corpus_check(c));
}

static void published_data_sets(void **state) {
    (void)state;
    if (!tt_dir_exists(DATA "csqa")) {
        print_message("skipped: %s is not here\n", DATA);
        skip();
    }
    tt_corpus c = {0};
    OK(tt_import_csqa(&c, DATA "csqa/train_rand_split.jsonl", DATA "csqa/dev_rand_split.jsonl", 1));
    count(&c, 9741 - 1221, 1221, 1221);
    tt_tokenizer *t;
    tt_dataset d = {0};
    OK(tt_tokenizer_load(&t, DATA "tokenizer/t5_unigram_32000.model", 100));
    OK(build_stage(&d, &c, TT_TRAIN, TT_SET_SUMMARIZE_ONLY, TT_SUMMARIZE, t, 512, 200));
    assert_int_equal(d.n, 9741 - 1221); // no question occurs twice
    assert_int_equal(d.cut_inputs + d.cut_targets, 0);
    tt_dataset_close(&d);
    tt_tokenizer_close(t);
    tt_corpus_close(&c);
    OK(tt_import_obqa(&c, DATA "obqa/train.jsonl", DATA "obqa/dev.jsonl", DATA "obqa/test.jsonl"));
    count(&c, 4957, 500, 500);
    int commas = 0;
    for (size_t i = 0; i < c.n_questions; ++i) {
        bool comma = false;
        for (int o = 0; o < c.questions[i].n_options; ++o)
            comma |= strstr(c.questions[i].options[o], ", ") != NULL;
        commas += comma;
    }
    assert_true(commas >= 71); // options are kept as a list, commas and all
    tt_corpus_close(&c);
    const char *paths[] = {DATA "strategyqa/train.json", DATA "strategyqa/dev.json"};
    OK(tt_import_strategyqa(&c, paths, 2, true, 1));
    count(&c, 2290 - 2 * 229, 229, 229);
    assert_true(c.n_reasoning > 2200 && c.reasoning[0].general && !c.reasoning[0].specific);
    for (size_t r = 0; r < c.n_reasoning; ++r)
        if (strstr(c.reasoning[r].general, ". .")) fail_msg("a period too many: %s", c.reasoning[r].general);
    tt_corpus_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(datasets),
        cmocka_unit_test(kept_tokens_are_those_of_the_texts),
        cmocka_unit_test(many_texts_at_once),
        cmocka_unit_test(cached_tokens),
        cmocka_unit_test(first_reasonings_of_each_question),
        cmocka_unit_test(dealing_is_complete_and_balanced),
        cmocka_unit_test(the_longest_are_dealt_first),
        cmocka_unit_test(large_batches_are_dealt_in_the_same_way),
        cmocka_unit_test(order_depends_on_what_it_is_for),
        cmocka_unit_test(the_teacher_is_right_in_training),
        cmocka_unit_test(training_learns_the_right_answer),
        cmocka_unit_test(imported_knowledge_is_closed),
        cmocka_unit_test(facts_are_closed),
        cmocka_unit_test(cut_inputs_and_targets_are_counted_apart),
        cmocka_unit_test(published_data_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
