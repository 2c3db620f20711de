// What --help shows, in three more forms: a man page and completions for bash and zsh, all of them from the tables of
// options and keys.
#ifndef TT_CLI_HELP_H
#define TT_CLI_HELP_H

#include "host/base/str.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"

#include <stdio.h>

// A command: `name` as it is called ("model import"), and its description.
typedef struct tt_help_page {
    const char *name;
    const tt_args *args;
} tt_help_page;

// Takes pages, in the order of the commands.
typedef struct tt_help_reader {
    void (*read)(void *context, const tt_help_page *page);
    void *context;
} tt_help_reader;

// What is said of an option: its sentences, then the words that it allows.
void tt_help_of_option(tt_str *out, const tt_arg *arg);
// What --help does: prints a page on stdout. While tt_help_read() runs, the page goes to its reader.
void tt_help_show(const tt_help_page *page);
// The same for a command of commands: prints their names and summaries; or has each give its page to the reader.
tt_status tt_help_show_commands(const char *command, const tt_subcommand *table, int n) TT_MUST_CHECK;
// Gives the page of every command to `reader`.
tt_status tt_help_read(const tt_help_reader *reader) TT_MUST_CHECK;

typedef struct tt_command {
    const char *name, *summary;
    tt_status (*run)(int argc, char **argv);
} tt_command;
// All commands of the program but the one below; *n is their number.
const tt_command *tt_commands(int *n);

// The three forms, written to `out`.
tt_status tt_help_man(FILE *out) TT_MUST_CHECK;
tt_status tt_help_bash(FILE *out) TT_MUST_CHECK;
tt_status tt_help_zsh(FILE *out) TT_MUST_CHECK;
// `tinythinker manual FOLDER`, which --help does not list, for the build: writes tinythinker.1, tinythinker.bash and
// _tinythinker into the folder. `tinythinker manual --paths`, for a test: prints command, option, value and role of every
// option that takes a text.
tt_status tt_cmd_manual(int argc, char **argv) TT_MUST_CHECK;

#endif
