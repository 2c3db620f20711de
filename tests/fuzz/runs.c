// What a resumed run reads: the log of its runs, reading tasks, plain text.
#include "tests/fuzz/fuzz.h"

#include "host/base/fs.h"
#include "host/reason/run_log.h"
#include "host/train/reading_tasks.h"
#include "host/train/windows.h"

#include <string.h>

static const char *const names[] = {"runs.jsonl", "pairs.jsonl", "text.txt"};
static tt_tokenizer *tokenizer;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    fuzz_begin(NULL, 0);
    fuzz_write_tokenizer("t.model");
    fuzz_must(tt_tokenizer_load(&tokenizer, "t.model", 10), "no tokenizer");
    return fuzz_end();
}

static void read_runs(void) {
    enum { ITEMS = 3, SAMPLES = 2 };
    static const int n_options[ITEMS] = {2, 4, 3};
    const tt_run_log_items items = {.n_items = ITEMS, .samples = SAMPLES, .n_options = n_options};
    tt_run_log log;
    if (!fuzz_accepted(tt_run_log_open(&log, "runs.jsonl", "fuzz", &items))) return;
    for (int i = 0; i < ITEMS; ++i)
        for (int s = 0; log.done[i] && s < SAMPLES; ++s) {
            const tt_chain_run *run = &log.runs[i * SAMPLES + s];
            fuzz_require(run->answer >= TT_NO_ANSWER && run->answer < n_options[i], "an answer out of range");
            for (int o = 0; run->specific && o < n_options[i]; ++o)
                fuzz_require(run->specific[o] != NULL, "an option without its analysis");
        }
    tt_run_log_close(&log);
}

static void read_tasks(void) {
    enum { MOST = 20 };
    tt_dataset dataset = {.name = "tasks"};
    if (fuzz_accepted(tt_reading_tasks_add_file(&dataset, "pairs.jsonl", tokenizer, MOST, MOST)))
        for (int i = 0; i < dataset.n; ++i)
            for (int part = 2 * i; part < 2 * i + 2; ++part) {
                const int64_t n = dataset.offsets[part + 1] - dataset.offsets[part];
                fuzz_require(n >= 1 && n <= MOST, "a text outside its limit");
                fuzz_require(dataset.ids[dataset.offsets[part + 1] - 1] == TT_EOS, "a text without its end");
            }
    tt_dataset_close(&dataset);
}

static void read_texts(void) {
    tt_windows windows = {0};
    if (fuzz_accepted(tt_windows_add_file(&windows, "text.txt", tokenizer, 16)))
        for (int i = 0; i < windows.n; ++i) {
            const int64_t n = windows.offsets[i + 1] - windows.offsets[i];
            fuzz_require(n >= 2 && n <= 16, "a window outside its limit");
        }
    tt_windows_close(&windows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_begin(data, size);
    const unsigned have = fuzz_write_files(data, size, names, 3);
    if (have & 1) read_runs();
    if (have & 2) read_tasks();
    if (have & 4) read_texts();
    return fuzz_end();
}
