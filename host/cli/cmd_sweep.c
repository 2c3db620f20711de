// tinythinker sweep: many runs of one sweep file.
#include "host/base/log.h"
#include "host/base/output.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/cli/paths.h"
#include "host/lab/sweep/graph.h"
#include "host/lab/sweep/sweep.h"

#include <stdio.h>
#include <string.h>

static void list_runs(const tt_sweep *sweep) {
    for (int i = 0; i < sweep->n; ++i) {
        const tt_sweep_run *run = &sweep->runs[i];
        printf("%4d  %-40s %-10s", run->number, run->name, tt_sweep_state_text(sweep, run));
        for (int k = 0; k + 3 < run->n; ++k) printf(" %s", run->overrides[k]); // without seed, name, output
        putchar('\n');
    }
    printf("%d runs in %s/%s\n\n", sweep->n, sweep->output, sweep->name);
}

static tt_status list_phases(const tt_sweep *sweep) {
    tt_sweep_graph graph;
    tt_str text = {0};
    TT_TRY(tt_sweep_graph_open(&graph, sweep));
    tt_sweep_graph_look(&graph);
    const tt_status status = tt_sweep_graph_print(&graph, &text);
    if (status == TT_OK) fputs(tt_str_text(&text), stdout);
    tt_str_close(&text);
    tt_sweep_graph_close(&graph);
    return status;
}

static tt_status save_slurm(const tt_sweep *sweep, const tt_sweep_options *options, const char *path) {
    tt_str script = {0};
    const tt_path_use uses[] = {{"--slurm", path, TT_OUTPUT_STREAM}, {"base", sweep->base, TT_INPUT}};
    TT_TRY(tt_paths_check("sweep", uses, 2));
    for (int i = 0; i < sweep->n; ++i) {
        tt_config config;
        TT_TRY(tt_config_load(&config, sweep->base, sweep->runs[i].overrides, sweep->runs[i].n));
        const tt_status safe = tt_paths_check_config("sweep", uses, 1, &config);
        tt_config_close(&config);
        TT_TRY(safe);
    }
    tt_status status = tt_sweep_remember(sweep);
    if (status == TT_OK) status = tt_sweep_slurm(sweep, options, &script);
    if (status == TT_OK) status = tt_write_file(path, script.data, script.length);
    tt_str_close(&script);
    if (status == TT_OK) printf("wrote %s: %d tasks\n", tt_output_name(path), sweep->n);
    return status;
}

// Writes a file into the folder of the sweep.
static tt_status write_result(const tt_sweep *sweep, const char *name, const tt_str *text) {
    char folder[TT_PATH_MAX], path[TT_PATH_MAX];
    TT_TRY(tt_path_join(folder, sizeof folder, sweep->output, sweep->name));
    TT_TRY(tt_path_join(path, sizeof path, folder, name));
    return tt_write_file(path, tt_str_text(text), text->length);
}

static tt_status show_table(const tt_sweep *sweep) {
    tt_str table = {0}, summary = {0};
    tt_status status = tt_sweep_table(sweep, &table);
    if (status == TT_OK) status = write_result(sweep, "table.txt", &table);
    if (status == TT_OK) status = tt_sweep_summary(sweep, &summary);
    if (status == TT_OK) status = write_result(sweep, "summary.csv", &summary);
    if (status == TT_OK) fputs(tt_str_text(&table), stdout);
    tt_str_close(&summary);
    tt_str_close(&table);
    return status;
}

static tt_status run_sweep(const tt_sweep *sweep, tt_comm *comm, const tt_sweep_options *options) {
    int failed;
    tt_status status = tt_sweep_run_all(sweep, comm, options, &failed);
    if (status != TT_OK) return status;
    if (comm->rank == 0 && options->only < 0) status = show_table(sweep);
    TT_TRY(tt_comm_agree(comm, status));
    if (failed == 0) return TT_OK;
    return tt_comm_agree(comm, tt_fail(TT_ERR_INPUT,
                                   "%d runs failed or were left to other processes; the others are finished. "
                                   "--retry runs those that failed once more",
                                   failed));
}

// What is to be done with a sweep.
typedef struct request {
    const char *path;
    tt_sweep_options options;
    bool dry_run;
    const char *slurm; // file to write the job array to, or NULL
} request;

static bool has_number(const tt_sweep *sweep, int number) {
    bool found = false;
    for (int i = 0; i < sweep->n; ++i) found = found || sweep->runs[i].number == number;
    return found;
}

