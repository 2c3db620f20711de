// tinythinker corpus: questions and reasoning into corpora, and what is inside.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/str.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/data/import/import.h"
#include "host/data/preferences.h"
#include "host/data/stage_dataset.h"
#include "host/data/world/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct tokens {
    const char *tokenizer;
    int64_t extra_ids, max_input, max_target;
} tokens;

#define TOKEN_ARGS(t)                                                                                        \
    {"tokenizer", TT_ARG_TEXT, &(t).tokenizer, "F.model", "also keep the training split as its token ids",   \
        0, 0},                                                                                               \
        {"extra-ids", TT_ARG_INTEGER, &(t).extra_ids, "N", "sentinels of that tokenizer (default 100)", 0,   \
            1000},                                                                                           \
        {"max-input", TT_ARG_INTEGER, &(t).max_input, "N", "tokens of an input (default 512)", 2, 1e6}, {    \
        "max-target", TT_ARG_INTEGER, &(t).max_target, "N", "tokens of a target (default 200)", 2, 1e6       \
    }
static const tokens no_tokens = {.extra_ids = 100, .max_input = 512, .max_target = 200};

static tt_status tokenise(tt_corpus *corpus, const tokens *t) {
    if (!t->tokenizer) return TT_OK;
    tt_tokenizer *tokenizer;
    TT_TRY(tt_tokenizer_load(&tokenizer, t->tokenizer, (int)t->extra_ids));
    tt_status status = tt_corpus_tokenise(corpus, tokenizer, (int)t->max_input, (int)t->max_target);
    tt_tokenizer_close(tokenizer);
    return status;
}

static tt_status finish(
    tt_corpus *corpus, tt_status status, const char *from, const tokens *t, const char *out) {
    if (status == TT_OK) status = tokenise(corpus, t);
    if (status == TT_OK) {
        if (!corpus->provenance) corpus->provenance = from;
        status = tt_corpus_save(corpus, out);
    }
    if (status == TT_OK) {
        tt_corpus_show(corpus, 0, stdout);
        tt_info("wrote %s", out);
    }
    tt_corpus_close(corpus);
    return status;
}

static tt_status import(int argc, char **argv) {
    const char *out = NULL, *name = NULL;
    int64_t seed = 1;
    bool facts = false;
    tokens t = no_tokens;
    const tt_arg args[] = {
        {"o", TT_ARG_TEXT, &out, "F.h5", "the corpus to write", 0, 0},
        {"seed", TT_ARG_INTEGER, &seed, "N", "of random splits (default 1)", 0, 9e15},
        {"facts-as-recall", TT_ARG_FLAG, &facts, NULL, "strategyqa: the human facts become general knowledge",
            0, 0},
        {"name", TT_ARG_TEXT, &name, "NAME", "of the corpus (default: the format)", 0, 0},
        TOKEN_ARGS(t),
    };
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv,
        "usage: tinythinker corpus import csqa TRAIN.jsonl DEV.jsonl -o F.h5\n"
        "       tinythinker corpus import obqa TRAIN.jsonl DEV.jsonl TEST.jsonl -o F.h5\n"
        "       tinythinker corpus import strategyqa FILE.json... -o F.h5 [--facts-as-recall]\n"
        "       tinythinker corpus import jsonl FILE.jsonl... -o F.h5",
        args, sizeof args / sizeof *args, &rest, 2, 64, &help));
    if (help) return TT_OK;
    if (!out) return tt_fail(TT_ERR_USAGE, "corpus import: -o F.h5 is missing");
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
    tt_str from = {0};
    tt_str_format(&from, "{\"format\": \"%s\", \"seed\": %lld, \"files\": %d}", format, (long long)seed, n);
    status = finish(&corpus, status, tt_str_text(&from), &t, out);
    tt_str_close(&from);
    return status;
}

static tt_status build(int argc, char **argv) {
    const char *out = NULL, *jsonl = NULL;
    tokens t = no_tokens;
    const tt_arg args[] = {
        {"o", TT_ARG_TEXT, &out, "F.h5", "the corpus to write", 0, 0},
        {"jsonl", TT_ARG_TEXT, &jsonl, "F.jsonl", "also keep the questions as JSONL", 0, 0},
        TOKEN_ARGS(t),
    };
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, "usage: tinythinker corpus build WORLD.yaml -o F.h5", args,
        sizeof args / sizeof *args, &rest, 1, 1, &help));
    if (help) return TT_OK;
    if (!out) return tt_fail(TT_ERR_USAGE, "corpus build: -o F.h5 is missing");
    if (jsonl) TT_TRY(tt_world_generate(rest.items[0], jsonl));
    TT_TRY(tt_world_corpus(rest.items[0], out));
    tt_corpus corpus;
    TT_TRY(tt_corpus_load(&corpus, out));
    return finish(&corpus, TT_OK, corpus.provenance, &t, out);
}

static tt_status reading(int argc, char **argv) {
    const char *texts = NULL, *pairs = NULL;
    const tt_arg args[] = {
        {"texts", TT_ARG_TEXT, &texts, "F.txt", "documents for span corruption, one a line", 0, 0},
        {"pairs", TT_ARG_TEXT, &pairs, "F.jsonl", "reading tasks, {\"input\", \"target\"} a line", 0, 0},
    };
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv,
        "usage: tinythinker corpus reading WORLD.yaml --texts F.txt --pairs F.jsonl", args,
        sizeof args / sizeof *args, &rest, 1, 1, &help));
    if (help) return TT_OK;
    if (!texts || !pairs) return tt_fail(TT_ERR_USAGE, "corpus reading: --texts and --pairs are needed");
    return tt_reading_generate(rest.items[0], texts, pairs);
}

static tt_status show(int argc, char **argv) {
    int64_t examples = 2;
    const tt_arg args[] = {
        {"examples", TT_ARG_INTEGER, &examples, "N", "questions to print in full (default 2)", 0, 1e9}};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv,
        "usage: tinythinker corpus show F.h5 [--examples N]\na corpus, or the preference pairs of a run: "
        "RUN/reflection_1/pairs.h5",
        args, 1, &rest, 1, 1, &help));
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
        {"import", import, "CommonsenseQA, OpenBookQA, StrategyQA or our JSONL to a corpus"},
        {"build", build, "a world's table and templates to a corpus"},
        {"reading", reading, "a world's reading tasks and texts, for pretraining"},
        {"show", show, "what a corpus holds"},
    };
    return tt_subcommand_run("corpus", commands, sizeof commands / sizeof *commands, argc, argv);
}
