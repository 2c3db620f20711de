// Answers of an endpoint, from a batch file through journal and selection to a corpus. Each line of the input is the body of
// an answer; requests get them in turn. What the journal keeps gives the same corpus again.
#include "tests/fuzz/fuzz.h"

#include "host/base/fs.h"
#include "host/data/import/import.h"
#include "host/teacher/collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char plan_text[] =
    "questions: q.h5\ncorpus: c.h5\njournal: journal\nprompts: pool.yaml\n"
    "url: http://localhost/v1\nmodel: m\nexemplars: 1\nn_augment: 2\nchoices: 3\n";
static const char pool_text[] =
    "name: p\ninstruction: Explain.\nexemplars:\n  - question: Which?\n    options: [ice, stove]\n"
    "    key_information: Heat moves.\n    explanations: [A is incorrect. Because it is cold., B is correct. "
    "Because it is "
    "warm.]\n";
static tt_teach_plan plan;
static tt_pool pool;
static tt_tokenizer *tokenizer;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    fuzz_begin(NULL, 0);
    fuzz_write("plan.yaml", plan_text, sizeof plan_text - 1);
    fuzz_write("pool.yaml", pool_text, sizeof pool_text - 1);
    fuzz_must(tt_teach_plan_load(&plan, "plan.yaml", NULL, 0), "no plan");
    fuzz_must(tt_pool_load(&pool, "pool.yaml"), "no pool");
    fuzz_write_tokenizer("t.model");
    fuzz_must(tt_tokenizer_load(&tokenizer, "t.model", 0), "no tokenizer");
    return fuzz_end();
}

static tt_collection *open_collection(const tt_corpus *questions) {
    const tt_collection_options options = {.plan = &plan,
        .pool = &pool,
        .questions = questions,
        .tokenizer = tokenizer,
        .price = {.known = true, .input = 1, .output = 1, .currency = "USD"}};
    tt_collection *collection;
    fuzz_must(tt_collection_open(&collection, &options), "no collection");
    return collection;
}

// What comes of the journal and the answers: the corpus as text.
static void collect_answers(const tt_corpus *questions, const char *const *files, int n, tt_str *out) {
    tt_collection *collection = open_collection(questions);
    tt_teach_batch_import counts;
    tt_collection_report report;
    tt_corpus corpus = {0};
    if (tt_collection_import(collection, files, n, &counts) != TT_OK) // no line of such a file can be read
        fuzz_require(strstr(tt_error_message(), "the file is UTF-"), "answers end the import");
    fuzz_must(tt_collection_report_of(collection, &report), "no report");
    fuzz_require(report.reasonings >= 0 && report.answered <= report.questions && report.prompt_tokens >= 0 &&
                     report.completion_tokens >= 0 && report.money >= 0,
        "counts that cannot be");
    fuzz_must(tt_collection_corpus(collection, &corpus), "no corpus");
    fuzz_must(tt_corpus_check(&corpus), "a corpus that is not one");
    fuzz_must(tt_export_jsonl(&corpus, out), "a corpus that is not exported");
    tt_corpus_close(&corpus);
    tt_collection_close(collection);
}

// The ids of the requests of the first round, separated by NULs, in *n lines of the export.
static int read_ids(const tt_corpus *questions, char ids[8][TT_TEACH_BATCH_ID]) {
    tt_collection *collection = open_collection(questions);
    tt_teach_batch_export exported;
    char *text;
    size_t size;
    int n = 0;
    fuzz_must(tt_collection_export(collection, "batch", &exported), "no export");
    tt_collection_close(collection);
    fuzz_must(tt_read_file("batch/batch-001.jsonl", 0, &text, &size), "no batch file");
    for (const char *at = text; n < 8 && (at = strstr(at, "\"custom_id\":\"")) != NULL; ++n) {
        at += strlen("\"custom_id\":\"");
        snprintf(ids[n], TT_TEACH_BATCH_ID, "%.*s", (int)strcspn(at, "\""), at);
    }
    free(text);
    return n;
}

static void write_answers(const char *data, size_t size, char ids[8][TT_TEACH_BATCH_ID], int n) {
    tt_str lines = {0};
    int line = 0;
    for (const char *at = data, *end = data + size; at < end; ++line) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        tt_str_format(
            &lines, "{\"custom_id\":\"%s\",\"response\":{\"status_code\":200,\"body\":", ids[line % n]);
        tt_str_append_n(&lines, at, (size_t)((stop ? stop : end) - at));
        tt_str_append(&lines, "}}\n");
        at = stop ? stop + 1 : end;
    }
    fuzz_must(tt_str_status(&lines), "no memory");
    fuzz_write("answers.jsonl", tt_str_text(&lines), lines.length);
    tt_str_close(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const files[] = {"answers.jsonl"};
    tt_corpus questions;
    tt_str first = {0}, again = {0};
    char ids[8][TT_TEACH_BATCH_ID];
    fuzz_begin(data, size);
    fuzz_make_corpus(&questions);
    const int n = read_ids(&questions, ids);
    fuzz_require(n > 0, "no requests");
    write_answers((const char *)data, size, ids, n);
    collect_answers(&questions, files, 1, &first);
    collect_answers(&questions, NULL, 0, &again);
    fuzz_require(strcmp(tt_str_text(&first), tt_str_text(&again)) == 0, "the journal gives another corpus");
    tt_str_close(&first);
    tt_str_close(&again);
    tt_corpus_close(&questions);
    return fuzz_end();
}
