// tinythinker sweep: many runs, of one sweep file or several.
#include "host/base/log.h"
#include "host/base/output.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/cli/paths.h"
#include "host/lab/sweep/fresh.h"
#include "host/lab/sweep/listing.h"
#include "host/lab/sweep/speed.h"
#include "host/lab/sweep/sweep.h"

#include <stdio.h>
#include <string.h>

enum { MOST_FILES = 64 };

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

// Writes a file into a folder below the output of the sweeps; `folder` "": into the output itself.
static tt_status write_result(
    const tt_sweeps *sweeps, const char *folder, const char *name, const tt_str *text) {
    char place[TT_PATH_MAX], path[TT_PATH_MAX];
    if (*folder) TT_TRY(tt_path_join(place, sizeof place, sweeps->output, folder));
    TT_TRY(tt_path_join(path, sizeof path, *folder ? place : sweeps->output, name));
    return tt_write_file(path, tt_str_text(text), text->length);
}

static tt_status write_summary(const tt_sweeps *sweeps, const char *folder) {
    tt_str summary = {0};
    tt_status status = tt_sweep_summary(sweeps, &summary);
    if (status == TT_OK) status = write_result(sweeps, folder, "summary.csv", &summary);
    tt_str_close(&summary);
    return status;
}

static tt_status show_table(const tt_sweeps *one) {
    tt_str table = {0};
    const char *folder = one->items->name;
    tt_status status = tt_sweep_table(one->items, &table);
    if (status == TT_OK) status = write_result(one, folder, "table.txt", &table);
    if (status == TT_OK) status = write_summary(one, folder);
    if (status == TT_OK) fputs(tt_str_text(&table), stdout);
    tt_str_close(&table);
    return status;
}

// `only`: the number of the only run that counts, or -1.
static int count_states(const tt_sweeps *sweeps, int only, tt_sweep_state state) {
    int n = 0;
    for (int i = 0; i < sweeps->n; ++i)
        n += (only < 0 || sweeps->runs[i]->number == only) && tt_sweep_state_of(sweeps->runs[i]) == state;
    return n;
}

// Of each sweep, and of all together where there are several.
static tt_status show_tables(const tt_sweeps *sweeps) {
    for (int i = 0; i < sweeps->n_items; ++i) {
        const tt_sweeps one = tt_sweeps_only(sweeps, i);
        TT_TRY(show_table(&one));
        if (sweeps->n_items > 1) putchar('\n');
    }
    if (sweeps->n_items == 1) return TT_OK;
    TT_TRY(write_summary(sweeps, ""));
    printf("%d sweeps: %d of %d runs are finished; %s/summary.csv has a line for each\n", sweeps->n_items,
        count_states(sweeps, -1, TT_SWEEP_FINISHED), sweeps->n, sweeps->output);
    return TT_OK;
}

static tt_status run_sweeps(tt_sweeps *sweeps, tt_comm *comm, const tt_sweep_options *options) {
    int failed;
    tt_status status = tt_sweep_run_all(sweeps, comm, options, &failed);
    if (status != TT_OK) return status;
    if (comm->rank == 0 && options->only < 0) status = show_tables(sweeps);
    TT_TRY(tt_comm_agree(comm, status));
    if (failed == 0) return TT_OK;
    return tt_comm_agree(
        comm, tt_fail(TT_ERR_UNFINISHED,
                  "%d run%s not finished: failed, now or earlier, left to other processes, or in a "
                  "directory with other settings; --retry runs the failed ones once more",
                  failed, failed == 1 ? " is" : "s are"));
}

// What is to be done with the sweeps.
typedef struct request {
    tt_texts paths;
    tt_sweep_options options;
    bool dry_run;
    double speed;      // tokens a second for its estimates, 0: measured
    const char *like;  // NULL, or a run whose speed is taken
    const char *slurm; // file to write the job array to, or NULL
} request;

static bool has_number(const tt_sweeps *sweeps, int number) {
    bool found = false;
    for (int i = 0; i < sweeps->n; ++i) found = found || sweeps->runs[i]->number == number;
    return found;
}

static tt_status check_request(const request *what) {
    const tt_sweep_options *o = &what->options;
    if (what->paths.n > 1 && (o->only >= 0 || what->slurm))
        return tt_fail(TT_ERR_USAGE,
            "sweep: %s is for one sweep, but %d are given; sweeps started apart share phases, too",
            what->slurm ? "--slurm" : "--only", what->paths.n);
    if (what->slurm && (o->fresh || o->fresh_from))
        return tt_fail(TT_ERR_USAGE, "sweep: --fresh and --fresh-from start runs; leave out --slurm");
    if ((what->speed > 0 || what->like) && !what->dry_run)
        return tt_fail(TT_ERR_USAGE, "sweep: --speed and --like are for --dry-run");
    if (what->speed > 0 && what->like)
        return tt_fail(TT_ERR_USAGE, "sweep: give --speed or --like, not both");
    if (o->fresh && o->fresh_from)
        return tt_fail(TT_ERR_USAGE, "sweep: give --fresh or --fresh-from, not both");
    return TT_OK;
}

static tt_status dry_run(const request *what, tt_sweeps *sweeps) {
    const tt_sweep_options *o = &what->options;
    double speed = what->speed;
    tt_str text = {0};
    if (what->like) TT_TRY(tt_speed_of_run(what->like, &speed));
    if (o->fresh || o->fresh_from) TT_TRY(tt_sweep_fresh_pretend(sweeps, o->only, o->fresh_from));
    const tt_status status = tt_sweep_list(sweeps, speed, &text);
    if (status == TT_OK) fputs(tt_str_text(&text), stdout);
    if (status == TT_OK && (o->fresh || o->fresh_from))
        printf("%s would replace the files of %d of %d runs, each when its turn comes; nothing was changed\n",
            o->fresh ? "--fresh" : "--fresh-from", count_states(sweeps, o->only, TT_SWEEP_OVER), sweeps->n);
    tt_str_close(&text);
    return status;
}

