// tinythinker teach: collects a teacher's reasoning about the training questions of a corpus.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/shipped.h"
#include "host/base/standard.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/cli/paths.h"
#include "host/model/checkpoint.h"
#include "host/teacher/collect.h"
#include "host/teacher/outside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct arguments {
    tt_texts overrides, import;
    const char *export;
    int64_t limit;
    double budget;
    bool estimate, keys;
} arguments;

static tt_status load_tokenizer(
    tt_tokenizer **out, const char *path, tt_checkpoint *student, tt_device **device) {
    const size_t n = strlen(path);
    *out = NULL;
    if (n < 3 || strcmp(path + n - 3, ".h5") != 0) return tt_tokenizer_load(out, path, 0);
    TT_TRY(tt_device_open(device, "cpu", TT_FP32, 1));
    TT_TRY(tt_checkpoint_load(student, path, *device));
    *out = student->tokenizer;
    return TT_OK;
}

static const char *plural(int64_t n) {
    return n == 1 ? "" : "s";
}

static void print_money(double money, const tt_price *price, const char *model) {
    if (price->known)
        printf(money > 0 && money < 0.1 ? "%.2g %s\n" : "%.2f %s\n", money, price->currency);
    else
        printf("not known; add %s to the price table\n", model);
}

static void print_duration(double seconds) {
    if (seconds < 120)
        printf("%.0f s\n", seconds);
    else if (seconds < 7200)
        printf("%.0f min\n", seconds / 60);
    else
        printf("%.1f h\n", seconds / 3600);
}

static void print_estimate(const tt_estimate *e, const tt_teach_plan *plan, const tt_price *price) {
    if (e->resumed)
        printf("estimate of the next round of what is missing");
    else
        printf("estimate of the first of %lld rounds", (long long)plan->rounds);
    printf(" (tokens counted by the tokenizer of\n%s):\n", plan->tokenizer);
    printf("  questions         %lld\n", (long long)e->questions);
    printf("  requests          %lld, of %s%lld answers each\n", (long long)e->requests,
        e->resumed ? "at most " : "", (long long)plan->choices);
    printf("  prompt tokens     %lld\n", (long long)e->prompt_tokens);
    printf("  answer tokens     %lld\n", (long long)e->answer_tokens);
    printf("  cost              ");
    print_money(e->money, price, plan->model);
    if (e->seconds > 0) {
        printf("  time at least     ");
        print_duration(e->seconds);
    }
}

static void print_report(const tt_collection_report *r, const tt_teach_plan *plan, const tt_price *price) {
    printf(
        "questions           %lld asked, %lld answered\n", (long long)r->questions, (long long)r->answered);
    printf("with reasoning      %lld, of these %lld with all %lld\n", (long long)r->with_reasoning,
        (long long)r->complete, (long long)plan->n_augment);
    printf("without reasoning   %lld\n", (long long)(r->questions - r->with_reasoning));
    printf("relabelled          %lld: the teacher's majority differs from the data set's gold\n",
        (long long)r->relabelled);
    printf("answers             %lld; of these\n", (long long)r->choices);
    for (int v = 0; v < TT_VERDICTS; ++v)
        if (r->verdicts[v])
            printf("  %-17s %7lld  %s\n", tt_verdict_word((tt_verdict)v), (long long)r->verdicts[v],
                tt_verdict_meaning((tt_verdict)v));
    printf("requests answered   %lld; %lld prompt and %lld answer tokens\n", (long long)r->requests,
        (long long)r->prompt_tokens, (long long)r->completion_tokens);
    printf("cost                ");
    print_money(r->money, price, plan->model);
    for (int t = 0; t < TT_TROUBLES; ++t)
        if (r->client.trouble[t])
            printf("repeated            %lld time%s: %s\n", (long long)r->client.trouble[t],
                plural(r->client.trouble[t]), tt_trouble_word((tt_trouble)t));
    for (int v = 0; v < TT_VERDICTS; ++v) {
        if (!r->examples[v]) continue;
        tt_str shown = {0};
        tt_str_append_visible(&shown, r->examples[v]);
        printf("\nfirst that is %s:\n%s\n", tt_verdict_word((tt_verdict)v), tt_str_text(&shown));
        tt_str_close(&shown);
    }
}

// How many reasonings stand where the corpus will be written; 0 where there is no file. Errors: no corpus is there.
static tt_status count_existing(const char *path, int64_t *n) {
    tt_corpus corpus = {0};
    *n = 0;
    if (access(path, F_OK) != 0) return TT_OK;
    if (tt_corpus_load(&corpus, path) != TT_OK)
        return tt_context(TT_ERR_CONFIG,
            "corpus: %s would be replaced, but can't be read as a corpus; name another file", path);
    *n = (int64_t)corpus.n_reasoning;
    tt_corpus_close(&corpus);
    return TT_OK;
}

