// tinythinker: runs the command, prints an error, and exits with its status.
#include "host/base/cores.h"
#include "host/base/log.h"
#include "host/base/program.h"
#include "host/base/standard.h"
#include "host/base/str.h"
#include "host/base/version.h"
#include "host/cli/help.h"
#include "host/cli/spinning.h"

#include <stdio.h>
#include <string.h>

static const tt_command commands[] = {
#define TT_COMMAND_ROW(name, summary) {#name, summary, tt_cmd_##name},
    TT_COMMAND_MAP(TT_COMMAND_ROW)
#undef TT_COMMAND_ROW
};
enum { COMMANDS = sizeof commands / sizeof *commands };

const tt_command *tt_commands(int *n) {
    *n = COMMANDS;
    return commands;
}

static void print_help(void) {
    printf("%s\nTeaches small T5 students to reason in three stages.\n\n"
           "usage: tinythinker COMMAND [options]\n\n",
        tt_version_line());
    for (int i = 0; i < COMMANDS; ++i) printf("  %-9s  %s\n", commands[i].name, commands[i].summary);
    printf("\nSee 'tinythinker COMMAND --help' for the options of a command,\n"
           "'tinythinker --version' for this build.\n");
}

// Version and commit, the compiler, and the devices that this build can compute on.
static tt_status print_version(void) {
    printf("%s\n", tt_version_line());
#ifdef __clang__
    printf("built  by clang " __clang_version__ "\n");
#else
    printf("built  by GCC " __VERSION__ "\n");
#endif
    return tt_devices_print();
}

static tt_status run_command(int argc, char **argv) {
    if (argc < 2) {
        print_help();
        return tt_fail(TT_ERR_USAGE, "no command is given");
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return TT_OK;
    }
    if (strcmp(name, "--version") == 0) return print_version();
    if (strcmp(name, "manual") == 0) return tt_cmd_manual(argc - 1, argv + 1);
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; ++i) {
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
        names[i] = commands[i].name;
    }
    const char *nearest = tt_nearest(name, names, COMMANDS);
    return tt_fail(TT_ERR_USAGE, "unknown command '%s'%s%s%s; see tinythinker --help", name,
        nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'" : "");
}

int main(int argc, char **argv) {
    tt_interrupt_install();
    tt_program_remember(argc);
    tt_spinning_bound(argv);
    tt_standard_open();
    tt_cores(); // before OpenMP binds threads
    tt_status status = run_command(argc, argv);
    if (status != TT_OK) tt_error("%s", tt_error_message());
    const tt_status printed = tt_standard_close();
    if (printed != TT_OK) tt_error("%s", tt_error_message());
    return tt_status_exit(status != TT_OK ? status : printed);
}
