// Arguments of a command: a table of options says what is allowed, where it goes, and what --help prints.
#ifndef TT_CLI_ARGS_H
#define TT_CLI_ARGS_H

#include "host/base/status.h"
#include "kernels/device.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum tt_arg_type { TT_ARG_FLAG, TT_ARG_TEXT, TT_ARG_INTEGER, TT_ARG_REAL, TT_ARG_TEXTS } tt_arg_type;

typedef struct tt_texts {
    const char *items[256];
    int n;
} tt_texts;

typedef struct tt_arg {
    const char *name; // without dashes; one letter for a short option
    tt_arg_type type;
    void *out;         // bool, const char *, int64_t, double or tt_texts; keeps its value if not given
    const char *value; // what --help calls the value
    const char *help;
    double low, high; // of numbers
} tt_arg;

// argv[0] is the command's name. Positional arguments go to *rest, at least `least` and at most `most` of
// them. With --help, `synopsis` and the table are printed and *help is set: the command is done. Errors:
// TT_ERR_USAGE naming the option, the nearest known one, or what is missing.
tt_status tt_args_parse(int argc, char **argv, const char *synopsis, const tt_arg *args, int n,
    tt_texts *rest, int least, int most, bool *help) TT_MUST_CHECK;

// The value of --precision. Errors: TT_ERR_USAGE naming the command, the value and what is allowed.
tt_status tt_args_precision(tt_precision *out, const char *command, const char *word) TT_MUST_CHECK;

#endif
