// What is added to a corpus: reasoning as JSONL, explanations as CSV with the map that names its columns.
#include "tests/fuzz/fuzz.h"

#include "host/base/fs.h"
#include "host/data/import/import.h"

#include <stdlib.h>

static const char *const names[] = {"answers.jsonl", "map.yaml", "explanations.csv"};
static char *corpus_bytes;
static size_t corpus_size;

static void check_added(tt_status status, tt_corpus *corpus, const tt_added *report) {
    if (fuzz_accepted(status)) {
        int64_t left_out = 0;
        for (int r = 0; r < TT_ADDED_REASONS; ++r) left_out += report->left_out[r];
        fuzz_require(report->added >= 0 && left_out >= 0, "counts below 0");
        fuzz_require(corpus->n_reasoning == 4 + (size_t)report->added, "reasoning that is not counted");
        for (size_t i = 0; i < corpus->n_reasoning; ++i)
            fuzz_require(corpus->reasoning[i].question >= 0 &&
                             (size_t)corpus->reasoning[i].question < corpus->n_questions,
                "reasoning of no question");
    }
    tt_corpus_close(corpus);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    fuzz_begin(NULL, 0);
    fuzz_write_corpus("corpus.h5");
    fuzz_must(tt_read_file("corpus.h5", 0, &corpus_bytes, &corpus_size), "no corpus");
    return fuzz_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_corpus corpus = {0};
    tt_added report = {0};
    fuzz_begin(data, size);
    fuzz_write("corpus.h5", corpus_bytes, corpus_size);
    const unsigned have = fuzz_write_files(data, size, names, 3);
    fuzz_must(tt_corpus_load(&corpus, "corpus.h5"), "the corpus is gone");
    if (have & 1)
        check_added(tt_add_answers(&corpus, names[0], &report), &corpus, &report);
    else
        check_added(tt_add_explanations(&corpus, names[1], names[2], &report), &corpus, &report);
    return fuzz_end();
}
