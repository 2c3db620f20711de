// tinythinker report: writes runs as one HTML page, Markdown, LaTeX, CSV.
#include "host/base/output.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/cli/paths.h"
#include "host/report/report.h"

#include <stdio.h>

typedef struct files {
    const char *html, *markdown, *latex, *csv;
} files;

static tt_status save_file(const char *path, const tt_str *text) {
    TT_TRY(tt_write_file(path, tt_str_text(text), text->length));
    printf("%s\n", tt_output_name(path));
    return TT_OK;
}

static tt_status write_all(const files *to, const tt_report *report, const char *source) {
    tt_str text = {0};
    tt_status status = TT_OK;
    if (to->csv) {
        TT_TRY_GOTO(status, tt_report_csv(&text, report), release);
        TT_TRY_GOTO(status, save_file(to->csv, &text), release);
        tt_str_clear(&text);
    }
    if (to->markdown) {
        TT_TRY_GOTO(status, tt_report_markdown(&text, report, source), release);
        TT_TRY_GOTO(status, save_file(to->markdown, &text), release);
        tt_str_clear(&text);
    }
    if (to->latex) {
        TT_TRY_GOTO(status, tt_report_latex(&text, report), release);
        TT_TRY_GOTO(status, save_file(to->latex, &text), release);
        tt_str_clear(&text);
    }
    TT_TRY_GOTO(status, tt_report_html(&text, report, source), release);
    status = save_file(to->html, &text);
release:
    tt_str_close(&text);
    return status;
}

// No page replaces what its runs were made from.
static tt_status check_runs(const files *to, const tt_report *report) {
    const tt_path_use uses[] = {{"-o", to->html, TT_OUTPUT_STREAM},
        {"--markdown", to->markdown, TT_OUTPUT_STREAM}, {"--latex", to->latex, TT_OUTPUT_STREAM},
        {"--csv", to->csv, TT_OUTPUT_STREAM}};
    for (int i = 0; i < report->n_runs; ++i) {
        char path[TT_PATH_MAX];
        tt_config config;
        if (tt_path_join(path, sizeof path, report->runs[i].path, "config.yaml") != TT_OK ||
            tt_config_load_written(&config, path) != TT_OK)
            continue; // the report says what is wrong with it
        const tt_status safe = tt_paths_check_config("report", uses, 4, &config);
        tt_config_close(&config);
        TT_TRY(safe);
    }
    return TT_OK;
}

tt_status tt_cmd_report(int argc, char **argv) {
    files to = {.html = "report.html"};
    const char *title = NULL;
    tt_texts rest;
    bool help;
    const tt_arg options[] = {
        TT_OPTION_PATH(
            "o", &to.html, "FILE", TT_OUTPUT_STREAM, "The HTML page to write (default report.html)."),
        TT_OPTION_PATH(
            "markdown", &to.markdown, "FILE", TT_OUTPUT_STREAM, "Also writes its tables as Markdown."),
        TT_OPTION_PATH("latex", &to.latex, "FILE", TT_OUTPUT_STREAM,
            "Also writes the tables of sweeps as LaTeX: data sets as columns, settings as rows."),
        TT_OPTION_PATH("csv", &to.csv, "FILE", TT_OUTPUT_STREAM, "Also writes one line for each run as CSV."),
        TT_OPTION_TEXT("title", &title, "TEXT", "Heading of the page (default: the directories' names)."),
    };
    const tt_args args = {.usage = "tinythinker report DIRECTORY... [options]",
        .about = "Writes one self-contained HTML page about runs: accuracies, learning curves, preference "
                 "training, answers and examples. A directory is a run's, or contains run directories up to "
                 "three levels below it. Runs that differ only in their seed (and name, output, device, "
                 "threads) form a group.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 256,
        .inputs = TT_ALL_INPUTS};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    tt_report report;
    tt_str source = {0};
    TT_TRY(tt_report_open(&report, rest.items, rest.n, false));
    for (int i = 0; i < rest.n && !title; ++i)
        tt_str_format(&source, "%s%s", i > 0 ? ", " : "", rest.items[i]);
    tt_status status = tt_str_status(&source);
    if (status == TT_OK) status = check_runs(&to, &report);
    if (status == TT_OK) status = write_all(&to, &report, title ? title : tt_str_text(&source));
    tt_str_close(&source);
    tt_report_close(&report);
    return status;
}
