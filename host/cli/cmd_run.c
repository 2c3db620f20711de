// tinythinker run: a configuration to a result.
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/config/config.h"
#include "host/dist/comm.h"
#include "host/lab/run.h"

#include <stdio.h>

static tt_status run(const char *path, const tt_texts *overrides, bool fresh, tt_comm *comm) {
    tt_config config;
    TT_TRY(tt_comm_agree(comm, tt_config_load(&config, path, overrides->items, overrides->n)));
    tt_status status = tt_run(&config, comm, fresh, stdout);
    tt_config_close(&config);
    return status;
}

tt_status tt_cmd_run(int argc, char **argv) {
    tt_texts overrides = {0}, rest;
    bool fresh = false, keys = false, help;
    const tt_arg args[] = {
        {"set", TT_ARG_TEXTS, &overrides, "KEY=VALUE",
            "override a key, e.g. acquisition.steps=500; may be repeated", 0, 0},
        {"fresh", TT_ARG_FLAG, &fresh, NULL,
            "start over: remove what an earlier run left in the run directory", 0, 0},
        {"keys", TT_ARG_FLAG, &keys, NULL, "list all keys with their defaults and meanings", 0, 0},
    };
    TT_TRY(tt_args_parse(argc, argv,
        "usage: tinythinker run CONFIG.yaml [options]\n"
        "       mpirun -np N tinythinker run CONFIG.yaml [options]\n\n"
        "Does what the configuration asks for, in order: pretraining, acquisition, iterations of "
        "reflection,\n"
        "final evaluation. All goes into the run directory <output>/<name>; the same command goes on "
        "wherever an earlier one stopped.",
        args, sizeof args / sizeof *args, &rest, 0, 1, &help));
    if (help) return TT_OK;
    if (keys) {
        tt_config_help(stdout);
        return TT_OK;
    }
    if (rest.n != 1)
        return tt_fail(TT_ERR_USAGE, "run: the configuration is missing; see tinythinker run --help");
    tt_comm *comm;
    TT_TRY(tt_comm_open(&comm));
    tt_status status = run(rest.items[0], &overrides, fresh, comm);
    tt_comm_close(comm, status);
    return status;
}
