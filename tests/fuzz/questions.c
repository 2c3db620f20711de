// Questions as JSONL. What is imported, exported and imported again is the same.
#include "tests/fuzz/fuzz.h"

#include "host/data/import/import.h"

#include <string.h>

static void export_again(tt_corpus *corpus) {
    tt_corpus again = {0};
    tt_str first = {0}, second = {0};
    fuzz_must(tt_corpus_group_reasoning(corpus), "reasoning cannot be put into order");
    fuzz_must(tt_export_jsonl(corpus, &first), "an accepted corpus is not exported");
    fuzz_write("again.jsonl", first.data, first.length);
    fuzz_must(tt_import_jsonl(&again, "again.jsonl"), "an exported corpus is refused");
    fuzz_must(tt_export_jsonl(&again, &second), "an exported corpus is not exported again");
    fuzz_require(strcmp(first.data, second.data) == 0, "an exported corpus reads as another one");
    tt_corpus_close(&again);
    tt_str_close(&first);
    tt_str_close(&second);
}

static void save_corpus(tt_corpus *corpus) {
    tt_corpus again = {0};
    corpus->name = "fuzz";
    corpus->provenance = "{}";
    fuzz_must(tt_corpus_save(corpus, "corpus.h5"), "an accepted corpus is not saved");
    fuzz_must(tt_corpus_load(&again, "corpus.h5"), "a saved corpus is refused");
    fuzz_require(corpus->hash == again.hash, "a saved corpus reads as another one");
    tt_corpus_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_corpus corpus = {0};
    fuzz_begin(data, size);
    fuzz_write("questions.jsonl", data, size);
    if (fuzz_accepted(tt_import_jsonl(&corpus, "questions.jsonl")) &&
        fuzz_accepted(tt_corpus_check(&corpus))) {
        export_again(&corpus);
        if (size % 8 == 0) save_corpus(&corpus); // slow
    }
    tt_corpus_close(&corpus);
    return fuzz_end();
}
