// tinythinker bench: speed of training as a share of the machine's GEMM peak, of generation, of operations.
#include "host/base/cores.h"
#include "host/base/output.h"
#include "host/base/standard.h"
#include "host/base/str.h"
#include "host/bench/bench.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/model/checkpoint.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef struct arguments {
    tt_texts shapes;
    int64_t steps, batches, tokens, source_length, target_length, threads, prompts, new_tokens, slots;
    double dropout, peak;
    tt_precision precision;
    tt_bench_work work;
    const char *device, *model, *texts;
    bool greedy, json, help;
} arguments;

#define WORKS(X)                                                                                             \
    X(TT_BENCH_TRAINING, "training")                                                                         \
    X(TT_BENCH_PREFERENCE, "preference")                                                                     \
    X(TT_BENCH_GENERATION, "generation")                                                                     \
    X(TT_BENCH_OPERATIONS_ALONE, "operations")

static tt_status read_arguments(arguments *a, int argc, char **argv) {
    static const char *const works[] = {WORKS(TT_WORD_TEXT)};
    const char *precision = "fp32", *work = works[0];
    tt_texts rest;
    *a = (arguments){.steps = 5,
        .tokens = 2048,
        .dropout = 0.1,
        .prompts = 64,
        .new_tokens = 48,
        .slots = 256,
        .device = "auto"};
    const tt_arg options[] = {
        TT_OPTION_WORDS("shape", &a->shapes, "NAME",
            "tiny|small|base|large" TT_SHAPE_MAP(TT_WORD_ALTERNATIVE),
            "Shape of the model. May be repeated (default: the first three)."),
        TT_OPTION_PATH("model", &a->model, "F.h5", TT_INPUT,
            "Generation: a student that is measured instead of random models."),
        TT_OPTION_WORD("work", &work, "WORK", TT_WORDS(WORKS),
            "What is measured (default training). preference is DPO with NLL, generation takes ten samples a "
            "prompt, operations measures each one alone."),
        TT_OPTION_WORD("device", &a->device, "NAME", TT_DEVICE_WORDS, "Device to compute on (default auto)."),
        TT_OPTION_WORD("precision", &precision, "P", TT_PRECISION_WORDS,
            "Precision of matrix products (default fp32). auto is bf16 where the device is fast in it."),
        TT_OPTION_INTEGER("steps", &a->steps, "N", 1, 10000, "Measured steps of each shape (default 5)."),
        TT_OPTION_INTEGER("batches", &a->batches, "N", 1, 10000,
            "Training: number of different batches, used in turn (default: one for each step)."),
        TT_OPTION_INTEGER(
            "tokens", &a->tokens, "N", 1, 1 << 20, "Approximate target tokens of a batch (default 2048)."),
        TT_OPTION_INTEGER("source-length", &a->source_length, "N", 1, 4096,
            "Tokens of each source (default: 20 to 150, at random)."),
        TT_OPTION_INTEGER("target-length", &a->target_length, "N", 1, 4096,
            "Training: tokens of each target (default: 8 to 60, at random)."),
        TT_OPTION_REAL("dropout", &a->dropout, "P", 0, 0.99, "Dropout rate (default 0.1)."),
        TT_OPTION_INTEGER(
            "prompts", &a->prompts, "N", 1, 100000, "Generation: prompts of a step (default 64)."),
        TT_OPTION_INTEGER(
            "new-tokens", &a->new_tokens, "N", 1, 4096, "Generation: tokens of a sample (default 48)."),
        TT_OPTION_INTEGER(
            "slots", &a->slots, "N", 1, 65536, "Generation: sequences decoded at a time (default 256)."),
        TT_OPTION_FLAG("greedy", &a->greedy, "Generation: one greedy text of each prompt, not ten samples."),
        TT_OPTION_REAL(
            "peak", &a->peak, "G", 0, 1e9, "GFLOP/s that speeds are compared with (default: measured here)."),
        TT_OPTION_INTEGER("threads", &a->threads, "N", 0, 4096, "Compute threads (default 0: all)."),
        TT_OPTION_PATH("texts", &a->texts, "F.jsonl", TT_OUTPUT_STREAM,
            "Writes the token ids of what was measured: each batch, or the prompts and texts of the last "
            "step."),
        TT_OPTION_FLAG("json", &a->json, "Prints one JSON object instead of text."),
    };
    const tt_args args = {.usage = "tinythinker bench [options]",
        .about =
            "Measures the speed of training random models on random tokens, as a share of this machine's "
            "fastest matrix product, which is measured in the same run. With --work it measures "
            "generation instead, or each operation alone.",
        .options = options,
        .n = sizeof options / sizeof *options};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &a->help));
    TT_TRY(tt_precision_parse(&a->precision, precision));
    for (a->work = TT_BENCH_TRAINING; strcmp(work, works[a->work]) != 0;) a->work++;
    if (a->texts && a->work == TT_BENCH_OPERATIONS_ALONE)
        return tt_fail(
            TT_ERR_USAGE, "bench: --texts: operations alone have no texts; expected another --work");
    if (a->model && a->work != TT_BENCH_GENERATION)
        return tt_fail(TT_ERR_USAGE, "bench: --model: only --work generation takes a student");
    if (a->model && a->shapes.n > 0)
        return tt_fail(TT_ERR_USAGE, "bench: --model and --shape: expected one of them");
    if (a->model && (a->json || a->texts) && !tt_utf8_valid(a->model, strlen(a->model), NULL))
        return tt_fail(TT_ERR_USAGE,
            "bench: --model %s: this name is not UTF-8, so that JSON cannot hold it; rename the file or link "
            "to it",
            a->model);
    if (a->model) a->shapes = (tt_texts){.items = {a->model}, .n = 1};
    if (a->shapes.n == 0) a->shapes = (tt_texts){.items = {"tiny", "small", "base"}, .n = 3};
    for (int i = 0; !a->model && i < a->shapes.n; ++i) { // report unknown shapes before anything is measured
        tt_model_config config;
        TT_TRY(tt_bench_shape(&config, a->shapes.items[i]));
    }
    return TT_OK;
}