static tt_status open_sweep(const request *what, tt_comm *comm) {
    const tt_sweep_options *options = &what->options;
    tt_sweep plan;
    TT_TRY(tt_comm_agree(comm, tt_sweep_open(&plan, what->path, options->overrides, options->n_overrides)));
    tt_status status = TT_OK;
    if ((what->slurm || what->dry_run) && (options->run.fresh || options->run.fresh_from))
        status = tt_fail(TT_ERR_USAGE, "sweep: --fresh and --fresh-from start runs; leave out %s",
            what->slurm ? "--slurm" : "--dry-run");
    else if (options->only >= 0 && !has_number(&plan, options->only))
        status = tt_fail(
            TT_ERR_USAGE, "sweep: --only %d: no run has this number; --dry-run lists them", options->only);
    else if (what->slurm || what->dry_run) {
        if (comm->rank == 0 && what->slurm) status = save_slurm(&plan, options, what->slurm);
        if (comm->rank == 0 && !what->slurm) {
            list_runs(&plan);
            status = list_phases(&plan);
        }
        status = tt_comm_agree(comm, status);
    } else
        status = run_sweep(&plan, comm, options);
    tt_sweep_close(&plan);
    return status;
}

tt_status tt_cmd_sweep(int argc, char **argv) {
    tt_texts overrides = {0}, rest;
    bool dry_run = false, retry = false, fresh = false, help;
    int64_t jobs = 0, only = -1, ranks = 0;
    const char *slurm = NULL, *fresh_from = NULL;
    const tt_arg list[] = {
        TT_OPTION_FLAG(
            "dry-run", &dry_run, "Lists the runs with their settings and states, and runs nothing."),
        TT_OPTION_INTEGER("jobs", &jobs, "N", 0, 1024,
            "Runs N at a time, each in a process of its own with its share of the cores (default 0: one "
            "after "
            "another in this process)."),
        TT_OPTION_INTEGER("ranks-per-run", &ranks, "N", 0, 4096,
            "Under mpirun: how many ranks share a run (default: ranks_per_run of the file; if it does not "
            "say, "
            "so many that all have work)."),
        TT_OPTION_FLAG("retry", &retry, "Also runs those that failed earlier."),
        TT_OPTION_FLAG("fresh", &fresh,
            "Starts over, with what other runs have trained left aside: all runs, or the one of --only."),
        TT_OPTION_TEXT(
            "fresh-from", &fresh_from, "PHASE", "The same from this phase: those before it are kept."),
        TT_OPTION_INTEGER("only", &only, "I", 0, 1e6, "Runs only number I of the list."),
        TT_OPTION_PATH("slurm", &slurm, "FILE", TT_OUTPUT_STREAM,
            "Writes a Slurm job array to this file, and runs nothing."),
        TT_OPTION_TEXTS("set", &overrides, "KEY=VALUE", "Overrides a key of every run. May be repeated."),
    };
    const tt_args args = {.usage = "tinythinker sweep SWEEP.yaml [options]\n"
                                   "mpirun -np N tinythinker sweep SWEEP.yaml [options]",
        .about =
            "Runs every combination of a base configuration, axes of values, named variants and seeds, "
            "each in its own run directory, and prints a table of their accuracies. Run the same command "
            "again to resume: finished runs are skipped. experiments/README.md describes the file.",
        .options = list,
        .n = sizeof list / sizeof *list,
        .least = 1,
        .most = 1,
        .inputs = 1};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    // These processes read it again.
    if (jobs > 0 || slurm)
        TT_TRY(tt_file_check(rest.items[0], "a file, which every process of the sweep reads"));
    tt_interrupt_resumes();
    tt_comm *comm;
    TT_TRY(tt_comm_open(&comm));
    const request what = {.path = rest.items[0],
        .options = {.retry = retry,
            .run = {.fresh = fresh, .fresh_from = fresh_from},
            .jobs = (int)jobs,
            .only = (int)only,
            .ranks_per_run = (int)ranks,
            .overrides = overrides.items,
            .n_overrides = overrides.n},
        .dry_run = dry_run,
        .slurm = slurm};
    tt_status status = TT_OK;
    if (jobs > 0 && comm->size > 1)
        status = tt_comm_agree(comm, tt_fail(TT_ERR_USAGE, "sweep: --jobs works only without mpirun; under "
                                                           "mpirun, use --ranks-per-run"));
    if (status == TT_OK) status = open_sweep(&what, comm);
    tt_comm_close(comm, status);
    return status;
}
