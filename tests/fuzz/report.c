// The files of a run that a report reads. Whatever they contain, there is a report: a page, tables, lines of CSV.
#include "tests/fuzz/fuzz.h"

#include "host/base/fs.h"
#include "host/report/report.h"

#include <string.h>
#include <unistd.h>

static const char *const names[] = {"config.yaml", "metrics.jsonl", "result.json", "predictions.jsonl",
    "predictions_acquisition.jsonl", "environment.json"};

// What neither XML nor a table may contain.
static void check_text(const tt_str *text) {
    fuzz_require(tt_utf8_valid(tt_str_text(text), text->length, NULL), "a report that is not UTF-8");
    for (size_t i = 0; i < text->length; ++i) {
        const unsigned char c = (unsigned char)text->data[i];
        fuzz_require(c >= 0x20 || c == '\n' || c == '\t', "a report with control characters");
    }
}

static void write_report(const tt_report *report) {
    tt_str text = {0};
    fuzz_must(tt_report_html(&text, report, "fuzz"), "no page");
    check_text(&text);
    tt_str_clear(&text);
    fuzz_must(tt_report_markdown(&text, report, "fuzz"), "no tables");
    check_text(&text);
    tt_str_clear(&text);
    fuzz_must(tt_report_csv(&text, report), "no CSV");
    check_text(&text);
    tt_str_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const paths[] = {"runs"};
    tt_report report;
    fuzz_begin(data, size);
    fuzz_must(tt_make_dirs("runs/a"), "no folder");
    fuzz_require(chdir("runs/a") == 0, "no folder");
    fuzz_write_files(data, size, names, 6);
    fuzz_require(chdir("../..") == 0, "no folder");
    if (fuzz_accepted(tt_report_open(&report, paths, 1, false))) {
        write_report(&report);
        tt_report_close(&report);
    }
    return fuzz_end();
}
