// tinythinker plan: what a run will need, before it runs.
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/number.h"
#include "host/base/path.h"
#include "host/base/temporary.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/dist/comm.h"
#include "host/lab/advice.h"
#include "host/lab/memory_text.h"
#include "host/lab/run_directory.h"
#include "host/lab/sweep/plan.h"
#include "host/lab/sweep/speed.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// What CUDA and its libraries take of a GPU beside the program's own memory: assumed.
static const double cuda_itself = 1e9;

typedef struct request {
    const char *path, *memory, *like;
    tt_texts overrides;
    int64_t gpus;
    double speed, watts;
    bool json, help;
} request;

typedef struct plan {
    tt_config config;     // as given; in the end with what makes it fit
    tt_run_directory dir; // of the run, which may have begun
    tt_corpus corpus;
    bool has_corpus;
    tt_needs_machine machine;
    tt_needs *needs, *with_advice;
    tt_advice_list advice;
    double limit;           // bytes of a rank's memory; 0: unknown
    double beside;          // bytes that are taken by others than the device's memory
    double speed;           // tokens a second of all ranks; 0: unknown
    double beside_training; // seconds that the run of --like took beside its training; NaN: unknown
    double watts;           // of a GPU, or of the machine
} plan;

static tt_status read_arguments(request *r, int argc, char **argv) {
    *r = (request){0};
    const tt_arg options[] = {
        TT_OPTION_INTEGER("gpus", &r->gpus, "N", 1, 4096,
            "GPUs of the run, one for each rank (default: as many as mpirun started ranks, "
            "or the CPU, as the configuration's device says)."),
        TT_OPTION_TEXT("memory", &r->memory, "SIZE",
            "Memory of a GPU, or of this machine, e.g. 80G, 80 GB or 79GiB; then the plan says "
            "whether the run fits, and if not, what makes it fit."),
        TT_OPTION_REAL("speed", &r->speed, "TOKENS", 0, 1e12,
            "Tokens a second of all GPUs together, from which the hours follow."),
        TT_OPTION_PATH("like", &r->like, "RUN", TT_INPUT,
            "Directory of a finished run whose measured speed is taken instead, and, where it has "
            "as many samples, the number of pairs that reflection had."),
        TT_OPTION_REAL("watts", &r->watts, "W", 0, 1e6, "Power of each GPU, from which the energy follows."),
        TT_OPTION_TEXTS(
            "set", &r->overrides, "KEY=VALUE", "Overrides a key of the configuration. May be repeated."),
        TT_OPTION_FLAG("json", &r->json, "Prints one JSON object instead of tables; sizes in bytes."),
    };
    const tt_args args = {.usage = "tinythinker plan CONFIG.yaml [options]",
        .about =
            "Says what a run will need before it runs: memory of a rank by kind, steps, tokens, hours and "
            "energy. It goes through the run, whose own code forms the batches, trains and generates, on a "
            "device that only counts. So it takes seconds and little memory, however large the student is, "
            "and needs no GPU; nothing is written.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 1,
        .inputs = 1};
    tt_texts rest;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &r->help));
    if (!r->help) r->path = rest.items[0];
    return TT_OK;
}

// ---- what is planned for

// Where the configuration cannot be read, the file may be a sweep's.
static tt_status load_config(tt_config *out, const request *r) {
    const tt_status status = tt_config_load(out, r->path, r->overrides.items, r->overrides.n);
    char why[1024];
    tt_sweep sweep;
    if (status == TT_OK) return status;
    snprintf(why, sizeof why, "%s", tt_error_message());
    if (tt_sweep_open(&sweep, r->path, NULL, 0) != TT_OK) return tt_fail(status, "%s", why);
    const tt_status refused = tt_fail(TT_ERR_USAGE,
        "plan: %s is a sweep of %d runs; plan its base, %s, with --set KEY=VALUE for what a run of it "
        "changes",
        r->path, sweep.n, sweep.base);
    tt_sweep_close(&sweep);
    return refused;
}

static tt_status choose_machine(plan *p, const request *r, const tt_comm *comm) {
    if (r->gpus > 0 && strcmp(p->config.device, "cpu") == 0)
        return tt_fail(TT_ERR_USAGE,
            "plan: --gpus %lld, but the configuration says device: cpu; leave --gpus out, or add --set "
            "device=cuda",
            (long long)r->gpus);
    TT_TRY(tt_needs_machine_here(&p->machine, &p->config, r->gpus > 0));
    p->machine.ranks = r->gpus > 0 ? (int)r->gpus : comm->size;
    p->machine.threads = tt_comm_threads(comm, p->config.threads);
    return TT_OK;
}