static void print_kinds(const double seconds[TT_OP_KINDS], double rest) {
    double step = rest;
    for (int k = 0; k < TT_OP_KINDS; ++k) step += seconds[k];
    printf("  time by kind   ");
    for (int k = 0; k < TT_OP_KINDS; ++k)
        if (seconds[k] > 0) printf(" %s %.1f%%,", tt_op_kind_label(k), 100 * seconds[k] / step);
    printf(" rest %.1f%%\n", 100 * rest / step);
}

static void print_result(const tt_bench_result *r) {
    printf("\n%s: %.1f M parameters, batches of %.0f source and %.0f target tokens, %.1f GFLOP a step\n",
        r->shape, (double)r->parameters / 1e6, r->source_tokens, r->target_tokens, r->flops / 1e9);
    printf("  target tokens/s %10.0f  (%.0f to %.0f);  all tokens/s %.0f\n", r->target_rate.median,
        r->target_rate.low, r->target_rate.high, r->token_rate.median);
    printf("  share of peak   %9.1f%%  (%.1f to %.1f);  %.1f of %.1f GFLOP/s, %.3f s a step\n",
        100 * r->share.median, 100 * r->share.low, 100 * r->share.high, r->flop_rate.median / 1e9,
        r->peak / 1e9, r->seconds.median);
    print_kinds(r->kind_seconds, r->other_seconds);
    const double expected = r->parameter_bytes + r->activation_bytes;
    if (r->peak_bytes > 0)
        printf("  memory          %9.1f MB = %.2f x (", r->peak_bytes / 1e6, r->peak_bytes / expected);
    else
        printf("  memory          %9.1f MB (", expected / 1e6);
    printf("16 bytes a parameter %.1f MB + activations %.1f MB)\n", r->parameter_bytes / 1e6,
        r->activation_bytes / 1e6);
    printf("  allocations     %9ld in the measured steps\n", r->allocations);
    tt_standard_flush();
}

static json_t *spread_json(tt_bench_spread s) {
    return json_pack("{s:f, s:f, s:f}", "median", s.median, "low", s.low, "high", s.high);
}

static json_t *kinds_json(const double seconds[TT_OP_KINDS], double rest) {
    json_t *kinds = json_object();
    for (int k = 0; k < TT_OP_KINDS; ++k)
        json_object_set_new(kinds, tt_op_kind_label(k), json_real(seconds[k]));
    json_object_set_new(kinds, "rest", json_real(rest));
    return kinds;
}

