// --help: printed, or handed to who makes another form of it.
#include "host/cli/help.h"

#include <string.h>

static const tt_help_reader *diverted;
static const char *parent; // while the commands of a command are read

void tt_help_show(const tt_help_page *page) {
    if (diverted) {
        char name[64];
        tt_help_page whole = *page;
        if (parent) {
            snprintf(name, sizeof name, "%s %s", parent, page->name);
            whole.name = name;
        }
        diverted->read(diverted->context, &whole);
        return;
    }
    printf("%s\n", page->synopsis);
    if (page->n) printf("\noptions:\n");
    for (int i = 0; i < page->n; ++i) {
        char left[64];
        const tt_arg *arg = &page->args[i];
        snprintf(
            left, sizeof left, "%s%s %s", arg->name[1] ? "--" : "-", arg->name, arg->value ? arg->value : "");
        printf("  %-24s %s\n", left, arg->help);
    }
}

// Calls a command with --help.
static tt_status ask_for_help(const char *command, tt_status (*run)(int argc, char **argv)) {
    char name[32], help[] = "--help", *argv[] = {name, help, NULL};
    snprintf(name, sizeof name, "%s", command);
    return run(2, argv);
}

tt_status tt_help_show_commands(const char *command, const tt_subcommand *table, int n) {
    if (!diverted) {
        printf("usage: tinythinker %s COMMAND [options]\n\n", command);
        for (int i = 0; i < n; ++i) printf("  %-8s  %s\n", table[i].name, table[i].summary);
        return TT_OK;
    }
    tt_status status = TT_OK;
    parent = command;
    for (int i = 0; i < n && status == TT_OK; ++i) status = ask_for_help(table[i].name, table[i].run);
    parent = NULL;
    return status;
}

tt_status tt_help_read(const tt_help_reader *reader) {
    int n;
    const tt_command *commands = tt_commands(&n);
    tt_status status = TT_OK;
    diverted = reader;
    for (int i = 0; i < n && status == TT_OK; ++i) status = ask_for_help(commands[i].name, commands[i].run);
    diverted = NULL;
    return status;
}