// The most memory that this process has had so far.
static double own_memory(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? 1024.0 * (double)usage.ru_maxrss : 0;
}

static tt_status choose_limits(plan *p, const request *r, const tt_comm *comm) {
    p->watts = r->watts;
    p->speed = r->speed;
    if (r->memory) TT_TRY(tt_memory_parse(&p->limit, r->memory));
    if (r->like && r->speed > 0) return tt_fail(TT_ERR_USAGE, "plan: give --speed or --like, not both");
    p->beside_training = r->like ? tt_speed_beside(r->like) : NAN;
    if (r->like) TT_TRY(tt_speed_of_run(r->like, &p->speed));
    if (r->watts > 0 && !(p->speed > 0))
        return tt_fail(TT_ERR_USAGE, "plan: --watts needs a speed: give --speed or --like, too");
    if (!p->machine.cuda && !r->memory)
        p->limit = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE);
    if (!p->machine.cuda) p->limit /= comm->local_size; // ranks on one machine share its memory
    return TT_OK;
}

// ---- tables

static double largest_of(const tt_needs *needs) {
    const tt_need *largest = tt_needs_largest(needs);
    return largest ? (double)largest->peak.all : 0;
}

static bool fits(const plan *p) {
    return largest_of(p->needs) + p->beside <= p->limit;
}

// Of "acquisition, validation" the second part, indented.
static const char *row_name(const tt_need *need, char out[24]) {
    const char *comma = strstr(need->name, ", ");
    snprintf(out, 24, comma ? "  %.21s" : "%.23s", comma ? comma + 2 : need->name);
    return out;
}

static void print_memory(const plan *p) {
    double unit;
    const char *name = tt_memory_unit(largest_of(p->needs), &unit);
    char title[24];
    snprintf(title, sizeof title, "memory in %s", name);
    tt_print(stdout, "\n  %-15s %7s %9s %7s %11s %6s %9s %7s\n", title, "weights", "gradients", "moments",
        "activations", "caches", "workspace", "total");
    for (int i = 0; i < p->needs->n; ++i) {
        const tt_memory_use *use = &p->needs->items[i].peak;
        char row[24];
        tt_print(stdout, "  %-15s %7.1f %9.1f %7.1f %11.1f %6.1f %9.1f %7.1f\n",
            row_name(&p->needs->items[i], row), (double)use->kind[TT_MEMORY_WEIGHTS] / unit,
            (double)use->kind[TT_MEMORY_GRADIENTS] / unit, (double)use->kind[TT_MEMORY_MOMENTS] / unit,
            (double)use->kind[TT_MEMORY_ACTIVATIONS] / unit, (double)use->kind[TT_MEMORY_CACHES] / unit,
            (double)use->kind[TT_MEMORY_WORKSPACE] / unit, (double)use->all / unit);
    }
}

static const char *size_text(double bytes, char out[32]) {
    double unit;
    const char *name = tt_memory_unit(bytes, &unit);
    tt_format(out, 32, "%.1f %s", bytes / unit, name);
    return out;
}

static void print_verdict(const plan *p) {
    char used[32], limit[32], beside[32];
    const tt_need *largest = tt_needs_largest(p->needs);
    size_text(p->beside, beside);
    if (p->machine.cuda)
        tt_print(stdout, "\n  beside it, about %s of each GPU for CUDA itself\n", beside);
    else
        tt_print(stdout, "\n  beside it, about %s for corpus and program\n", beside);
    if (!largest || !(p->limit > 0)) return;
    size_text((double)largest->peak.all + p->beside, used);
    size_text(p->limit, limit);
    tt_print(stdout, "  %s: %s of %s at the peak (%s)\n", fits(p) ? "fits" : "does not fit", used, limit,
        largest->name);
}

// What is left where no setting makes the run fit: other results.
static void print_choices(const plan *p) {
    const tt_need *largest = tt_needs_largest(p->needs);
    const bool adapts = p->config.model.adapters.rank > 0,
               pretrains = largest->phase >= 0 &&
                           strcmp(p->needs->phases[largest->phase].section, "pretraining") == 0;
    tt_print(stdout, "  %s;\n  %s%s%s\n",
        p->advice.n ? "that is not enough" : "none of accumulate, recompute, zero and slots helps",
        *p->config.model.start ? "start from a smaller student" : "choose a smaller model.shape",
        largest->phase < 0 || pretrains ? ""
        : adapts                        ? ", lower model.adapters.rank, name fewer targets"
        : *p->config.model.start        ? ", train adapters (model.adapters.rank)"
                                        : "",
        p->machine.ranks > 1 ? "" : ", or plan more --gpus");
}

