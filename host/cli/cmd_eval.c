// tinythinker eval: scores a student on splits of a corpus.
#include "host/base/output.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/dist/comm.h"
#include "host/dist/gpu.h"
#include "host/dist/precision.h"
#include "host/model/checkpoint.h"
#include "host/reason/evaluate.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct arguments {
    const char *model, *corpus, *stages, *device, *predictions;
    tt_precision precision;
    tt_texts splits;
    int64_t samples, limit, slots, max_length, min_length, max_input, top_k, beams, seed, threads;
    double temperature, top_p, length_penalty, repetition_penalty;
    const char *early_stopping;
    bool json;
} arguments;

// Prints members of a JSON object, one for each stage that wrote texts: their length, and the share that
// never ended.
static void print_stages(const tt_evaluation *e) {
    const char *comma = "";
    for (int stage = 0; stage < TT_STAGES; ++stage) {
        if (!(e->length[stage] > 0)) continue;
        printf("%s\"%s\": {\"mean_tokens\": %.3f, \"unended\": %.6f}", comma, tt_stage_name((tt_stage)stage),
            e->length[stage], e->unended[stage]);
        comma = ", ";
    }
}

static void print_score(const arguments *a, const char *split, const char *how, const tt_evaluation *e) {
    if (a->json) {
        printf("{\"split\": \"%s\", \"decoding\": \"%s\", \"accuracy\": %.6f, \"ci95\": [%.6f, %.6f], "
               "\"n\": %d, \"right\": %d, \"unanswered\": %d, \"stages\": {",
            split, how, e->accuracy, e->low, e->high, e->n, e->right, e->unanswered);
        print_stages(e);
        printf("}, \"tokens_per_second\": %.1f, \"texts\": {\"asked\": %.0f, \"written\": %.0f}, "
               "\"tokens\": {\"written\": %.0f, \"shared\": %.0f}",
            e->tokens / e->seconds, e->asked, e->texts, e->tokens, e->shared);
        printf(", \"slot_use\": %.3f, \"pieces\": %d, \"of_a_rank\": [%d, %d]}\n", e->slot_use, e->pieces,
            e->fewest_pieces, e->most_pieces);
        return;
    }
    printf("%-11s %-22s %5.1f %%  [%4.1f, %4.1f]  %6d  %10d  %9.0f\n", split, how, 100 * e->accuracy,
        100 * e->low, 100 * e->high, e->n, e->unanswered, e->tokens / e->seconds);
    printf("%-11s ", "");
    for (int stage = 0; stage < TT_STAGES; ++stage)
        if (e->length[stage] > 0)
            printf("%s: %.1f tokens%s", tt_stage_name((tt_stage)stage), e->length[stage],
                stage == TT_SUMMARIZE ? "" : "; ");
    const double worst = fmax(e->unended[TT_RECALL], fmax(e->unended[TT_ANALYZE], e->unended[TT_SUMMARIZE]));
    if (worst > 0) printf(" (up to %.1f %% of a stage's texts never end)", 100 * worst);
    putchar('\n');
}

