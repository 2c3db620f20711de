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

// What a path is for. From the roles of a command's options and arguments follows what is checked before anything is
// opened (paths.h).
typedef enum tt_path_role {
    TT_NO_PATH,
    TT_INPUT, // a file or folder that is read
    TT_OUTPUT_STREAM, // a file that is written from its beginning to its end: it may be a pipe, or - for standard output
    TT_OUTPUT_FILE,  // a file that is written in any order (HDF5)
    TT_OUTPUT_FOLDER // a folder that files are written to
} tt_path_role;

// An option. Rows are written with the macros below, which check the type of `out`.
typedef struct tt_arg {
    const char *name;  // without dashes; one letter for a short option
    void *out;         // bool, const char *, int64_t, double or tt_texts; keeps its value if not given
    const char *value; // what --help calls the value; NULL for flags
    const char *help;  // a whole sentence
    const char *
        words; // "a|b|c": the texts that are allowed, from the table that gives them their meaning; NULL: any
    double low, high; // range of a number, both included
    tt_arg_type type;
    tt_path_role role; // of a text that is a path
} tt_arg;

#define TT_ARG_POINTER(type, pointer) (true ? (pointer) : (type *)0) // does not compile for another type
#define TT_OPTION_FLAG(name_, out_, help_)                                                                   \
    { .name = name_, .type = TT_ARG_FLAG, .out = TT_ARG_POINTER(bool, out_), .help = help_ }
#define TT_OPTION_TEXT(name_, out_, value_, help_)                                                           \
    {                                                                                                        \
        .name = name_, .type = TT_ARG_TEXT, .out = TT_ARG_POINTER(const char *, out_), .value = value_,      \
        .help = help_                                                                                        \
    }
#define TT_OPTION_TEXTS(name_, out_, value_, help_)                                                          \
    {                                                                                                        \
        .name = name_, .type = TT_ARG_TEXTS, .out = TT_ARG_POINTER(tt_texts, out_), .value = value_,         \
        .help = help_                                                                                        \
    }
// A text of a set of words, of which --help and completions tell; the same, repeated.
#define TT_OPTION_WORD(name_, out_, value_, words_, help_)                                                   \
    {                                                                                                        \
        .name = name_, .type = TT_ARG_TEXT, .out = TT_ARG_POINTER(const char *, out_), .value = value_,      \
        .help = help_, .words = words_                                                                       \
    }
#define TT_OPTION_WORDS(name_, out_, value_, words_, help_)                                                  \
    {                                                                                                        \
        .name = name_, .type = TT_ARG_TEXTS, .out = TT_ARG_POINTER(tt_texts, out_), .value = value_,         \
        .help = help_, .words = words_                                                                       \
    }
// A path that is read (TT_INPUT) or written.
#define TT_OPTION_PATH(name_, out_, value_, role_, help_)                                                    \
    {                                                                                                        \
        .name = name_, .type = TT_ARG_TEXT, .out = TT_ARG_POINTER(const char *, out_), .value = value_,      \
        .help = help_, .role = role_                                                                         \
    }
// The same, repeated: all are read.
#define TT_OPTION_INPUTS(name_, out_, value_, help_)                                                         \
    {                                                                                                        \
        .name = name_, .type = TT_ARG_TEXTS, .out = TT_ARG_POINTER(tt_texts, out_), .value = value_,         \
        .help = help_, .role = TT_INPUT                                                                      \
    }
#define TT_OPTION_INTEGER(name_, out_, value_, low_, high_, help_)                                           \
    {                                                                                                        \
        .name = name_, .type = TT_ARG_INTEGER, .out = TT_ARG_POINTER(int64_t, out_), .value = value_,        \
        .help = help_, .low = low_, .high = high_                                                            \
    }
#define TT_OPTION_REAL(name_, out_, value_, low_, high_, help_)                                              \
    {                                                                                                        \
        .name = name_, .type = TT_ARG_REAL, .out = TT_ARG_POINTER(double, out_), .value = value_,            \
        .help = help_, .low = low_, .high = high_                                                            \
    }

typedef struct tt_args {
    const char *usage; // "tinythinker run CONFIG.yaml [options]", or several such lines
    const char *about; // sentences about the command, which --help wraps at 80 columns
    const tt_arg *options;
    int n;           // options
    int least, most; // how many positional arguments there must and may be
    int first_input; // of the positional arguments: those from this one on are read, `inputs` of them at most
    int inputs;      // TT_ALL_INPUTS: all of them
} tt_args;
enum { TT_ALL_INPUTS = 256 };

// argv[0] is the command's name. Positional arguments go to *rest. With --help, usage, description and
// options are printed and *help is set: the command is done. Paths are checked as paths.h says; `-` as an input becomes
// /dev/stdin, and where an output is standard output, what is printed otherwise goes to standard error. Errors:
// TT_ERR_USAGE naming the option, the nearest known one, or what is missing; TT_ERR_IO for an output that cannot be one.
tt_status tt_args_parse(int argc, char **argv, const tt_args *args, tt_texts *rest, bool *help) TT_MUST_CHECK;

#endif