// Writes the corpus, unless a fuller one would be lost.
static tt_status save_corpus(
    tt_collection *collection, const tt_teach_plan *plan, const tt_collection_report *report) {
    tt_corpus corpus = {0};
    int64_t before;
    if (report->reasonings == 0) {
        tt_warn(
            "no answer could be used as reasoning yet, so %s was not written; the answers are in the journal",
            plan->corpus);
        return TT_OK;
    }
    TT_TRY(count_existing(plan->corpus, &before));
    if (before > report->reasonings)
        return tt_fail(TT_ERR_CONFIG,
            "corpus: %s has %lld reasonings and would be replaced by %lld; remove it, or name another corpus "
            "(every answer is in %s)",
            plan->corpus, (long long)before, (long long)report->reasonings, plan->journal);
    tt_status status = tt_collection_corpus(collection, &corpus);
    if (status == TT_OK) status = tt_corpus_save(&corpus, plan->corpus);
    tt_corpus_close(&corpus);
    if (status == TT_OK) tt_info("wrote %s", plan->corpus);
    return status;
}

// Prints the report and writes the corpus.
static tt_status finish_collection(tt_collection *collection, const tt_teach_plan *plan,
    const tt_price *price, tt_collection_report *report) {
    TT_TRY(tt_collection_report_of(collection, report));
    print_report(report, plan, price);
    fflush(stdout);
    return save_corpus(collection, plan, report);
}

// Reasoning that the questions have stays with them.
static void warn_own_reasoning(const tt_corpus *questions, const tt_teach_plan *plan) {
    if (questions->n_reasoning > 0)
        tt_warn(
            "%s has %lld reasonings of its own, which %s will not have; tinythinker corpus merge puts both "
            "into one",
            plan->questions, (long long)questions->n_reasoning, plan->corpus);
}

static void warn_budget(const tt_collection_report *report, const tt_teach_plan *plan) {
    if (report->out_of_budget)
        tt_warn(
            "stopped before the budget of %.2f was spent; with a larger one the same command asks the rest",
            plan->budget);
}

static tt_status ask_endpoint(tt_collection *collection, const tt_teach_plan *plan) {
    char *key;
    TT_TRY(tt_key_read(&key, plan->key_variable, getenv(plan->key_variable)));
    const tt_client_options client = {.url = plan->url,
        .key = key,
        .key_variable = plan->key_variable,
        .in_flight = (int)plan->in_flight,
        .requests_per_minute = (double)plan->requests_per_minute,
        .tokens_per_minute = (double)plan->tokens_per_minute,
        .timeout = plan->timeout,
        .longest_wait = plan->longest_wait,
        .attempts = (int)plan->attempts,
        .seed = (uint64_t)plan->seed};
    tt_interrupt_defer(true); // requests on their way are paid for
    const tt_status status = tt_collection_run(collection, &client);
    tt_interrupt_defer(false);
    free(key);
    return status;
}

static tt_status collect_answers(
    tt_collection *collection, const tt_teach_plan *plan, const tt_price *price) {
    tt_collection_report report;
    tt_interrupt_resumes();
    const tt_status status = ask_endpoint(collection, plan);
    if (status == TT_ERR_INTERRUPTED)
        return tt_fail(
            status, "stopped; every answer is in %s; run the same command again to resume", plan->journal);
    TT_TRY(status);
    TT_TRY(finish_collection(collection, plan, price, &report));
    warn_budget(&report, plan);
    if (report.failed)
        return tt_fail(TT_ERR_IO, "%lld request%s failed%s; run the same command again to repeat %s",
            (long long)report.failed, plural(report.failed),
            report.client.gave_up ? ", many in a row, so that no more were sent" : "",
            report.failed == 1 ? "it" : "them");
    return TT_OK;
}

static tt_status export_batch(tt_collection *collection, const tt_teach_plan *plan, const char *directory) {
    tt_teach_batch_export exported;
    tt_collection_report report;
    TT_TRY(tt_collection_export(collection, directory, &exported));
    TT_TRY(tt_collection_report_of(collection, &report));
    if (exported.requests > 0)
        printf("wrote %lld request%s to %lld file%s, %s/batch-*.jsonl; when the provider has answered them, "
               "run\n"
               "teach again with --import-batch and the files it returns\n",
            (long long)exported.requests, exported.requests == 1 ? "" : "s", (long long)exported.files,
            exported.files == 1 ? "" : "s", directory);
    else if (!report.out_of_budget)
        printf("nothing is missing; no file was written\n");
    warn_budget(&report, plan);
    return TT_OK;
}

