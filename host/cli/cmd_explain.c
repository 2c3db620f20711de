// tinythinker explain: which stage decided a student's wrong answers.
#include "host/base/cores.h"
#include "host/base/fs.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/cli/show_run.h"
#include "host/lab/run_directory.h"
#include "host/model/checkpoint.h"
#include "host/reason/diagnose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct explanation {
    const char *split_name;
    tt_split split;
    int64_t limit;
    tt_corpus corpus;
    const tt_question **asked;
    int *indices; // of the questions asked
    int n;
    tt_chain chain; // the student's own way
    tt_diagnosis *diagnoses;
} explanation;

static tt_status choose_questions(explanation *e) {
    const size_t all = e->corpus.n_questions;
    TT_TRY(tt_alloc(&e->asked, all + 1, sizeof(void *), "questions"));
    TT_TRY(tt_alloc(&e->indices, all + 1, sizeof *e->indices, "questions"));
    TT_TRY(tt_alloc(&e->diagnoses, all + 1, sizeof *e->diagnoses, "diagnoses"));
    for (size_t i = 0; i < all; ++i) {
        if (e->corpus.questions[i].split != e->split || (e->limit > 0 && e->n == e->limit)) continue;
        e->asked[e->n] = &e->corpus.questions[i];
        e->indices[e->n++] = (int)i;
    }
    if (e->n > 0) return TT_OK;
    return tt_fail(TT_ERR_INPUT, "corpus %s has no questions in split %s", e->corpus.name, e->split_name);
}

static bool is_right(const explanation *e, int i) {
    return e->chain.runs[i].answer == tt_right_answer(e->asked[i]);
}

static void show_counts(const explanation *e, FILE *out) {
    int right = 0, untaught = 0, stages[TT_STAGES] = {0};
    for (int i = 0; i < e->n; ++i) {
        if (is_right(e, i))
            right++;
        else if (e->diagnoses[i].teacher)
            stages[e->diagnoses[i].stage]++;
        else
            untaught++;
    }
    fprintf(out, "%s: %d of %d answers are correct (greedy).\n", e->split_name, right, e->n);
    if (right == e->n) return;
    fprintf(out,
        "Which stage decided the wrong ones (%d), by replacing the student's texts with the teacher's:\n",
        e->n - right);
    fprintf(out, "  %-10s %5d  correct with the teacher's recall\n", "recall", stages[TT_RECALL]);
    fprintf(
        out, "  %-10s %5d  correct with the teacher's recall and analyses\n", "analyze", stages[TT_ANALYZE]);
    fprintf(out, "  %-10s %5d  wrong with both\n", "summarize", stages[TT_SUMMARIZE]);
    if (untaught)
        fprintf(out, "  %-10s %5d  the corpus has no right reasoning of the teacher\n", "unknown", untaught);
}

static void show_substitution(const explanation *e, int i, const char *what, int answer, FILE *out) {
    fprintf(out, "  With the teacher's %s the student answers ", what);
    tt_show_option(e->asked[i], answer, out);
    fprintf(out, "\n");
}

// The first correct answer of the split, or the first wrong one.
static void show_first(const explanation *e, bool right, FILE *out) {
    int i = 0;
    while (i < e->n && is_right(e, i) != right) ++i;
    if (i == e->n) return;
    const tt_question *q = e->asked[i];
    const tt_diagnosis *d = &e->diagnoses[i];
    char title[64];
    snprintf(title, sizeof title, "The first %s answer: %s", right ? "correct" : "wrong", q->id);
    tt_show_heading(title, out);
    tt_show_question(q, out);
    tt_show_run(q, &e->chain.runs[i], out);
    tt_show_heading("Answer", out);
    fprintf(out, "  ");
    tt_show_option(q, e->chain.runs[i].answer, out);
    if (!right) {
        fprintf(out, ", wrong; the correct option is ");
        tt_show_option(q, tt_right_answer(q), out);
    }
    fprintf(out, "\n");
    if (!d->teacher) return;
    show_substitution(e, i, "recall", d->with_recall, out);
    show_substitution(e, i, "recall and analyses", d->with_analyses, out);
    if (right) return;
    fprintf(out, "  Decided in: %s.\n", tt_stage_name(d->stage));
    if (d->stage == TT_RECALL) fprintf(out, "  The teacher's recall: %s\n", d->teacher->general);
    for (int o = 0; d->stage == TT_ANALYZE && o < q->n_options; ++o)
        if (strcmp(d->teacher->specific[o], e->chain.runs[i].specific[o]) != 0)
            fprintf(out, "  The teacher's analysis of (%c): %s\n", 'A' + o, d->teacher->specific[o]);
}

// The wrong answers and the first right one: indices into e->asked, to places[]; their number.
static int choose_diagnosed(const explanation *e, int *places) {
    int n = 0;
    bool seen_right = false;
    for (int i = 0; i < e->n; ++i) {
        if (is_right(e, i) && seen_right) continue;
        seen_right |= is_right(e, i);
        places[n++] = i;
    }
    return n;
}