static tt_status score_splits(const arguments *a, tt_comm *comm, const tt_checkpoint *student,
    const tt_corpus *corpus, FILE *predictions) {
    tt_stage_set set;
    bool cuts_warned = false;
    TT_TRY(tt_stage_set_parse(&set, a->stages));
    if (comm->rank == 0 && !a->json)
        printf("%-11s %-22s %7s  %-12s  %6s  %10s  %9s\n", "split", "decoding", "right", "95 %", "n",
            "unreadable", "tokens/s");
    for (int i = 0; i < a->splits.n; ++i)
        for (int voted = 0; voted < (a->samples ? 2 : 1); ++voted) {
            tt_evaluate_options o = {.corpus = corpus,
                .set = set,
                .questions = a->limit,
                .samples = voted ? (int)a->samples : 0,
                .decoding = {.temperature = (float)a->temperature,
                    .top_p = (float)a->top_p,
                    .top_k = (int)a->top_k,
                    .max_length = (int)a->max_length,
                    .min_length = (int)a->min_length,
                    .repetition_penalty = (float)a->repetition_penalty,
                    .beams = (int)a->beams,
                    .length_penalty = (float)a->length_penalty,
                    .seed = (uint64_t)a->seed},
                .max_input = (int)a->max_input,
                .slots = (int)a->slots,
                .limit_name = "--max-input",
                .cuts_warned = &cuts_warned,
                .predictions = predictions,
                .label = a->splits.items[i]};
            tt_evaluation e;
            char how[64];
            tt_decoding_name(how, (int)a->beams);
            TT_TRY(tt_early_stopping_parse(&o.decoding.early_stopping, a->early_stopping));
            TT_TRY(tt_split_parse(&o.split, a->splits.items[i]));
            TT_TRY(tt_evaluate(student->model, student->tokenizer, comm, &o, &e));
            if (voted) snprintf(how, sizeof how, "vote of %lld samples", (long long)a->samples);
            if (comm->rank == 0) print_score(a, a->splits.items[i], how, &e);
        }
    return TT_OK;
}

static tt_status evaluate_splits(const arguments *a, tt_comm *comm) {
    tt_device *device;
    tt_checkpoint student = {0};
    tt_corpus corpus = {0};
    tt_output predictions = {0};
    tt_precision precision = a->precision;
    TT_TRY(tt_comm_choose_gpu(comm, a->device));
    TT_TRY(tt_comm_precision(comm, a->device, &precision));
    const int threads = tt_comm_threads(comm, a->threads);
    TT_TRY(tt_comm_agree(comm, tt_device_open(&device, a->device, precision, threads)));
    tt_status status = tt_checkpoint_load(&student, a->model, device);
    if (status == TT_OK) status = tt_corpus_load(&corpus, a->corpus);
    if (status == TT_OK && a->predictions && comm->rank == 0)
        status = tt_output_open(&predictions, a->predictions);
    status = tt_comm_agree(comm, status);
    if (status == TT_OK) status = score_splits(a, comm, &student, &corpus, predictions.file);
    if (status == TT_ERR_IO && predictions.file && ferror(predictions.file))
        status = tt_context(status, "%s", tt_output_name(a->predictions));
    status = tt_output_close(&predictions, status);
    tt_corpus_close(&corpus);
    tt_checkpoint_close(&student);
    tt_device_close(device);
    return status;
}

// Sets the slots where they are not given.
static tt_status check_lengths(arguments *a) {
    if (a->slots == 0) a->slots = a->beams > 128 ? a->beams : 128;
    if (a->beams > a->slots)
        return tt_fail(TT_ERR_USAGE,
            "eval: --beams %lld: more than the %lld of --slots, of which each beam takes one",
            (long long)a->beams, (long long)a->slots);
    if (a->min_length > a->max_length)
        return tt_fail(TT_ERR_USAGE,
            "eval: --min-length %lld: above the %lld of --max-length, so that no text could end",
            (long long)a->min_length, (long long)a->max_length);
    return TT_OK;
}