static tt_status import_batch(
    tt_collection *collection, const tt_teach_plan *plan, const tt_price *price, const tt_texts *files) {
    tt_teach_batch_import imported;
    tt_collection_report report;
    TT_TRY(tt_collection_import(collection, files->items, files->n, &imported));
    TT_TRY(finish_collection(collection, plan, price, &report));
    printf(
        "\nimported            %lld lines: %lld answers, %lld broken, %lld repeated or of other requests\n",
        (long long)imported.lines, (long long)imported.answered, (long long)imported.broken,
        (long long)imported.passed);
    if (imported.refused)
        printf("refused             %lld request%s, by the endpoint\n", (long long)imported.refused,
            plural(imported.refused));
    printf("missing             %lld requests, of these %lld with an error; --export-batch writes them\n",
        (long long)imported.open, (long long)imported.failed);
    if (imported.answered == 0 && imported.lines > 0 && imported.open > 0 && imported.failed == 0)
        tt_warn("none of the %lld lines answers a request that is missing; do the files belong to %s?",
            (long long)imported.lines, plan->journal);
    if (imported.failed)
        return tt_fail(TT_ERR_IO, "%lld request%s failed; export %s again with --export-batch",
            (long long)imported.failed, plural(imported.failed), imported.failed == 1 ? "it" : "them");
    if (imported.broken)
        return tt_fail(TT_ERR_FORMAT, "%lld line%s could not be read and %s left out; the rest is kept",
            (long long)imported.broken, plural(imported.broken), imported.broken == 1 ? "is" : "are");
    return TT_OK;
}

// Does what the options ask for.
static tt_status collect(
    tt_collection *collection, const arguments *a, const tt_teach_plan *plan, const tt_price *price) {
    if (a->estimate) return TT_OK;
    if (a->export) return export_batch(collection, plan, a->export);
    if (a->import.n) return import_batch(collection, plan, price, &a->import);
    return collect_answers(collection, plan, price);
}

// What the file names: nothing that is read may be written.
static tt_status check_paths(const arguments *a, const tt_teach_plan *plan, const char *file) {
    enum { OWN = 8, MOST = OWN + sizeof a->import.items / sizeof *a->import.items };
    tt_path_use uses[MOST] = {{"corpus", plan->corpus, TT_OUTPUT_FILE},
        {"journal", plan->journal, TT_OUTPUT_FILE}, {"--export-batch", a->export, TT_OUTPUT_FOLDER},
        {"questions", plan->questions, TT_INPUT}, {"prompts", plan->prompts, TT_INPUT},
        {"prices", plan->prices, TT_INPUT}, {"tokenizer", plan->tokenizer, TT_INPUT}, {NULL, file, TT_INPUT}};
    for (int i = 0; i < a->import.n; ++i)
        uses[OWN + i] = (tt_path_use){"--import-batch", a->import.items[i], TT_INPUT};
    return tt_paths_check("teach", uses, OWN + a->import.n);
}

// What the pool sets where the plan does not.
static tt_status load_pool(tt_pool *pool, tt_teach_plan *plan) {
    TT_TRY(tt_pool_load(pool, plan->prompts));
    for (int k = 0; k < TT_POOL_DEFAULTS; ++k)
        if (pool->defaults[k])
            TT_TRY(tt_teach_plan_default(plan, tt_pool_default_keys[k], pool->defaults[k], plan->prompts));
    return TT_OK;
}

// A file that cannot be read is named with its key, and where its name is a default, with what to do.
static tt_status name_key(tt_status status, const tt_teach_plan *plan, const char *key) {
    if (status != TT_ERR_IO) return status;
    if (tt_teach_plan_sets(plan, key)) return tt_context(status, "%s", key);
    return tt_context(status,
        "%s: its default is found where tinythinker is installed, or in the folder that TT_DATA names; set "
        "the key, or TT_DATA",
        key);
}

// Without the shipped table, prices are not known. A table that the plan names is there.
static tt_status load_price(tt_price *out, const tt_teach_plan *plan) {
    char found[TT_PATH_MAX];
    *out = (tt_price){0};
    if (!tt_teach_plan_sets(plan, "prices") &&
        !tt_file_exists(tt_shipped_find(plan->prices, found, sizeof found)))
        return TT_OK;
    return name_key(tt_price_load(out, plan->prices, plan->model), plan, "prices");
}

