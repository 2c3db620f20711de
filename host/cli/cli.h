// The subcommands of the program. Each takes its arguments with its own name as argv[0], prints results on
// stdout and leaves errors to main().
#ifndef TT_CLI_CLI_H
#define TT_CLI_CLI_H

#include "host/base/status.h"

// name, what it does
#define TT_COMMAND_MAP(X)                                                                                    \
    X(run, "all phases of a configuration, in a run directory; again = resume")                              \
    X(diff, "whether two checkpoints are the same, and how far apart")                                       \
    X(bench, "training speed as a share of this machine's fastest matrix product")

#define TT_COMMAND_DECLARE(name, summary) tt_status tt_cmd_##name(int argc, char **argv) TT_MUST_CHECK;
TT_COMMAND_MAP(TT_COMMAND_DECLARE)
#undef TT_COMMAND_DECLARE

#endif
