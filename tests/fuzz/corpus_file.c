// A corpus file, damaged and edited (hdf5_changes.h).
#include "tests/fuzz/hdf5_changes.h"

#include "host/data/import/import.h"
#include "host/data/stage_dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fuzz_h5 original;
static uint64_t original_content;

// What is read from it, apart from its checksums.
static uint64_t content_of(tt_corpus *corpus) {
    tt_str text = {0};
    fuzz_must(tt_export_jsonl(corpus, &text), "an accepted corpus is not exported");
    tt_str_format(&text, "%s %s", corpus->name, corpus->provenance);
    const uint64_t content = tt_hash(tt_str_text(&text), text.length);
    tt_str_close(&text);
    return content;
}

static void use_corpus(tt_corpus *corpus) {
    char *shown = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&shown, &n);
    fuzz_require(out != NULL, "no memory");
    tt_corpus_show(corpus, 2, out);
    fclose(out);
    free(shown);
    tt_corpus again = {0};
    fuzz_must(tt_corpus_save(corpus, "again.h5"), "an accepted corpus is not saved");
    fuzz_must(tt_corpus_load(&again, "again.h5"), "a saved corpus is refused");
    fuzz_require(content_of(&again) == content_of(corpus), "a saved corpus reads as another one");
    tt_corpus_close(&again);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    tt_corpus corpus = {0};
    tt_tokenizer *tokenizer;
    fuzz_begin(NULL, 0);
    fuzz_make_corpus(&corpus);
    fuzz_must(tt_corpus_save(&corpus, "corpus.h5"), "no corpus");
    tt_corpus_close(&corpus);
    fuzz_write_tokenizer("t.model");
    fuzz_must(tt_tokenizer_load(&tokenizer, "t.model", 10), "no tokenizer");
    fuzz_must(tt_corpus_load(&corpus, "corpus.h5"), "no corpus");
    fuzz_must(tt_corpus_tokenise(&corpus, tokenizer, 64, 64), "no tokens");
    fuzz_must(tt_corpus_save(&corpus, "corpus.h5"), "no corpus");
    original_content = content_of(&corpus);
    fuzz_h5_open(&original, "corpus.h5");
    tt_corpus_close(&corpus);
    tt_tokenizer_close(tokenizer);
    return fuzz_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_corpus corpus = {0};
    fuzz_begin(data, size);
    const fuzz_h5_change change = fuzz_h5_write(&original, "corpus.h5", data, size);
    if (fuzz_accepted(tt_corpus_load(&corpus, "corpus.h5"))) {
        fuzz_require(change == FUZZ_H5_EDITED || content_of(&corpus) == original_content,
            "a damaged corpus is read as another one");
        use_corpus(&corpus);
    } else
        fuzz_require(change != FUZZ_H5_SAME, "a good corpus is refused");
    tt_corpus_close(&corpus);
    return fuzz_end();
}
