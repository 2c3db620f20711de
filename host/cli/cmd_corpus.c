// tinythinker corpus: imports, builds and shows corpora. corpus_change.c has the commands that change them.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/str.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/cli/corpus_change.h"
#include "host/cli/corpus_output.h"
#include "host/cli/paths.h"
#include "host/data/import/import.h"
#include "host/data/preferences.h"
#include "host/data/world/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tt_status import_corpus(int argc, char **argv) {
    const char *out = NULL, *name = NULL;
    int64_t seed = 1;
    bool facts = false;
    tt_token_options t = TT_NO_TOKENS;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.h5", TT_OUTPUT_FILE, "The corpus to write."),
        TT_OPTION_INTEGER("seed", &seed, "N", 0, 9e15, "Seed for random splits (default 1)."),
        TT_OPTION_FLAG(
            "facts-as-recall", &facts, "StrategyQA: uses the facts that people wrote as general knowledge."),
        TT_OPTION_TEXT("name", &name, "NAME", "Name of the corpus (default: the format)."),
        TT_TOKEN_OPTIONS(t),
    };
    const tt_args args = {.usage = "tinythinker corpus import csqa TRAIN.jsonl DEV.jsonl -o F.h5\n"
                                   "tinythinker corpus import obqa TRAIN.jsonl DEV.jsonl TEST.jsonl -o F.h5\n"
                                   "tinythinker corpus import strategyqa FILE.json... -o F.h5\n"
                                   "tinythinker corpus import jsonl FILE.jsonl... -o F.h5",
        .about = "Imports questions, and a teacher's reasoning where the files have it. datasets/README.md "
                 "describes the JSONL format.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 2,
        .most = 64,
        .first_input = 1,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return tt_fail(TT_ERR_USAGE, "corpus import: -o F.h5 is missing; it names the corpus to write");
    const char *format = rest.items[0], *const *files = rest.items + 1;
    const int n = rest.n - 1;
    tt_corpus corpus = {.name = "jsonl"};
    tt_status status = TT_OK;
    if (strcmp(format, "csqa") == 0 && n == 2)
        status = tt_import_csqa(&corpus, files[0], files[1], (uint64_t)seed);
    else if (strcmp(format, "obqa") == 0 && n == 3)
        status = tt_import_obqa(&corpus, files[0], files[1], files[2]);
    else if (strcmp(format, "strategyqa") == 0)
        status = tt_import_strategyqa(&corpus, files, n, facts, (uint64_t)seed);
    else if (strcmp(format, "jsonl") == 0)
        for (int i = 0; i < n && status == TT_OK; ++i) status = tt_import_jsonl(&corpus, files[i]);
    else
        return tt_fail(TT_ERR_USAGE,
            "corpus import: format '%s' with %d files; allowed are csqa (2 files), obqa (3), "
            "strategyqa and jsonl (any number)",
            format, n);
    if (name) corpus.name = name;
    if (status == TT_OK) tt_import_warn_options(&corpus);
    tt_str from = {0};
    tt_str_format(&from, "{\"format\": \"%s\", \"seed\": %lld, \"files\": %d}", format, (long long)seed, n);
    status = tt_corpus_finish(&corpus, status, tt_str_text(&from), &t, out);
    tt_str_close(&from);
    return status;
}

