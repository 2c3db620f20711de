// tinythinker bench: training speed of tiny, small and base shapes as a share of the machine's GEMM peak.
#include "host/base/log.h"
#include "host/lab/bench.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"

static const char usage[] =
    "usage: tinythinker bench [options]\n"
    "\n"
    "Trains random models on random tokens and compares the speed with this machine's fastest matrix "
    "product,\n"
    "measured in the same run.\n"
    "\n"
    "  --shape NAME      tiny, small, base or a preset such as t5-large; may be given several times\n"
    "                    (default: tiny, small and base)\n"
    "  --precision P     fp32 (default) or bf16\n"
    "  --steps N         measured steps of each shape (default 5)\n"
    "  --tokens N        target tokens of a batch, about (default 2048)\n"
    "  --dropout P       (default 0.1)\n"
    "  --threads N       (default: all)\n"
    "  --json            one JSON object instead of text\n";

enum { MAX_SHAPES = 8 };

typedef struct arguments {
    const char *shapes[MAX_SHAPES];
    int n_shapes, steps, tokens, threads;
    double dropout;
    tt_precision precision;
    bool json, help;
} arguments;

static tt_status whole_number(const char *option, const char *text, int low, int *out) {
    char *end;
    const long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < low || value > 1 << 24)
        return tt_fail(TT_ERR_USAGE, "--%s %s: expected a whole number from %d", option, text, low);
    *out = (int)value;
    return TT_OK;
}

static tt_status read_option(arguments *a, const char *option, const char *value) {
    char *end;
    if (strcmp(option, "shape") == 0) {
        if (a->n_shapes == MAX_SHAPES)
            return tt_fail(TT_ERR_USAGE, "--shape: at most %d of them", MAX_SHAPES);
        a->shapes[a->n_shapes++] = value;
    } else if (strcmp(option, "precision") == 0) {
        if (strcmp(value, "fp16") == 0)
            return tt_fail(TT_ERR_UNSUPPORTED, "--precision fp16: T5 overflows in it; use fp32 or bf16");
        if (strcmp(value, "fp32") != 0 && strcmp(value, "bf16") != 0)
            return tt_fail(TT_ERR_USAGE, "--precision %s: allowed are fp32, bf16", value);
        a->precision = strcmp(value, "bf16") == 0 ? TT_BF16 : TT_FP32;
    } else if (strcmp(option, "steps") == 0) {
        return whole_number(option, value, 1, &a->steps);
    } else if (strcmp(option, "tokens") == 0) {
        return whole_number(option, value, 1, &a->tokens);
    } else if (strcmp(option, "threads") == 0) {
        return whole_number(option, value, 0, &a->threads);
    } else if (strcmp(option, "dropout") == 0) {
        a->dropout = strtod(value, &end);
        if (end == value || *end != '\0' || !(a->dropout >= 0 && a->dropout < 1))
            return tt_fail(TT_ERR_USAGE, "--dropout %s: expected a number from 0 to below 1", value);
    } else if (strcmp(option, "json") == 0) {
        a->json = true;
    } else {
        a->help = true;
    }
    return TT_OK;
}

static tt_status read_arguments(arguments *a, int argc, char **argv) {
    static const struct option options[] = {{"shape", required_argument, NULL, 0},
        {"precision", required_argument, NULL, 0}, {"steps", required_argument, NULL, 0},
        {"tokens", required_argument, NULL, 0}, {"dropout", required_argument, NULL, 0},
        {"threads", required_argument, NULL, 0}, {"json", no_argument, NULL, 0},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    *a = (arguments){.steps = 5, .tokens = 2048, .dropout = 0.1, .precision = TT_FP32};
    int index = 0, c;
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "h", options, &index)) != -1) {
        if (c == 'h')
            a->help = true;
        else if (c == 0)
            TT_TRY(read_option(a, options[index].name, optarg));
        else
            return tt_fail(
                TT_ERR_USAGE, "bench: '%s' is unknown or lacks its value; see --help", argv[optind - 1]);
    }
    if (optind < argc)
        return tt_fail(TT_ERR_USAGE, "bench: unexpected argument '%s'; see --help", argv[optind]);
    if (a->n_shapes == 0) {
        a->shapes[a->n_shapes++] = "tiny";
        a->shapes[a->n_shapes++] = "small";
        a->shapes[a->n_shapes++] = "base";
    }
    return TT_OK;
}