static tt_status diagnose_answers(explanation *e, tt_engine *engine, const tt_chain_options *options) {
    int *places, *questions = NULL;
    tt_diagnosis *diagnoses = NULL;
    TT_TRY(tt_alloc(&places, (size_t)e->n, sizeof *places, "questions"));
    tt_status status = tt_alloc(&questions, (size_t)e->n, sizeof *questions, "questions");
    if (status == TT_OK) status = tt_alloc(&diagnoses, (size_t)e->n, sizeof *diagnoses, "diagnoses");
    if (status == TT_OK) {
        const int n = choose_diagnosed(e, places);
        for (int k = 0; k < n; ++k) questions[k] = e->indices[places[k]];
        status = tt_diagnose(diagnoses, engine,
            &(tt_diagnosis_request){
                .corpus = &e->corpus, .questions = questions, .n = n, .options = options});
        for (int k = 0; k < n && status == TT_OK; ++k) e->diagnoses[places[k]] = diagnoses[k];
    }
    free(places);
    free(questions);
    free(diagnoses);
    return status;
}

static tt_status ask_all(explanation *e, const tt_config *config, tt_checkpoint *student) {
    const tt_chain_options options = {.tokenizer = student->tokenizer,
        .set = TT_SET_ALL,
        .decoding = tt_decoding_of(config),
        .max_input = tt_prompt_limit_of(config)};
    tt_engine *engine;
    TT_TRY(tt_engine_open(
        &engine, student->model, (int)config->evaluation.slots, (int)config->evaluation.max_length));
    tt_status status = tt_chain_generate(&e->chain, engine, e->asked, e->n, &options);
    if (status == TT_OK) status = diagnose_answers(e, engine, &options);
    tt_engine_close(engine);
    return status;
}

// The corpus must be the one that the run began with, as its environment.json says.
static tt_status check_corpus(const explanation *e, const char *run) {
    char path[TT_PATH_MAX], hash[32];
    TT_TRY(tt_path_join(path, sizeof path, run, "environment.json"));
    json_t *environment = NULL;
    if (tt_file_exists(path) && tt_json_read(&environment, path, 1 << 20) != TT_OK)
        tt_warn("%s; whether the corpus has changed is not checked", tt_error_message());
    const char *known = json_string_value(json_object_get(environment, "corpus"));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)e->corpus.hash);
    tt_status status = TT_OK;
    if (known && strcmp(known, hash) != 0)
        status = tt_fail(TT_ERR_INPUT,
            "%s: the corpus has changed since this run began (its hash was %s and is %s now)", run, known,
            hash);
    json_decref(environment);
    return status;
}

static tt_status explain_run(
    explanation *e, const char *run, const tt_config *config, const char *device_name) {
    char best[TT_PATH_MAX], corpus[TT_PATH_MAX];
    tt_device *device;
    tt_checkpoint student = {0};
    TT_TRY(tt_path_join(best, sizeof best, run, "best.h5"));
    TT_TRY(tt_path_join(corpus, sizeof corpus, run, "corpus.h5"));
    tt_precision precision;
    TT_TRY(tt_corpus_load(&e->corpus, tt_file_exists(corpus) ? corpus : config->corpus));
    TT_TRY(check_corpus(e, run));
    TT_TRY(choose_questions(e));
    TT_TRY(tt_precision_parse(&precision, config->precision));
    TT_TRY(tt_device_open(&device, device_name, precision, tt_cores_limit((int)config->threads, "threads")));
    tt_status status = tt_checkpoint_load(&student, best, device);
    if (status == TT_OK) status = ask_all(e, config, &student);
    tt_checkpoint_close(&student);
    tt_device_close(device);
    return status;
}

tt_status tt_cmd_explain(int argc, char **argv) {
    explanation e = {.split_name = "test", .limit = -1};
    const char *device = "auto";
    const tt_arg options[] = {
        TT_OPTION_WORD(
            "split", &e.split_name, "NAME", TT_WORDS(TT_SPLIT_MAP), "Split to ask (default test)."),
        TT_OPTION_INTEGER("limit", &e.limit, "N", 0, 1e9,
            "Asks only the first N questions of the split. 0 = all (default: the run's "
            "evaluation.questions)."),
        TT_OPTION_WORD("device", &device, "NAME", TT_DEVICE_WORDS, "Device to compute on (default auto)."),
    };
    const tt_args args = {.usage = "tinythinker explain RUN [options]",
        .about =
            "Asks the run's best student the questions of a split again, as in the run's final evaluation, "
            "and says which stage "
            "decided its wrong answers: the first whose text, replaced by the teacher's, makes the answer "
            "right. Shows the first correct and the first wrong answer, with all stages.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = 1};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    TT_TRY(tt_split_parse(&e.split, e.split_name));
    char path[TT_PATH_MAX];
    tt_config config;
    TT_TRY(tt_path_join(path, sizeof path, rest.items[0], "config.yaml"));
    if (access(path, F_OK) != 0 && errno != ENOENT && errno != ENOTDIR)
        return tt_fail(TT_ERR_IO, "explain: %s: cannot open: %s", rest.items[0], strerror(errno));
    if (!tt_file_exists(path))
        return tt_fail(TT_ERR_USAGE,
            "explain: %s: not a run directory; expected one that `tinythinker run` writes", rest.items[0]);
    TT_TRY(tt_config_load_written(&config, path));
    if (e.limit < 0) e.limit = config.evaluation.questions;
    tt_status status =
        strcmp(config.stages, "all") == 0
            ? explain_run(&e, rest.items[0], &config, device)
            : tt_fail(TT_ERR_USAGE,
                  "explain: %s has stages: %s; only a student of all three stages can be explained",
                  rest.items[0], config.stages);
    if (status == TT_OK) {
        show_counts(&e, stdout);
        show_first(&e, true, stdout);
        show_first(&e, false, stdout);
    }
    tt_chain_close(&e.chain);
    free(e.asked);
    free(e.indices);
    free(e.diagnoses);
    tt_corpus_close(&e.corpus);
    tt_config_close(&config);
    return status;
}
