// What is added to a corpus: reasoning as JSONL, explanations as CSV with the map that names its columns.
#include "tests/fuzz/fuzz.h"

#include "host/data/import/import.h"

static const char *const names[] = {"answers.jsonl", "map.yaml", "explanations.csv"};

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_corpus corpus;
    tt_added report = {0};
    fuzz_begin(data, size);
    const unsigned have = fuzz_write_files(data, size, names, 3);
    fuzz_make_corpus(&corpus);
    if (have & 1)
        check_added(tt_add_answers(&corpus, names[0], &report), &corpus, &report);
    else
        check_added(tt_add_explanations(&corpus, names[1], names[2], &report), &corpus, &report);
    return fuzz_end();
}