static json_t *result_json(const tt_bench_result *r) {
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:f, s:f, s:f}, s:I}",
        "shape", r->shape, "parameters", (json_int_t)r->parameters, "source_tokens", r->source_tokens,
        "target_tokens", r->target_tokens, "flops", r->flops, "step_seconds", spread_json(r->seconds),
        "target_tokens_per_second", spread_json(r->target_rate), "tokens_per_second",
        spread_json(r->token_rate), "flops_per_second", spread_json(r->flop_rate), "share_of_peak",
        spread_json(r->share), "seconds_by_kind", kinds_json(r->kind_seconds, r->other_seconds),
        "memory_bytes", "peak", r->peak_bytes, "parameters", r->parameter_bytes, "activations",
        r->activation_bytes, "allocations", (json_int_t)r->allocations);
}

static void print_generation(const tt_bench_generation *r) {
    printf("\n%s: %.1f M parameters, %d prompts of %.0f tokens in all, %d %s each, %d slots\n", r->shape,
        (double)r->parameters / 1e6, r->prompts, r->source_tokens, r->samples,
        r->samples == 1 ? "greedy text" : "samples", r->slots);
    printf("  new tokens/s    %10.0f  (%.0f to %.0f);  %.0f tokens in %.3f s\n", r->rate.median, r->rate.low,
        r->rate.high, r->new_tokens, r->seconds.median);
    printf("  share of peak   %9.1f%%  (%.1f to %.1f);  %.1f of %.1f GFLOP/s, %.1f GFLOP a step\n",
        100 * r->share.median, 100 * r->share.low, 100 * r->share.high, r->share.median * r->peak / 1e9,
        r->peak / 1e9, r->flops / 1e9);
    if (r->kind_seconds[TT_OP_GEMM] > 0) print_kinds(r->kind_seconds, r->other_seconds);
    tt_standard_flush();
}

// Prints shares of the faster copy and of the peak.
static void print_operations(const char *shape, int tokens, const tt_bench_operation *all, double peak) {
    const double copies[] = {all[0].bytes / all[0].seconds.median, all[1].bytes / all[1].seconds.median};
    const double copy = copies[0] > copies[1] ? copies[0] : copies[1];
    printf("\n%s, %d rows; bytes: each tensor once\n", shape, tokens);
    printf("  %-24s %10s %23s %9s %7s %10s %7s\n", "", "us", "", "GB/s", "of copy", "GFLOP/s", "of peak");
    for (const tt_bench_operation *o = all; o < all + TT_BENCH_OPERATIONS; ++o) {
        char range[40], bytes[40] = "", flops[40] = "";
        const double seconds = o->seconds.median;
        snprintf(range, sizeof range, "(%.1f to %.1f)", 1e6 * o->seconds.low, 1e6 * o->seconds.high);
        if (o->bytes > 0)
            snprintf(bytes, sizeof bytes, "%9.1f %6.0f%%", o->bytes / seconds / 1e9,
                100 * o->bytes / seconds / copy);
        if (o->flops > 0)
            snprintf(flops, sizeof flops, "%10.1f %6.0f%%", o->flops / seconds / 1e9,
                100 * o->flops / seconds / peak);
        printf("  %-24s %10.1f %23s %17s %18s\n", o->name, 1e6 * seconds, range, bytes, flops);
    }
    tt_standard_flush();
}

static json_t *operations_json(const char *shape, int tokens, const tt_bench_operation *all) {
    json_t *list = json_array();
    for (const tt_bench_operation *o = all; o < all + TT_BENCH_OPERATIONS; ++o)
        json_array_append_new(list, json_pack("{s:s, s:o, s:f, s:f}", "operation", o->name, "seconds",
                                        spread_json(o->seconds), "bytes", o->bytes, "flops", o->flops));
    return json_pack("{s:s, s:i, s:o}", "shape", shape, "rows", tokens, "operations", list);
}

static json_t *generation_json(const tt_bench_generation *r) {
    return json_pack("{s:s, s:I, s:i, s:i, s:i, s:f, s:f, s:f, s:o, s:o, s:o, s:o}", "shape", r->shape,
        "parameters", (json_int_t)r->parameters, "prompts", r->prompts, "samples", r->samples, "slots",
        r->slots, "source_tokens", r->source_tokens, "new_tokens", r->new_tokens, "flops", r->flops,
        "step_seconds", spread_json(r->seconds), "new_tokens_per_second", spread_json(r->rate),
        "share_of_peak", spread_json(r->share), "seconds_by_kind",
        kinds_json(r->kind_seconds, r->other_seconds));
}