tt_status tt_cmd_eval(int argc, char **argv) {
    arguments a = {.stages = "all",
        .device = "auto",
        .max_length = 200,
        .max_input = 512,
        .temperature = 0.7,
        .top_p = 1,
        .beams = 1,
        .length_penalty = 1,
        .repetition_penalty = 1,
        .early_stopping = "false",
        .seed = 1};
    const char *precision = "fp32";
    const tt_arg options[] = {
        TT_OPTION_PATH("model", &a.model, "F.h5", TT_INPUT, "Checkpoint of the student."),
        TT_OPTION_PATH("corpus", &a.corpus, "F.h5", TT_INPUT, "Corpus with the questions."),
        TT_OPTION_WORDS("split", &a.splits, "NAME", TT_WORDS(TT_SPLIT_MAP),
            "Split to score (default test). May be repeated."),
        TT_OPTION_WORD(
            "stages", &a.stages, "SET", TT_WORDS(TT_STAGE_SET_MAP), "Stages of the reasoning (default all)."),
        TT_OPTION_INTEGER("samples", &a.samples, "N", 0, 10000,
            "Also scores self-consistency: the vote of N sampled runs (default 0: greedy answers only)."),
        TT_OPTION_REAL(
            "temperature", &a.temperature, "T", 0, 100, "Temperature of sampled stages (default 0.7)."),
        TT_OPTION_INTEGER(
            "top-k", &a.top_k, "K", 0, 1e6, "Samples from the K most likely tokens (default 0: from all)."),
        TT_OPTION_REAL("top-p", &a.top_p, "P", 1e-6, 1,
            "Samples from the most likely tokens that together reach probability P (default 1: from all)."),
        TT_OPTION_INTEGER("beams", &a.beams, "N", 1, TT_MOST_BEAMS,
            "Width of the beam search of stages that are not sampled (default 1: greedy)."),
        TT_OPTION_REAL("length-penalty", &a.length_penalty, "X", -100, 100,
            "Beam search: a text's score is the sum of its log-probabilities / length^X (default 1)."),
        TT_OPTION_WORD("early-stopping", &a.early_stopping, "WORD", TT_WORDS(TT_EARLY_STOPPING_MAP),
            "Beam search: when it stops, as in Hugging Face's generate (default false)."),
        TT_OPTION_REAL("repetition-penalty", &a.repetition_penalty, "X", 1e-3, 100,
            "Penalty of tokens that the text already contains (default 1: none)."),
        TT_OPTION_INTEGER("min-length", &a.min_length, "N", 0, 1e6,
            "Shortest generated text in tokens, start token included (default 0)."),
        TT_OPTION_INTEGER("limit", &a.limit, "N", 0, 1e9,
            "Scores only the first N questions of each split (default 0: all)."),
        TT_OPTION_PATH("predictions", &a.predictions, "F.jsonl", TT_OUTPUT_STREAM,
            "Writes the text of every stage to this file."),
        TT_OPTION_INTEGER("max-length", &a.max_length, "N", 2, 1e6,
            "Longest generated text in tokens, start token included (default 200)."),
        TT_OPTION_INTEGER("max-input", &a.max_input, "N", 2, 30000,
            "Longest prompt in tokens; the rest is cut (default 512)."),
        TT_OPTION_INTEGER("slots", &a.slots, "N", 1, 65536,
            "Number of sequences decoded at a time (default 128, or as many as beams)."),
        TT_OPTION_INTEGER("seed", &a.seed, "N", 0, 9e15, "Seed for sampling (default 1)."),
        TT_OPTION_WORD("device", &a.device, "NAME", TT_DEVICE_WORDS, "Device to compute on (default auto)."),
        TT_OPTION_WORD("precision", &precision, "P", TT_PRECISION_WORDS,
            "Precision of matrix products (default fp32). auto is bf16 where the device is fast in it."),
        TT_OPTION_INTEGER("threads", &a.threads, "N", 0, 4096, "Compute threads (default 0: all)."),
        TT_OPTION_FLAG("json", &a.json, "Prints one JSON object per line instead of a table."),
    };
    const tt_args args = {.usage = "tinythinker eval --model F.h5 --corpus F.h5 [options]\n"
                                   "mpirun -np N tinythinker eval --model F.h5 --corpus F.h5 [options]",
        .about = "Scores a student's answers to the questions of one or more splits. In brackets: the 95 % "
                 "interval (Wilson) of the accuracy.",
        .options = options,
        .n = sizeof options / sizeof *options};
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!a.model || !a.corpus)
        return tt_fail(TT_ERR_USAGE, "eval: --%s is missing", a.model ? "corpus" : "model");
    TT_TRY(tt_precision_parse(&a.precision, precision));
    TT_TRY(check_lengths(&a));
    if (a.splits.n == 0) a.splits.items[a.splits.n++] = "test";
    tt_comm *comm;
    TT_TRY(tt_comm_open(&comm));
    tt_status status = evaluate_splits(&a, comm);
    tt_comm_close(comm, status);
    return status;
}