static tt_status run_plan(const arguments *a, tt_teach_plan *plan) {
    tt_pool pool = {0};
    tt_corpus questions = {0};
    tt_price price;
    tt_tokenizer *tokenizer = NULL;
    tt_checkpoint student = {0};
    tt_device *device = NULL;
    tt_collection *collection = NULL;
    tt_estimate estimate;
    TT_TRY(load_price(&price, plan));
    if (plan->budget > 0 && !price.known)
        return tt_fail(TT_ERR_CONFIG,
            "budget: %s has no price of %s, so that what is spent cannot be counted; add the price there, or "
            "set no budget",
            plan->prices, plan->model);
    int64_t existing;
    if (!a->estimate && !a->export) TT_TRY(count_existing(plan->corpus, &existing));
    tt_status status = name_key(load_pool(&pool, plan), plan, "prompts");
    if (status == TT_OK) status = name_key(tt_corpus_load(&questions, plan->questions), plan, "questions");
    if (status == TT_OK)
        status = name_key(load_tokenizer(&tokenizer, plan->tokenizer, &student, &device), plan, "tokenizer");
    if (status == TT_OK) {
        const tt_collection_options options = {.plan = plan,
            .pool = &pool,
            .questions = &questions,
            .tokenizer = tokenizer,
            .price = price,
            .limit = a->limit};
        status = tt_collection_open(&collection, &options);
    }
    if (status == TT_OK) warn_own_reasoning(&questions, plan);
    if (status == TT_OK) status = tt_collection_resume(collection);
    if (status == TT_OK) status = tt_collection_estimate(collection, &estimate);
    if (status == TT_OK) {
        if (a->import.n == 0) print_estimate(&estimate, plan, &price);
        tt_standard_flush();
        status = collect(collection, a, plan, &price);
    }
    tt_collection_close(collection);
    if (tokenizer != student.tokenizer) tt_tokenizer_close(tokenizer);
    tt_checkpoint_close(&student);
    if (device) tt_device_close(device);
    tt_corpus_close(&questions);
    tt_pool_close(&pool);
    return status;
}

// Files behind TEACH.yaml belong to --import-batch.
static tt_status check_arguments(arguments *a, const tt_texts *rest) {
    if (rest->n == 0) return tt_fail(TT_ERR_USAGE, "teach: expected a file, TEACH.yaml");
    if (rest->n > 1 && a->import.n == 0)
        return tt_fail(TT_ERR_USAGE, "teach: expected one file, TEACH.yaml; got '%s' too", rest->items[1]);
    if (a->estimate + (a->export != NULL) + (a->import.n > 0) > 1)
        return tt_fail(
            TT_ERR_USAGE, "teach: --estimate, --export-batch and --import-batch exclude each other");
    for (int i = 1; i < rest->n; ++i) {
        if (a->import.n == (int)(sizeof a->import.items / sizeof *a->import.items))
            return tt_fail(TT_ERR_USAGE, "teach: more than %d files to import", a->import.n);
        a->import.items[a->import.n++] = rest->items[i];
    }
    return TT_OK;
}

tt_status tt_cmd_teach(int argc, char **argv) {
    arguments a = {.budget = -1};
    const tt_arg options[] = {
        TT_OPTION_FLAG("estimate", &a.estimate, "Prints what the first round would take, and asks nothing."),
        TT_OPTION_INTEGER("limit", &a.limit, "N", 1, 1e9, "Asks only the first N training questions."),
        TT_OPTION_REAL(
            "budget", &a.budget, "X", 0, 1e9, "Stops before more than X is spent, by the price table."),
        TT_OPTION_PATH("export-batch", &a.export, "DIR", TT_OUTPUT_FOLDER,
            "Writes the next round's requests to DIR as batch files for a provider, and asks nothing."),
        TT_OPTION_INPUTS("import-batch", &a.import, "FILE...",
            "Takes the answers from the files that the provider returns for a batch."),
        TT_OPTION_TEXTS("set", &a.overrides, "KEY=VALUE", "Sets a key over the file; may be repeated."),
        TT_OPTION_FLAG("keys", &a.keys, "Lists every key of the file with its default and meaning."),
    };
    const tt_args args = {.usage = "tinythinker teach TEACH.yaml [options]\n"
                                   "tinythinker teach TEACH.yaml --export-batch DIR\n"
                                   "tinythinker teach TEACH.yaml --import-batch FILE...",
        .about =
            "Asks a teacher, at any OpenAI-compatible endpoint, to reason about the training questions of a "
            "corpus, and writes a corpus with the reasoning that it selects. Every answer is kept as it "
            "comes: run again, the command asks only for what is missing.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 0,
        .most = 256,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (a.keys) {
        tt_teach_plan_help(stdout);
        return TT_OK;
    }
    TT_TRY(check_arguments(&a, &rest));
    if (a.budget == 0)
        return tt_fail(TT_ERR_USAGE, "teach: a budget of 0 buys nothing; leave it out for no limit");
    tt_teach_plan plan;
    TT_TRY(tt_teach_plan_load(&plan, rest.items[0], a.overrides.items, a.overrides.n));
    if (a.budget > 0) plan.budget = a.budget;
    tt_status status = check_paths(&a, &plan, rest.items[0]);
    if (status == TT_OK) status = run_plan(&a, &plan);
    tt_teach_plan_close(&plan);
    return status;
}
