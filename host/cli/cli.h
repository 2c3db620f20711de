// The subcommands of the program. Each takes its arguments with its own name as argv[0], prints results on
// stdout and leaves errors to main().
#ifndef TT_CLI_CLI_H
#define TT_CLI_CLI_H

#include "host/base/status.h"

#include <stdbool.h>

// name, what it does
#define TT_COMMAND_MAP(X)                                                                                    \
    X(run, "all phases of a configuration, in a run directory; again = resume")                              \
    X(eval, "scores a student on splits of a corpus")                                                        \
    X(sweep, "every combination of settings and seeds, each a run")                                          \
    X(report, "runs as one HTML page: accuracies, curves, examples")                                         \
    X(compare, "finished runs side by side")                                                                 \
    X(explain, "which stage decided the wrong answers of a run")                                             \
    X(ask, "reasons about one question and shows its stages")                                                \
    X(corpus, "imports, builds and shows questions with reasoning")                                          \
    X(model, "makes, shows and converts students")                                                           \
    X(tokenizer, "trains and shows SentencePiece models")                                                    \
    X(device, "what this build can run on")                                                                  \
    X(diff, "whether two checkpoints are the same, and how far apart")                                       \
    X(bench, "training speed as a share of this machine's fastest matrix product")

#define TT_COMMAND_DECLARE(name, summary) tt_status tt_cmd_##name(int argc, char **argv) TT_MUST_CHECK;
TT_COMMAND_MAP(TT_COMMAND_DECLARE)
#undef TT_COMMAND_DECLARE

// Prints what this build can compute on, a line for each kind of device.
tt_status tt_devices_print(void) TT_MUST_CHECK;

// Commands of a command, e.g. `corpus show`.
typedef struct tt_subcommand {
    const char *name;
    tt_status (*run)(int argc, char **argv);
    const char *summary;
} tt_subcommand;

// Finds argv[1] in the table and runs it; --help lists the table. Errors: TT_ERR_USAGE.
tt_status tt_subcommand_run(
    const char *command, const tt_subcommand *table, int n, int argc, char **argv) TT_MUST_CHECK;

#endif