static tt_status do_request(const request *what, tt_sweeps *sweeps, tt_comm *comm) {
    const tt_sweep_options *options = &what->options;
    if (options->only >= 0 && !has_number(sweeps, options->only))
        return tt_fail(
            TT_ERR_USAGE, "sweep: --only %d: no run has this number; --dry-run lists them", options->only);
    if (!what->slurm && !what->dry_run) return run_sweeps(sweeps, comm, options);
    tt_status status = TT_OK;
    if (comm->rank == 0)
        status = what->slurm ? save_slurm(sweeps->items, options, what->slurm) : dry_run(what, sweeps);
    return tt_comm_agree(comm, status);
}

static tt_status open_sweeps(const request *what, tt_comm *comm) {
    tt_sweeps sweeps;
    TT_TRY(check_request(what));
    TT_TRY(tt_comm_agree(comm, tt_sweeps_open(&sweeps, what->paths.items, what->paths.n,
                                   what->options.overrides, what->options.n_overrides)));
    const tt_status status = do_request(what, &sweeps, comm);
    tt_sweeps_close(&sweeps);
    return status;
}

tt_status tt_cmd_sweep(int argc, char **argv) {
    tt_texts overrides = {0}, rest;
    bool dry_run = false, retry = false, fresh = false, help;
    int64_t jobs = 0, only = -1, ranks = 0;
    double speed = 0;
    const char *slurm = NULL, *fresh_from = NULL, *like = NULL;
    const tt_arg list[] = {
        TT_OPTION_FLAG("dry-run", &dry_run,
            "Lists the runs with their settings and states, the phases that they have in common, and what "
            "they cost; runs nothing. With --fresh or --fresh-from: as if they had started over."),
        TT_OPTION_REAL("speed", &speed, "TOKENS", 0, 1e12,
            "With --dry-run: tokens a second for its estimates of time (default: as finished runs in the "
            "output measured)."),
        TT_OPTION_PATH("like", &like, "RUN", TT_INPUT,
            "With --dry-run: directory of a finished run whose measured speed is taken instead."),
        TT_OPTION_INTEGER("jobs", &jobs, "N", 0, 1024,
            "Runs N at a time, each in a process of its own with its share of the cores (default 0: one "
            "after another in this process)."),
        TT_OPTION_INTEGER("ranks-per-run", &ranks, "N", 0, 4096,
            "Under mpirun: how many ranks share a run (default: ranks_per_run of the file; if it does not "
            "say, so many that all have work)."),
        TT_OPTION_FLAG("retry", &retry,
            "Also runs those that failed earlier. Without it they are left out, since most fail again, and "
            "the table says why."),
        TT_OPTION_FLAG("fresh", &fresh,
            "Starts over: all runs, or the one of --only. They take phases from each other, from no other "
            "run. When this is interrupted, the same command goes on with it."),
        TT_OPTION_TEXT(
            "fresh-from", &fresh_from, "PHASE", "The same from this phase: those before it are kept."),
        TT_OPTION_INTEGER("only", &only, "I", 0, 1e6, "Runs only number I of the list."),
        TT_OPTION_PATH("slurm", &slurm, "FILE", TT_OUTPUT_STREAM,
            "Writes a Slurm job array to this file, and runs nothing."),
        TT_OPTION_TEXTS("set", &overrides, "KEY=VALUE", "Overrides a key of every run. May be repeated."),
    };
    const tt_args args = {.usage = "tinythinker sweep SWEEP.yaml... [options]\n"
                                   "mpirun -np N tinythinker sweep SWEEP.yaml... [options]",
        .about =
            "Runs every combination of a base configuration, axes of values, named variants and seeds, each "
            "in its own run directory, and prints a table of their accuracies. Several sweeps run as one, in "
            "which no phase is trained twice. Run the same command again to resume: finished runs are "
            "skipped. It ends with 0 when all runs are finished, with 1 when some are not: they failed, now "
            "or earlier, or other processes have them. experiments/README.md describes the file.",
        .options = list,
        .n = sizeof list / sizeof *list,
        .least = 1,
        .most = MOST_FILES,
        .inputs = TT_ALL_INPUTS};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    // These processes read it again.
    if (jobs > 0 || slurm)
        for (int i = 0; i < rest.n; ++i)
            TT_TRY(tt_file_check(rest.items[i], "a file, which every process of the sweep reads"));
    tt_interrupt_resumes();
    tt_comm *comm;
    TT_TRY(tt_comm_open(&comm));
    const request what = {.paths = rest,
        .options = {.retry = retry,
            .fresh = fresh,
            .fresh_from = fresh_from,
            .jobs = (int)jobs,
            .only = (int)only,
            .ranks_per_run = (int)ranks,
            .overrides = overrides.items,
            .n_overrides = overrides.n},
        .dry_run = dry_run,
        .speed = speed,
        .like = like,
        .slurm = slurm};
    tt_status status = TT_OK;
    if (jobs > 0 && comm->size > 1)
        status = tt_comm_agree(comm, tt_fail(TT_ERR_USAGE, "sweep: --jobs works only without mpirun; under "
                                                           "mpirun, use --ranks-per-run"));
    if (status == TT_OK) status = open_sweeps(&what, comm);
    tt_comm_close(comm, status);
    return status;
}
