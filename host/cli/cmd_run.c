// tinythinker run: a configuration to a result.
#include "host/cli/cli.h"

#include "host/config/config.h"
#include "host/dist/comm.h"
#include "host/lab/run.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: tinythinker run CONFIG.yaml [options]\n"
    "       mpirun -np N tinythinker run CONFIG.yaml [options]\n"
    "\n"
    "Does what the configuration asks for, in order: pretraining, acquisition, final evaluation. All goes "
    "into\n"
    "the run directory <output>/<name>; the same command goes on wherever an earlier one stopped.\n"
    "\n"
    "  --set KEY=VALUE   overrides a key, e.g. --set acquisition.steps=500; may be given several times\n"
    "  --fresh           starts over, removing what an earlier run left in the run directory\n"
    "  --keys            lists all keys with their defaults and meanings\n";

enum { MAX_OVERRIDES = 64 };

typedef struct arguments {
    const char *config, *overrides[MAX_OVERRIDES];
    int n_overrides;
    bool fresh, help, keys;
} arguments;

static tt_status read_arguments(arguments *a, int argc, char **argv) {
    static const struct option options[] = {{"set", required_argument, NULL, 's'},
        {"fresh", no_argument, NULL, 'f'}, {"keys", no_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int c;
    *a = (arguments){0};
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'h')
            a->help = true;
        else if (c == 'k')
            a->keys = true;
        else if (c == 'f')
            a->fresh = true;
        else if (c != 's')
            return tt_fail(
                TT_ERR_USAGE, "run: '%s' is unknown or lacks its value; see --help", argv[optind - 1]);
        else if (a->n_overrides == MAX_OVERRIDES)
            return tt_fail(TT_ERR_USAGE, "run: more than %d --set; put them into a file", MAX_OVERRIDES);
        else
            a->overrides[a->n_overrides++] = optarg;
    }
    if (a->help || a->keys) return TT_OK;
    if (argc - optind != 1) return tt_fail(TT_ERR_USAGE, "run: one configuration is expected; see --help");
    a->config = argv[optind];
    return TT_OK;
}

static tt_status run(const arguments *a, tt_comm *comm) {
    tt_config config;
    TT_TRY(tt_comm_agree(comm, tt_config_load(&config, a->config, a->overrides, a->n_overrides)));
    tt_status status = tt_run(&config, comm, a->fresh, stdout);
    tt_config_close(&config);
    return status;
}

tt_status tt_cmd_run(int argc, char **argv) {
    arguments a;
    TT_TRY(read_arguments(&a, argc, argv));
    if (a.help) fputs(usage, stdout);
    if (a.keys) tt_config_help(stdout);
    if (a.help || a.keys) return TT_OK;
    tt_comm *comm;
    TT_TRY(tt_comm_open(&comm));
    tt_status status = run(&a, comm);
    tt_comm_close(comm, status);
    return status;
}
