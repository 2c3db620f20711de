// make_fixture DIR: small data for the scripts, made in DIR: tokenizer.model, text.txt, pairs.jsonl,
// corpus.h5, and old.h5, the same corpus in the format of version 0.1.0. A toy world: things have a colour; a question asks
// for it among three.
#include "host/base/fs.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/data/corpus.h"
#include "host/text/tokenizer.h"
#include "tests/old_corpus.h"

#include <stdio.h>

enum { THINGS = 40, COLOURS = 5, LINES = 300, QUESTIONS = 120 };

static const char *const colours[COLOURS] = {"red", "blue", "green", "black", "white"};

static void name_of(int thing, char out[8]) {
    static const char *const first[] = {"ba", "ce", "di", "fo", "gu", "la", "me", "ni"};
    static const char *const last[] = {"lo", "mi", "na", "pe", "ru"};
    snprintf(out, 8, "%s%s", first[thing / 5], last[thing % 5]);
}

static int colour_of(int thing) {
    return (thing * 7 + thing / 5) % COLOURS;
}

static tt_status write_text(const char *dir, const char *name, const tt_str *text) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, dir, name));
    TT_TRY(tt_str_status(text));
    return tt_write_file(path, text->data, text->length);
}

static tt_status make_texts(const char *dir) {
    tt_str text = {0}, pairs = {0};
    tt_rng rng;
    tt_rng_open(&rng, 1, TT_FOR_TEST, 0, 0);
    for (int line = 0; line < LINES; ++line) {
        char name[8];
        int thing = 0;
        tt_str_append(&pairs, "{\"input\": \"");
        for (int i = 0; i < 2 + line % 3; ++i) {
            thing = (int)tt_rng_below(&rng, THINGS);
            name_of(thing, name);
            tt_str_format(&text, "The %s is %s. ", name, colours[colour_of(thing)]);
            tt_str_format(&pairs, "The %s is %s. ", name, colours[colour_of(thing)]);
        }
        tt_str_append(&text, "\n");
        tt_str_format(&pairs, "What colour is the %s?\", \"target\": \"The %s is %s.\"}\n", name, name,
            colours[colour_of(thing)]);
    }
    tt_status status = write_text(dir, "text.txt", &text);
    if (status == TT_OK) status = write_text(dir, "pairs.jsonl", &pairs);
    tt_str_close(&text);
    tt_str_close(&pairs);
    return status;
}

static tt_status make_tokenizer(const char *dir) {
    char path[TT_PATH_MAX], lines[THINGS][64];
    const char *texts[THINGS + 3];
    for (int i = 0; i < THINGS; ++i) {
        char name[8];
        name_of(i, name);
        snprintf(lines[i], sizeof lines[i], "What colour is the %s? The %s is %s.", name, name,
            colours[colour_of(i)]);
        texts[i] = lines[i];
    }
    texts[THINGS] = "Recall: Analyze: For option A, For option B, For option C, Summarize: (A) (B) (C)";
    texts[THINGS + 1] = "So the answer is option A. So the answer is option B. So the answer is option C.";
    texts[THINGS + 2] = "red fits. blue does not fit. green black white";
    const tt_tokenizer_training how = {.pieces = 90, .split_punctuation = true};
    TT_TRY(tt_path_join(path, sizeof path, dir, "tokenizer.model"));
    return tt_tokenizer_train(texts, THINGS + 3, &how, path);
}

static tt_status add_question(tt_corpus *corpus, int i, tt_rng *rng) {
    const int thing = i % THINGS, right = colour_of(thing), gold = (int)tt_rng_below(rng, 3);
    char id[16], name[8], text[64], general[64], specific[3][64];
    const char *options[3], *specifics[3] = {specific[0], specific[1], specific[2]};
    name_of(thing, name);
    snprintf(id, sizeof id, "toy-%d", i);
    snprintf(text, sizeof text, "What colour is the %s?", name);
    snprintf(general, sizeof general, "The %s is %s.", name, colours[right]);
    const int shift = 1 + (int)tt_rng_below(rng, 2);
    for (int o = 0; o < 3; ++o) {
        options[o] = colours[o == gold ? right : (right + shift + (o > gold ? o - 1 : o)) % COLOURS];
        snprintf(specific[o], sizeof specific[o], "%s %s.", options[o], o == gold ? "fits" : "does not fit");
    }
    const tt_split split = i % 10 == 8 ? TT_VALIDATION : i % 10 == 9 ? TT_TEST : TT_TRAIN;
    TT_TRY(tt_corpus_add_question(corpus,
        &(tt_question){
            .id = id, .text = text, .options = options, .n_options = 3, .gold = gold, .split = split}));
    return tt_corpus_add_reasoning(corpus,
        &(tt_reasoning){
            .question = i, .general = general, .specific = specifics, .answer = gold, .source = "toy"});
}

static tt_status make_corpus(const char *dir) {
    char path[TT_PATH_MAX];
    tt_corpus corpus = {.name = "toy", .provenance = "{}"};
    tt_rng rng;
    tt_rng_open(&rng, 2, TT_FOR_TEST, 0, 0);
    tt_status status = TT_OK;
    for (int i = 0; i < QUESTIONS && status == TT_OK; ++i) status = add_question(&corpus, i, &rng);
    if (status == TT_OK) status = tt_path_join(path, sizeof path, dir, "corpus.h5");
    if (status == TT_OK) status = tt_corpus_save(&corpus, path);
    if (status == TT_OK) status = tt_path_join(path, sizeof path, dir, "old.h5");
    if (status == TT_OK) status = old_corpus_write(&corpus, path);
    tt_corpus_close(&corpus);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: make_fixture DIR\n");
        return 2;
    }
    tt_status status = tt_make_dirs(argv[1]);
    if (status == TT_OK) status = make_texts(argv[1]);
    if (status == TT_OK) status = make_tokenizer(argv[1]);
    if (status == TT_OK) status = make_corpus(argv[1]);
    if (status != TT_OK) fprintf(stderr, "make_fixture: %s\n", tt_error_message());
    return tt_status_exit(status);
}
