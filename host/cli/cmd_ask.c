// tinythinker ask: reasons about one question and shows its stages.
#include "host/base/log.h"
#include "host/base/str.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/model/checkpoint.h"
#include "host/reason/chain.h"
#include "host/reason/vote.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

// Bold headings and words one after another on a terminal, plain text elsewhere.
static void heading(const char *text) {
    printf(isatty(STDOUT_FILENO) ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

static void write_out(const char *text) {
    if (!isatty(STDOUT_FILENO)) {
        printf("%s\n", text);
        return;
    }
    for (; *text; ++text) {
        putchar(*text);
        if (*text != ' ') continue;
        fflush(stdout);
        nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    }
    putchar('\n');
}

static void show_run(const tt_question *q, const tt_chain_run *run) {
    if (run->general) {
        heading("Recall");
        printf("  ");
        write_out(run->general);
    }
    if (run->specific) {
        heading("Analyze");
        for (int i = 0; i < q->n_options; ++i) {
            printf("  (%c) %s: ", 'A' + i, q->options[i]);
            write_out(run->specific[i]);
        }
    }
    heading("Summarize");
    printf("  ");
    write_out(run->summary);
}

static void show_vote(const tt_question *q, const tt_chain_run *runs, int n) {
    int votes[TT_MAX_OPTIONS] = {0}, unread = 0;
    for (int i = 0; i < n; ++i) {
        if (runs[i].answer >= 0)
            votes[runs[i].answer]++;
        else
            unread++;
    }
    char title[64];
    snprintf(title, sizeof title, "Votes of %d runs", n);
    heading(title);
    for (int i = 0; i < q->n_options; ++i) printf("  (%c) %-24s %d\n", 'A' + i, q->options[i], votes[i]);
    if (unread) printf("  no answer read: %d\n", unread);
}

static tt_status ask(
    tt_checkpoint *student, const tt_question *q, const tt_chain_options *greedy, int samples) {
    tt_engine *engine;
    tt_chain chain = {0};
    tt_chain_options options = *greedy;
    options.samples = samples;
    TT_TRY(tt_engine_open(&engine, student->model, samples ? 4 * samples : 8, options.decoding.max_length));
    tt_status status = tt_chain_generate(&chain, engine, student->tokenizer, &q, 1, &options);
    if (status == TT_OK) {
        int answers[1024];
        for (int i = 0; i < chain.runs_each; ++i) answers[i] = chain.runs[i].answer;
        const int answer = tt_vote(answers, chain.runs_each, q->n_options);
        int shown = 0; // the first run that agrees with the vote
        while (shown + 1 < chain.runs_each && answers[shown] != answer) ++shown;
        printf("%s\n", q->text);
        for (int i = 0; i < q->n_options; ++i) printf("  (%c) %s\n", 'A' + i, q->options[i]);
        show_run(q, &chain.runs[shown]);
        if (samples) show_vote(q, chain.runs, chain.runs_each);
        heading("Answer");
        if (answer < 0)
            printf("  none could be read\n");
        else
            printf("  (%c) %s\n", 'A' + answer, q->options[answer]);
    }
    tt_chain_close(&chain);
    tt_engine_close(engine);
    return status;
}

tt_status tt_cmd_ask(int argc, char **argv) {
    const char *model = NULL, *stages = "all";
    int64_t samples = 0, seed = 1, max_length = 200;
    double temperature = 0.7;
    const tt_arg args[] = {
        {"model", TT_ARG_TEXT, &model, "F.h5", "the student", 0, 0},
        {"stages", TT_ARG_TEXT, &stages, "SET", "all (default), no_recall, no_analyze or summarize_only", 0,
            0},
        {"samples", TT_ARG_INTEGER, &samples, "N", "let N sampled runs vote", 0, 1024},
        {"temperature", TT_ARG_REAL, &temperature, "T", "of sampled stages (default 0.7)", 0, 100},
        {"max-length", TT_ARG_INTEGER, &max_length, "N",
            "generated tokens, start token counted (default 200)", 2, 1e6},
        {"seed", TT_ARG_INTEGER, &seed, "N", "of sampling (default 1)", 0, 9e15},
    };
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv,
        "usage: tinythinker ask --model F.h5 \"question\" \"option\" \"option\" ...", args,
        sizeof args / sizeof *args, &rest, 3, TT_MAX_OPTIONS + 1, &help));
    if (help) return TT_OK;
    if (!model) return tt_fail(TT_ERR_USAGE, "ask: --model is missing");
    tt_chain_options options = {.decoding = {.temperature = (float)temperature,
                                    .top_p = 1,
                                    .max_length = (int)max_length,
                                    .seed = (uint64_t)seed},
        .max_input = 4096};
    TT_TRY(tt_stage_set_parse(&options.set, stages));
    tt_corpus one = {0}; // its checks are those of any question
    tt_device *device;
    tt_checkpoint student = {0};
    tt_status status = tt_corpus_add_question(
        &one, &(tt_question){
                  .id = "asked", .text = rest.items[0], .options = rest.items + 1, .n_options = rest.n - 1});
    if (status == TT_OK) status = tt_device_open(&device, "auto", TT_FP32, 0);
    if (status == TT_OK) {
        status = tt_checkpoint_load(&student, model, device);
        if (status == TT_OK) status = ask(&student, &one.questions[0], &options, (int)samples);
        tt_checkpoint_close(&student);
        tt_device_close(device);
    }
    tt_corpus_close(&one);
    return status;
}
