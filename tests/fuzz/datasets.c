// The files of three published data sets.
#include "tests/fuzz/fuzz.h"

#include "host/data/import/import.h"

static const char *const names[] = {
    "csqa_train", "csqa_dev", "obqa_train", "obqa_dev", "obqa_test", "strategyqa", "strategyqa_2"};

static void check_corpus(tt_status status, tt_corpus *corpus) {
    if (fuzz_accepted(status)) {
        (void)fuzz_accepted(tt_corpus_check(corpus));
        for (size_t i = 0; i < corpus->n_questions; ++i) {
            const tt_question *q = &corpus->questions[i];
            fuzz_require(q->gold >= 0 && q->gold < q->n_options, "the right option is out of range");
            fuzz_require(tt_right_answer(q) >= 0, "a question without a right answer");
        }
    }
    tt_corpus_close(corpus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_corpus corpus = {0};
    fuzz_begin(data, size);
    const unsigned have = fuzz_write_files(data, size, names, 7);
    if (have & 3) check_corpus(tt_import_csqa(&corpus, names[0], names[1], 1), &corpus);
    if (have & 28) check_corpus(tt_import_obqa(&corpus, names[2], names[3], names[4]), &corpus);
    for (int facts = 0; have & 96 && facts < 2; ++facts)
        check_corpus(tt_import_strategyqa(&corpus, names + 5, have & 64 ? 2 : 1, facts, 1), &corpus);
    return fuzz_end();
}
