// The commands of the program. Each takes its arguments with its own name as argv[0], prints results to
// stdout and leaves errors to main().
#ifndef TT_CLI_CLI_H
#define TT_CLI_CLI_H

#include "host/base/status.h"

#include <stdbool.h>

// name, what it does (a sentence for --help)
#define TT_COMMAND_MAP(X)                                                                                    \
    X(run, "Runs the phases of a configuration, or resumes them.")                                           \
    X(plan, "Says what a run will need: memory, steps, hours, energy.")                                      \
    X(eval, "Scores a student on splits of a corpus.")                                                       \
    X(teach, "Collects reasoning about questions from a large model.")                                       \
    X(sweep, "Runs every combination of settings and seeds.")                                                \
    X(report, "Writes one HTML page about runs: accuracies, curves, examples.")                              \
    X(compare, "Shows finished runs side by side.")                                                          \
    X(explain, "Says which stage decided a run's wrong answers.")                                            \
    X(ask, "Reasons about one question and shows the stages.")                                               \
    X(corpus, "Imports, builds and shows questions with reasoning.")                                         \
    X(model, "Makes, shows, imports, exports and converts students.")                                        \
    X(tokenizer, "Trains and shows SentencePiece models.")                                                   \
    X(renew, "Writes HDF5 files of earlier versions in the present format.")                                 \
    X(device, "Shows what this build can compute on.")                                                       \
    X(diff, "Compares two checkpoints.")                                                                     \
    X(bench, "Measures the speed of training, generation and operations.")

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

// Runs the command that argv[1] names; --help lists the table. Errors: TT_ERR_USAGE for an unknown or missing
// command.
tt_status tt_subcommand_run(
    const char *command, const tt_subcommand *table, int n, int argc, char **argv) TT_MUST_CHECK;

#endif