static tt_status build_corpus(int argc, char **argv) {
    const char *out = NULL, *jsonl = NULL;
    tt_token_options t = TT_NO_TOKENS;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.h5", TT_OUTPUT_FILE, "The corpus to write."),
        TT_OPTION_PATH("jsonl", &jsonl, "F.jsonl", TT_OUTPUT_STREAM, "Also writes the questions as JSONL."),
        TT_TOKEN_OPTIONS(t),
    };
    const tt_args args = {.usage = "tinythinker corpus build WORLD.yaml -o F.h5 [options]",
        .about = "Builds a corpus from a world: its table of objects and its templates. datasets/README.md "
                 "describes both.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return tt_fail(TT_ERR_USAGE, "corpus build: -o F.h5 is missing; it names the corpus to write");
    const tt_path_use outputs[] = {{"-o", out, TT_OUTPUT_FILE}, {"--jsonl", jsonl, TT_OUTPUT_STREAM}};
    TT_TRY(tt_paths_check_world("corpus build", outputs, 2, rest.items[0]));
    tt_corpus corpus = {0};
    tt_str lines = {0};
    tt_status status = tt_world_corpus(&corpus, rest.items[0]);
    if (status == TT_OK && jsonl) status = tt_export_jsonl(&corpus, &lines);
    status = tt_corpus_finish(&corpus, status, NULL, &t, out);
    if (status == TT_OK && jsonl) status = tt_write_file(jsonl, tt_str_text(&lines), lines.length);
    tt_str_close(&lines);
    return status;
}

static tt_status write_reading(int argc, char **argv) {
    const char *texts = NULL, *pairs = NULL;
    const tt_arg options[] = {
        TT_OPTION_PATH("texts", &texts, "F.txt", TT_OUTPUT_STREAM,
            "File for the documents of span corruption, one a line."),
        TT_OPTION_PATH("pairs", &pairs, "F.jsonl", TT_OUTPUT_STREAM,
            "File for the reading tasks, an {\"input\", \"target\"} a line."),
    };
    const tt_args args = {.usage = "tinythinker corpus reading WORLD.yaml --texts F.txt --pairs F.jsonl",
        .about = "Writes what a student learns to read with: documents and reading tasks of a world.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!texts || !pairs)
        return tt_fail(TT_ERR_USAGE, "corpus reading: --%s is missing", texts ? "pairs" : "texts");
    const tt_path_use outputs[] = {
        {"--texts", texts, TT_OUTPUT_STREAM}, {"--pairs", pairs, TT_OUTPUT_STREAM}};
    TT_TRY(tt_paths_check_world("corpus reading", outputs, 2, rest.items[0]));
    return tt_reading_generate(rest.items[0], texts, pairs);
}

static tt_status show_file(int argc, char **argv) {
    int64_t examples = 2;
    const tt_arg options[] = {TT_OPTION_INTEGER(
        "examples", &examples, "N", 0, 1e9, "Number of questions or pairs to print in full (default 2).")};
    const tt_args args = {.usage = "tinythinker corpus show F.h5 [options]",
        .about = "Shows the contents of a corpus, or of a run's preference pairs "
                 "(RUN/reflection_1/pairs.h5).",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (tt_preferences_is_file(rest.items[0])) {
        tt_preferences pairs;
        TT_TRY(tt_preferences_load(&pairs, rest.items[0]));
        tt_preferences_show(&pairs, (int)examples, stdout);
        tt_preferences_close(&pairs);
        return TT_OK;
    }
    tt_corpus corpus;
    TT_TRY(tt_corpus_load(&corpus, rest.items[0]));
    tt_corpus_show(&corpus, (int)examples, stdout);
    tt_corpus_close(&corpus);
    return TT_OK;
}

tt_status tt_cmd_corpus(int argc, char **argv) {
    static const tt_subcommand commands[] = {
        {"import", import_corpus, "Imports CommonsenseQA, OpenBookQA, StrategyQA or JSONL."},
        {"build", build_corpus, "Builds a corpus from a world's table and templates."},
        {"export", tt_corpus_export, "Writes a corpus as JSONL."},
        {"add-reasoning", tt_corpus_add_answers, "Adds reasoning from JSONL, joined by question id."},
        {"add-explanations", tt_corpus_add_free_text, "Adds free-text explanations from CSV."},
        {"merge", tt_corpus_join, "Joins corpora by question id."},
        {"reading", write_reading, "Writes a world's reading tasks and texts, for pretraining."},
        {"show", show_file, "Shows the contents of a corpus or of preference pairs."},
    };
    return tt_subcommand_run("corpus", commands, sizeof commands / sizeof *commands, argc, argv);
}
