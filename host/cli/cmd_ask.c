// tinythinker ask: reasons about one question and shows its stages.
#include "host/base/standard.h"
#include "host/base/str.h"
#include "host/base/terminal.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/cli/show_run.h"
#include "host/model/checkpoint.h"
#include "host/reason/chain.h"
#include "host/reason/vote.h"
#include "host/text/limit.h"
#include "kernels/ops.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SAMPLES = 1024 };

static bool on_terminal(void) {
    return tt_terminal(STDOUT_FILENO);
}

// A text on the terminal while it is generated.
typedef struct live_text {
    const tt_question *question;
    size_t shown; // bytes
    bool begun;
} live_text;

static tt_status show_live(void *context, const tt_chain_text *text) {
    live_text *live = context;
    if (!live->begun) tt_show_introduction(live->question, text->stage, text->option, stdout);
    live->begun = true;
    const size_t length = strlen(text->text);
    if (length > live->shown) {
        fputs(text->text + live->shown, stdout);
        live->shown = length;
    }
    if (text->ended) {
        putchar('\n');
        *live = (live_text){.question = live->question};
    }
    tt_standard_flush();
    return TT_OK;
}

static void show_vote(const tt_question *q, const tt_chain_run *runs, int n) {
    int votes[TT_MAX_OPTIONS] = {0}, unreadable = 0;
    for (int i = 0; i < n; ++i) {
        if (runs[i].answer >= 0)
            votes[runs[i].answer]++;
        else
            unreadable++;
    }
    char title[64];
    snprintf(title, sizeof title, "Votes of %d runs", n);
    tt_show_heading(title, stdout);
    for (int i = 0; i < q->n_options; ++i) printf("  (%c) %-24s %d\n", 'A' + i, q->options[i], votes[i]);
    if (unreadable) printf("  unreadable: %d\n", unreadable);
}

static void show_answer(const tt_question *q, int answer) {
    tt_show_heading("Answer", stdout);
    if (answer < 0)
        printf("  unreadable: the last text names no option\n");
    else
        printf("  (%c) %s\n", 'A' + answer, q->options[answer]);
}

// On a terminal, a single run is shown while it is generated, one text after another. Elsewhere, and if runs
// vote, all texts are generated together.
static tt_status ask_question(
    tt_checkpoint *student, const tt_question *q, const tt_chain_options *greedy, int samples) {
    tt_engine *engine;
    tt_chain chain = {0};
    tt_chain_options options = *greedy;
    options.tokenizer = student->tokenizer;
    live_text live = {.question = q};
    const int beams = options.decoding.beams;
    const bool watched = on_terminal() && samples == 0 && beams <= 1;
    options.samples = samples;
    options.watch = watched ? show_live : NULL;
    options.watch_context = &live;
    const int together = (samples ? samples : 1) * q->n_options * beams,
              slots = together < 128 || together < beams ? together
                      : beams > 128                      ? beams
                                                         : 128;
    TT_TRY(tt_engine_open(&engine, student->model, watched ? 1 : slots, options.decoding.max_length));
    tt_show_question(q, stdout);
    tt_status status = tt_chain_generate(&chain, engine, &q, 1, &options);
    if (status == TT_OK) {
        int answers[MOST_SAMPLES];
        for (int i = 0; i < chain.runs_each; ++i) answers[i] = chain.runs[i].answer;
        const int answer = tt_vote(answers, chain.runs_each, q->n_options);
        int shown = 0; // the first run that agrees with the vote
        while (shown + 1 < chain.runs_each && answers[shown] != answer) ++shown;
        if (!watched) tt_show_run(q, &chain.runs[shown], stdout);
        if (samples) show_vote(q, chain.runs, chain.runs_each);
        show_answer(q, answer);
        tt_limit_warn_prompts("ask", chain.cut, chain.prompts, options.max_input, "--max-input");
    } else if (live.begun) {
        putchar('\n');
    }
    tt_chain_close(&chain);
    tt_engine_close(engine);
    return status;
}

tt_status tt_cmd_ask(int argc, char **argv) {
    const char *model = NULL, *stages = "all";
    int64_t samples = 0, seed = 1, max_length = 200, max_input = 512, beams = 1;
    double temperature = 0.7;
    const tt_arg options[] = {
        TT_OPTION_PATH("model", &model, "F.h5", TT_INPUT, "Checkpoint of the student."),
        TT_OPTION_WORD(
            "stages", &stages, "SET", TT_WORDS(TT_STAGE_SET_MAP), "Stages of the reasoning (default all)."),
        TT_OPTION_INTEGER("samples", &samples, "N", 0, MOST_SAMPLES,
            "Samples N runs and lets their answers vote (default 0: one greedy run)."),
        TT_OPTION_REAL(
            "temperature", &temperature, "T", 0, 100, "Temperature of sampled stages (default 0.7)."),
        TT_OPTION_INTEGER("beams", &beams, "N", 1, TT_MOST_BEAMS,
            "Width of the beam search of stages that are not sampled (default 1: greedy)."),
        TT_OPTION_INTEGER("max-length", &max_length, "N", 2, 1e6,
            "Longest generated text in tokens, start token included (default 200)."),
        TT_OPTION_INTEGER("max-input", &max_input, "N", 2, 30000,
            "Longest prompt in tokens; the rest is cut (default 512)."),
        TT_OPTION_INTEGER("seed", &seed, "N", 0, 9e15, "Seed for sampling (default 1)."),
    };
    const tt_args usage = {
        .usage = "tinythinker ask --model F.h5 [options] \"question\" \"option\" \"option\" ...",
        .about =
            "Reasons about one question and shows the text of each stage, the votes if runs were sampled, "
            "and the answer.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 3,
        .most = TT_MAX_OPTIONS + 1};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &usage, &rest, &help));
    if (help) return TT_OK;
    if (!model) return tt_fail(TT_ERR_USAGE, "ask: --model is missing; see tinythinker ask --help");
    tt_chain_options chain = {.decoding = {.temperature = (float)temperature,
                                  .top_p = 1,
                                  .max_length = (int)max_length,
                                  .beams = (int)beams,
                                  .length_penalty = 1,
                                  .seed = (uint64_t)seed},
        .sampled = {[TT_RECALL] = true, [TT_ANALYZE] = true},
        .max_input = (int)max_input};
    TT_TRY(tt_stage_set_parse(&chain.set, stages));
    chain.sampled[TT_SUMMARIZE] = chain.set == TT_SET_CHAIN_OF_THOUGHT;
    tt_corpus one = {0}; // a corpus, for its checks of questions
    tt_device *device;
    tt_checkpoint student = {0};
    tt_status status = tt_corpus_add_question(
        &one, &(tt_question){
                  .id = "asked", .text = rest.items[0], .options = rest.items + 1, .n_options = rest.n - 1});
    if (status == TT_OK) status = tt_device_open(&device, "auto", TT_FP32, 0);
    if (status == TT_OK) {
        status = tt_checkpoint_load(&student, model, device);
        if (status == TT_OK) status = ask_question(&student, &one.questions[0], &chain, (int)samples);
        tt_checkpoint_close(&student);
        tt_device_close(device);
    }
    tt_corpus_close(&one);
    return status;
}