// Measures one shape and prints it or adds it to `all`.
static tt_status run_shape(
    const arguments *a, tt_device *device, const tt_bench_options *options, double *peak, json_t *all) {
    if (options->work == TT_BENCH_GENERATION) {
        tt_bench_generation result;
        TT_TRY(tt_bench_generate(&result, device, options, peak));
        if (a->json)
            json_array_append_new(all, generation_json(&result));
        else
            print_generation(&result);
        return TT_OK;
    }
    if (options->work == TT_BENCH_OPERATIONS_ALONE) {
        tt_bench_operation operations[TT_BENCH_OPERATIONS];
        TT_TRY(tt_bench_operate(operations, device, options));
        if (a->json)
            json_array_append_new(all, operations_json(options->shape, options->target_tokens, operations));
        else
            print_operations(options->shape, options->target_tokens, operations, *peak);
        return TT_OK;
    }
    tt_bench_result result;
    TT_TRY(tt_bench_training(&result, device, options, peak));
    if (a->json)
        json_array_append_new(all, result_json(&result));
    else
        print_result(&result);
    return TT_OK;
}

// Whether --model can be measured, before the time of a peak is spent.
static tt_status check_student(const char *path, tt_device *device) {
    tt_checkpoint student = {0};
    const tt_status status = tt_checkpoint_outline(&student, path, device);
    if (status == TT_OK) tt_checkpoint_close(&student);
    return status;
}

static tt_status run_shapes(const arguments *a, tt_device *device, FILE *texts) {
    const char *precision = tt_precision_name(device->precision);
    const bool measured = a->peak <= 0;
    double peak = a->peak * 1e9;
    if (a->model) TT_TRY(check_student(a->model, device));
    if (measured) TT_TRY(tt_bench_peak(device, 5, &peak));
    if (!a->json) printf("%s, %s, %d threads, %s", device->name, tt_cpu_isa(), device->threads, precision);
    if (!a->json && measured) printf(": matrix products run at up to %.1f GFLOP/s", peak / 1e9);
    if (!a->json) printf("\n");
    tt_standard_flush();
    json_t *shapes = json_array();
    tt_status status = TT_OK;
    for (int i = 0; i < a->shapes.n && status == TT_OK; ++i) {
        const tt_bench_options options = {.shape = a->shapes.items[i],
            .model = a->model,
            .steps = (int)a->steps,
            .batches = (int)(a->batches > 0 && a->batches < a->steps ? a->batches : a->steps),
            .target_tokens = (int)a->tokens,
            .source_length = (int)a->source_length,
            .target_length = (int)a->target_length,
            .dropout = a->dropout,
            .peak_given = !measured,
            .seed = 1,
            .work = a->work,
            .prompts = (int)a->prompts,
            .new_tokens = (int)a->new_tokens,
            .slots = (int)a->slots,
            .greedy = a->greedy,
            .texts = texts};
        status = run_shape(a, device, &options, &peak, shapes);
    }
    if (status == TT_OK && a->json) {
        json_t *all = json_pack("{s:s, s:s, s:s, s:i, s:f, s:O}", "device", device->name, "isa", tt_cpu_isa(),
            "precision", precision, "threads", device->threads, "peak_flops_per_second", peak, "shapes",
            shapes);
        if (!all || json_dumpf(all, stdout, JSON_INDENT(2)) != 0)
            status = tt_fail(TT_ERR_IO, "bench: the result could not be written");
        printf("\n");
        json_decref(all);
    }
    json_decref(shapes);
    return status;
}

tt_status tt_cmd_bench(int argc, char **argv) {
    arguments a;
    TT_TRY(read_arguments(&a, argc, argv));
    if (a.help) return TT_OK;
    tt_device *device;
    TT_TRY(tt_device_open(&device, a.device, a.precision, tt_cores_limit((int)a.threads, "--threads")));
    tt_output texts = {0};
    tt_status status = a.texts ? tt_output_open(&texts, a.texts) : TT_OK;
    if (status == TT_OK) status = run_shapes(&a, device, texts.file);
    status = tt_output_close(&texts, status);
    tt_device_close(device);
    return status;
}