static void print_advice(const plan *p) {
    if (fits(p) || !(p->limit > 0)) return;
    char size[32];
    tt_print(stdout, "\n  %-58s %s\n", "what helps, one after another, with the same results", "total");
    for (int i = 0; i < p->advice.n; ++i) {
        const tt_advice *a = &p->advice.items[i];
        const bool last = i == p->advice.n - 1 && p->advice.fits;
        tt_print(stdout, "  --set %-52s %s%s\n", a->setting, size_text((double)a->all + p->beside, size),
            last ? ", fits" : "");
    }
    if (!p->advice.fits) print_choices(p);
}

static double hours_of(const plan *p, const tt_needs_phase *phase) {
    return p->speed > 0 ? phase->tokens / p->speed / 3600 : 0;
}

static double kwh_of(const plan *p, const tt_needs_phase *phase) {
    return hours_of(p, phase) * p->watts * p->machine.ranks / 1000;
}

static void print_work(const plan *p) {
    const tt_needs_phase *reflection = NULL;
    if (p->needs->n_phases == 0) return;
    tt_print(stdout, "\n  %-15s %10s %12s%s%s\n", "training", "steps", "M tokens",
        p->speed > 0 ? "    train h" : "", p->watts > 0 ? "        kWh" : "");
    for (int i = 0; i < p->needs->n_phases; ++i) {
        const tt_needs_phase *phase = &p->needs->phases[i];
        if (strcmp(phase->section, "reflection") == 0) reflection = phase;
        tt_print(stdout, "  %-15s %10lld %12.1f", phase->name, (long long)phase->steps, phase->tokens / 1e6);
        if (p->speed > 0) tt_print(stdout, " %10.2f", hours_of(p, phase));
        if (p->watts > 0) tt_print(stdout, " %10.2f", kwh_of(p, phase));
        tt_print(stdout, "\n");
    }
    if (p->speed > 0)
        tt_print(stdout,
            "  at %.0f tokens/s, training steps alone: generating pairs, validation and evaluation are not "
            "in them\n",
            p->speed);
    if (isfinite(p->beside_training))
        tt_print(
            stdout, "  the run of --like took %.2f hours beside its training\n", p->beside_training / 3600);
    if (reflection && reflection->pairs_of)
        tt_print(stdout, "  reflection has as many pairs of a question as in %s\n", reflection->pairs_of);
    else if (reflection)
        tt_print(stdout, "  reflection's steps depend on its pairs, whose number is assumed\n");
}

static void print_plan(const plan *p) {
    char parameters[32];
    const double millions = (double)p->needs->parameters / 1e6;
    tt_format(parameters, sizeof parameters, millions >= 1000 ? "%.1f B" : "%.1f M",
        millions >= 1000 ? millions / 1000 : millions);
    tt_print(stdout, "%s: %s parameters, %s, ", p->config.name, parameters,
        tt_precision_name(p->machine.precision));
    if (p->machine.cuda)
        tt_print(stdout, "%d GPU%s\n", p->machine.ranks, p->machine.ranks > 1 ? "s, memory of each" : "");
    else if (p->machine.ranks > 1)
        tt_print(stdout, "%d ranks on CPUs, %d thread%s and memory of each\n", p->machine.ranks,
            p->machine.threads, p->machine.threads > 1 ? "s" : "");
    else
        tt_print(stdout, "CPU with %d thread%s\n", p->machine.threads, p->machine.threads > 1 ? "s" : "");
    print_memory(p);
    print_verdict(p);
    print_advice(p);
    print_work(p);
}

// ---- JSON

static json_t *need_json(const tt_need *need) {
    json_t *out = json_pack("{s:s}", "part", need->name);
    for (int k = 0; k < TT_MEMORY_KINDS; ++k)
        json_object_set_new(
            out, tt_memory_kind_name((tt_memory_kind)k), json_integer((json_int_t)need->peak.kind[k]));
    json_object_set_new(out, "total", json_integer((json_int_t)need->peak.all));
    return out;
}

