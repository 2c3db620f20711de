// tinythinker run: runs the phases of a configuration.
#include "host/base/log.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/config/config.h"
#include "host/dist/comm.h"
#include "host/lab/run.h"

#include <stdio.h>

static tt_status run_configuration(
    const char *path, const tt_texts *overrides, const tt_run_options *options, tt_comm *comm) {
    tt_config config;
    TT_TRY(tt_comm_agree(comm, tt_config_load(&config, path, overrides->items, overrides->n)));
    tt_status status = tt_run(&config, comm, options, stdout);
    tt_config_close(&config);
    return status;
}

tt_status tt_cmd_run(int argc, char **argv) {
    tt_texts overrides = {0}, rest;
    bool keys = false, help;
    tt_run_options how = {0};
    const tt_arg options[] = {
        TT_OPTION_TEXTS("set", &overrides, "KEY=VALUE",
            "Overrides a key of the configuration, e.g. acquisition.steps=500. May be repeated."),
        TT_OPTION_FLAG(
            "fresh", &how.fresh, "Starts over: removes what an earlier run left in the run directory."),
        TT_OPTION_TEXT("fresh-from", &how.fresh_from, "PHASE",
            "Starts over from this phase, e.g. reflection_1: those before it are kept."),
        TT_OPTION_FLAG("keys", &keys, "Lists all keys with their defaults and meanings."),
    };
    const tt_args args = {.usage = "tinythinker run CONFIG.yaml [options]\n"
                                   "mpirun -np N tinythinker run CONFIG.yaml [options]",
        .about = "Runs the phases that the configuration enables, in this order: pretraining, acquisition, "
                 "iterations of reflection, final evaluation. Everything is written to the run directory "
                 "<output>/<name>. Run the same command again to resume a run that was stopped.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .most = 1,
        .inputs = 1};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (keys) {
        tt_config_help(stdout);
        return TT_OK;
    }
    if (rest.n != 1)
        return tt_fail(TT_ERR_USAGE, "run: no configuration is given; see tinythinker run --help");
    tt_interrupt_resumes();
    tt_comm *comm;
    TT_TRY(tt_comm_open(&comm));
    tt_status status = run_configuration(rest.items[0], &overrides, &how, comm);
    tt_comm_close(comm, status);
    return status;
}
