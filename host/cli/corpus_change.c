#include "host/cli/corpus_change.h"

#include "host/base/log.h"
#include "host/base/output.h"
#include "host/base/standard.h"
#include "host/base/str.h"
#include "host/cli/args.h"
#include "host/cli/corpus_output.h"
#include "host/data/import/import.h"
#include "host/data/merge.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tt_status missing_output(const char *command, const char *value) {
    return tt_fail(TT_ERR_USAGE, "corpus %s: -o %s is missing; it names the file to write", command, value);
}

static tt_status write_text(const char *path, const tt_str *text) {
    TT_TRY(tt_str_status(text));
    return tt_write_file(path, tt_str_text(text), text->length);
}

tt_status tt_corpus_export(int argc, char **argv) {
    const char *out = NULL;
    const tt_arg options[] = {TT_OPTION_PATH(
        "o", &out, "F.jsonl", TT_OUTPUT_STREAM, "The file to write; - writes to standard output.")};
    const tt_args args = {.usage = "tinythinker corpus export CORPUS.h5 -o F.jsonl",
        .about = "Writes questions, splits, gold answers and reasoning as JSONL, one question a line. "
                 "'corpus import jsonl' reads it back. datasets/README.md describes the format.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return missing_output("export", "F.jsonl");
    tt_corpus corpus;
    tt_str text = {0};
    TT_TRY(tt_corpus_load(&corpus, rest.items[0]));
    tt_status status = tt_export_jsonl(&corpus, &text);
    if (status == TT_OK) status = write_text(out, &text);
    if (status == TT_OK)
        tt_info("wrote %s: %zu questions, %zu reasonings", tt_output_name(out), corpus.n_questions,
            corpus.n_reasoning);
    tt_str_close(&text);
    tt_corpus_close(&corpus);
    return status;
}

// The provenance of a corpus to which a file's reasoning was added.
static tt_status describe_addition(tt_corpus *corpus, const char *path, const tt_added *added) {
    char *data, hash[20];
    size_t size;
    const char *slash = strrchr(path, '/');
    TT_TRY(tt_read_file(path, 0, &data, &size));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)tt_hash(data, size));
    free(data);
    json_t *before = corpus->provenance ? json_loads(corpus->provenance, 0, NULL) : NULL;
    json_t *object = json_pack("{s:o*, s:{s:s, s:s, s:I}}", "corpus", before, "added", "file",
        slash ? slash + 1 : path, "hash", hash, "reasonings", (json_int_t)added->added);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text) return tt_fail(TT_ERR_NOMEM, "out of memory for a corpus");
    corpus->provenance = tt_arena_strdup(&corpus->memory, text);
    free(text);
    return corpus->provenance ? TT_OK : TT_ERR_NOMEM;
}

// The file is read a second time, for its hash.
static tt_status check_addition(const char *path) {
    return tt_file_check(path, "a file, which is read twice");
}

// Reports what was added to a corpus that was loaded, and writes it. Closes the corpus.
static tt_status finish_addition(tt_corpus *corpus, tt_status status, const char *path, const tt_added *added,
    const tt_token_options *tokens, const char *out) {
    if (status == TT_OK) {
        tt_added_print(added, stdout);
        tt_standard_flush();
        if (added->added == 0)
            status = tt_fail(TT_ERR_INPUT, "%s: no reasoning was added; %s is not written", path, out);
    }
    if (status == TT_OK) status = describe_addition(corpus, path, added);
    return tt_corpus_finish(corpus, status, NULL, tokens, out);
}

static void warn_of_tokens(const tt_corpus *corpus, const char *path, const tt_token_options *tokens) {
    if (corpus->tokens && !tokens->tokenizer)
        tt_warn(
            "%s: its token ids are of other reasoning and are left out; --tokenizer makes them again", path);
}

tt_status tt_corpus_add_answers(int argc, char **argv) {
    const char *out = NULL;
    tt_token_options t = TT_NO_TOKENS;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.h5", TT_OUTPUT_FILE, "The corpus to write."),
        TT_TOKEN_OPTIONS(t),
    };
    const tt_args args = {.usage = "tinythinker corpus add-reasoning CORPUS.h5 ANSWERS.jsonl -o F.h5",
        .about = "Adds reasoning to questions of a corpus, joined by id: lines {\"id\": ..., \"reasoning\": "
                 "[{\"general\": ..., \"specific\": [...], \"answer\": ...}, ...]}, or one reasoning a line "
                 "beside the id. Counts and names what it leaves out: unknown ids, options that do not fit, "
                 "reasoning that a question already has.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 2,
        .most = 2,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return missing_output("add-reasoning", "F.h5");
    tt_corpus corpus;
    tt_added added = {0};
    TT_TRY(check_addition(rest.items[1]));
    TT_TRY(tt_corpus_load(&corpus, rest.items[0]));
    warn_of_tokens(&corpus, rest.items[0], &t);
    tt_status status = tt_add_answers(&corpus, rest.items[1], &added);
    return finish_addition(&corpus, status, rest.items[1], &added, &t, out);
}

tt_status tt_corpus_add_free_text(int argc, char **argv) {
    const char *out = NULL;
    tt_token_options t = TT_NO_TOKENS;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.h5", TT_OUTPUT_FILE, "The corpus to write."),
        TT_TOKEN_OPTIONS(t),
    };
    const tt_args args = {.usage = "tinythinker corpus add-explanations CORPUS.h5 MAP.yaml FILE.csv -o F.h5",
        .about = "Adds free-text explanations from a CSV file as general knowledge of the questions with the "
                 "same text; train with stages: no_analyze. MAP.yaml names the columns; "
                 "datasets/prompts/csqa-explanations.yaml is an example.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 3,
        .most = 3,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return missing_output("add-explanations", "F.h5");
    tt_corpus corpus;
    tt_added added = {0};
    TT_TRY(check_addition(rest.items[2]));
    TT_TRY(tt_corpus_load(&corpus, rest.items[0]));
    warn_of_tokens(&corpus, rest.items[0], &t);
    tt_status status = tt_add_explanations(&corpus, rest.items[1], rest.items[2], &added);
    return finish_addition(&corpus, status, rest.items[2], &added, &t, out);
}

tt_status tt_corpus_join(int argc, char **argv) {
    const char *out = NULL, *name = NULL;
    tt_token_options t = TT_NO_TOKENS;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.h5", TT_OUTPUT_FILE, "The corpus to write."),
        TT_OPTION_TEXT("name", &name, "NAME", "Name of the corpus (default: the first file's)."),
        TT_TOKEN_OPTIONS(t),
    };
    const tt_args args = {.usage = "tinythinker corpus merge A.h5 B.h5... -o F.h5",
        .about =
            "Joins corpora: questions by id, the reasoning of each question in the order of the files. A "
            "question that two files have must have the same text, options, gold answer and split in "
            "both.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 2,
        .most = 64,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out) return missing_output("merge", "F.h5");
    tt_corpus corpus = {0};
    tt_merge_counts counts;
    tt_status status = tt_corpus_merge(&corpus, rest.items, rest.n, &counts);
    if (status == TT_OK) {
        if (name) corpus.name = name;
        printf("files %d; questions in more than one: %lld; reasonings that repeat another: %lld (kept)\n",
            rest.n, (long long)counts.shared, (long long)counts.repeated);
        tt_standard_flush();
    }
    return tt_corpus_finish(&corpus, status, NULL, &t, out);
}