static json_t *phase_json(const plan *p, const tt_needs_phase *phase) {
    json_t *out = json_pack(
        "{s:s, s:I, s:f}", "phase", phase->name, "steps", (json_int_t)phase->steps, "tokens", phase->tokens);
    if (strcmp(phase->section, "reflection") == 0)
        json_object_set_new(out, "pairs_of", phase->pairs_of ? json_string(phase->pairs_of) : json_null());
    if (p->speed > 0) json_object_set_new(out, "hours", json_real(hours_of(p, phase)));
    if (p->watts > 0) json_object_set_new(out, "kwh", json_real(kwh_of(p, phase)));
    return out;
}

static tt_status print_json(const plan *p) {
    json_t *memory = json_array(), *training = json_array(), *advice = json_array();
    for (int i = 0; i < p->needs->n; ++i) json_array_append_new(memory, need_json(&p->needs->items[i]));
    for (int i = 0; i < p->needs->n_phases; ++i)
        json_array_append_new(training, phase_json(p, &p->needs->phases[i]));
    for (int i = 0; i < p->advice.n; ++i)
        json_array_append_new(advice, json_pack("{s:s, s:I}", "set", p->advice.items[i].setting, "total",
                                          (json_int_t)p->advice.items[i].all));
    json_t *root = json_pack("{s:s, s:I, s:s, s:i, s:s, s:o, s:I, s:I, s:o}", "name", p->config.name,
        "parameters", (json_int_t)p->needs->parameters, "device", p->machine.cuda ? "cuda" : "cpu", "ranks",
        p->machine.ranks, "precision", tt_precision_name(p->machine.precision), "memory", memory, "total",
        (json_int_t)largest_of(p->needs), "beside", (json_int_t)p->beside, "training", training);
    if (p->limit > 0) {
        json_object_set_new(root, "limit", json_integer((json_int_t)p->limit));
        json_object_set_new(root, "fits", json_boolean(fits(p)));
        json_object_set_new(root, "fits_with_advice", json_boolean(fits(p) || p->advice.fits));
    }
    json_object_set_new(root, "advice", advice);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "plan: no memory to print it");
    puts(text);
    free(text);
    return TT_OK;
}

// ---- the command

static tt_status count_needs(plan *p) {
    const tt_corpus *corpus = p->has_corpus ? &p->corpus : NULL;
    tt_log_mute(true); // the run itself will warn of what its data lack
    tt_status status = tt_needs_count(p->needs, &p->config, corpus, &p->machine);
    p->beside = p->machine.cuda ? cuda_itself : own_memory();
    if (status == TT_OK && p->limit > 0 && !fits(p)) {
        *p->with_advice = *p->needs;
        status = tt_advise(&p->advice, &p->config, corpus, &p->machine, p->limit - p->beside, p->with_advice);
    }
    tt_log_mute(false);
    return status;
}

static tt_status make_plan(plan *p, const request *r, const tt_comm *comm) {
    char tokens[TT_PATH_MAX];
    TT_TRY(choose_machine(p, r, comm));
    TT_TRY(choose_limits(p, r, comm));
    TT_TRY(tt_run_directory_name(&p->dir, &p->config));
    p->machine.runs[0] = p->dir.path;
    p->machine.runs[1] = r->like;
    TT_TRY(tt_alloc(&p->needs, 2, sizeof *p->needs, "plan"));
    p->with_advice = p->needs + 1;
    TT_TRY(tt_needs_corpus(&p->corpus, &p->has_corpus, &p->config));
    if (tt_temporary_make_private("tinythinker-plan", tokens) != TT_OK)
        *tokens = 0; // tokenised more than once
    p->machine.tokens_path = tokens;
    const tt_status status = count_needs(p);
    p->machine.tokens_path = NULL;
    if (*tokens) tt_temporary_remove(tokens);
    return status;
}

static tt_status print_plan_of(const request *r, const tt_comm *comm) {
    plan p = {0};
    TT_TRY(load_config(&p.config, r));
    tt_status status = make_plan(&p, r, comm);
    if (status == TT_OK && r->json) status = print_json(&p);
    if (status == TT_OK && !r->json) print_plan(&p);
    tt_corpus_close(&p.corpus);
    tt_config_close(&p.config);
    free(p.needs);
    return status;
}

// Under mpirun rank 0 plans, for as many ranks as there are.
tt_status tt_cmd_plan(int argc, char **argv) {
    request r;
    tt_comm *comm;
    TT_TRY(read_arguments(&r, argc, argv));
    if (r.help) return TT_OK;
    TT_TRY(tt_comm_open(&comm));
    const tt_status status = tt_comm_agree(comm, comm->rank == 0 ? print_plan_of(&r, comm) : TT_OK);
    tt_comm_close(comm, status);
    return status;
}