static void print_result(const tt_bench_result *r) {
    double step = r->other_seconds;
    for (int k = 0; k < TT_OP_KINDS; ++k) step += r->kind_seconds[k];
    printf("\n%s: %.1f M parameters, batches of %.0f source and %.0f target tokens, %.1f GFLOP a step\n",
        r->shape, (double)r->parameters / 1e6, r->source_tokens, r->target_tokens, r->flops / 1e9);
    printf("  target tokens/s %10.0f  (%.0f to %.0f);  all tokens/s %.0f\n", r->target_rate.median,
        r->target_rate.low, r->target_rate.high, r->token_rate.median);
    printf("  share of peak   %9.1f%%  (%.1f to %.1f);  %.1f of %.1f GFLOP/s, %.3f s a step\n",
        100 * r->share.median, 100 * r->share.low, 100 * r->share.high, r->flop_rate.median / 1e9,
        r->peak / 1e9, r->seconds.median);
    printf("  time by kind   ");
    for (int k = 0; k < TT_OP_KINDS; ++k)
        if (r->kind_seconds[k] > 0)
            printf(" %s %.1f%%,", tt_op_kind_label(k), 100 * r->kind_seconds[k] / step);
    printf(" rest %.1f%%\n", 100 * r->other_seconds / step);
    const double expected = r->parameter_bytes + r->activation_bytes;
    printf("  memory          %9.1f MB = %.2f x (16 bytes a parameter %.1f MB + activations %.1f MB)\n",
        r->peak_bytes / 1e6, r->peak_bytes / expected, r->parameter_bytes / 1e6, r->activation_bytes / 1e6);
    printf("  allocations     %9ld in the measured steps\n", r->allocations);
    fflush(stdout);
}

static json_t *spread_json(tt_bench_spread s) {
    return json_pack("{s:f, s:f, s:f}", "median", s.median, "low", s.low, "high", s.high);
}

static json_t *result_json(const tt_bench_result *r) {
    json_t *kinds = json_object();
    for (int k = 0; k < TT_OP_KINDS; ++k)
        json_object_set_new(kinds, tt_op_kind_label(k), json_real(r->kind_seconds[k]));
    json_object_set_new(kinds, "rest", json_real(r->other_seconds));
    return json_pack("{s:s, s:I, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:f, s:f, s:f}, s:I}",
        "shape", r->shape, "parameters", (json_int_t)r->parameters, "source_tokens", r->source_tokens,
        "target_tokens", r->target_tokens, "flops", r->flops, "step_seconds", spread_json(r->seconds),
        "target_tokens_per_second", spread_json(r->target_rate), "tokens_per_second",
        spread_json(r->token_rate), "flops_per_second", spread_json(r->flop_rate), "share_of_peak",
        spread_json(r->share), "seconds_by_kind", kinds, "memory_bytes", "peak", r->peak_bytes, "parameters",
        r->parameter_bytes, "activations", r->activation_bytes, "allocations", (json_int_t)r->allocations);
}

static tt_status run_shapes(const arguments *a, tt_device *device) {
    const char *precision = device->precision == TT_BF16 ? "bf16" : "fp32";
    double peak = 0;
    TT_TRY(tt_bench_peak(device, 5, &peak));
    if (!a->json)
        printf("%s, %s, %d threads, %s: matrix products run at up to %.1f GFLOP/s\n", device->name,
            tt_cpu_isa(), device->threads, precision, peak / 1e9);
    fflush(stdout);
    json_t *shapes = json_array();
    tt_status status = TT_OK;
    for (int i = 0; i < a->n_shapes && status == TT_OK; ++i) {
        const tt_bench_options options = {.shape = a->shapes[i],
            .steps = a->steps,
            .target_tokens = a->tokens,
            .dropout = a->dropout,
            .seed = 1};
        tt_bench_result result;
        status = tt_bench_training(&result, device, &options, &peak);
        if (status != TT_OK) break;
        if (a->json)
            json_array_append_new(shapes, result_json(&result));
        else
            print_result(&result);
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
    if (a.help) {
        fputs(usage, stdout);
        return TT_OK;
    }
    tt_device *device;
    TT_TRY(tt_device_open(&device, "auto", a.precision, a.threads));
    tt_status status = run_shapes(&a, device);
    tt_device_close(device);
    return status;
}
