// --help: printed, or handed to who makes another form of it.
#include "host/cli/help.h"

#include <string.h>

static const tt_help_reader *diverted;
static const char *parent; // while the commands of a command are read

enum { COLUMNS = 80, HELP_COLUMN = 26 };

// Prints `text` wrapped at 80 columns. The first line begins at column `column`, where the caller has stopped
// printing; the others are indented by `indent`. A line break in the text is kept.
static void print_wrapped(const char *text, int column, int indent) {
    const int start = column;
    while (*text) {
        const int word = (int)strcspn(text, " \n");
        if (column > indent && column > start && column + 1 + word > COLUMNS) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent && column > start) {
            putchar(' ');
            column++;
        }
        printf("%.*s", word, text);
        column += word;
        text += word;
        if (*text == '\n') {
            printf("\n%*s", indent, "");
            column = indent;
        }
        text += *text != '\0';
    }
    putchar('\n');
}

void tt_help_of_option(tt_str *out, const tt_arg *arg) {
    tt_str_append(out, arg->help);
    if (arg->words) tt_str_append(out, " Allowed: ");
    for (const char *p = arg->words; p && *p; ++p)
        tt_str_append_n(out, *p == '|' ? ", " : p, *p == '|' ? 2 : 1);
    if (arg->words) tt_str_append(out, ".");
}

static void print_help(const tt_args *args) {
    printf("usage: ");
    for (const char *c = args->usage; *c; ++c) {
        putchar(*c);
        if (*c == '\n') printf("       ");
    }
    putchar('\n');
    if (args->about) {
        putchar('\n');
        print_wrapped(args->about, 0, 0);
    }
    if (args->n) printf("\noptions:\n");
    for (int i = 0; i < args->n; ++i) {
        const tt_arg *arg = &args->options[i];
        int column = printf("  %s%s %s", arg->name[1] ? "--" : "-", arg->name, arg->value ? arg->value : "");
        if (column >= HELP_COLUMN) {
            putchar('\n');
            column = 0;
        }
        printf("%*s", HELP_COLUMN - column, "");
        tt_str help = {0};
        tt_help_of_option(&help, arg);
        print_wrapped(tt_str_text(&help), HELP_COLUMN, HELP_COLUMN);
        tt_str_close(&help);
    }
}

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
    print_help(page->args);
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
        int width = 0;
        for (int i = 0; i < n; ++i)
            if ((int)strlen(table[i].name) > width) width = (int)strlen(table[i].name);
        for (int i = 0; i < n; ++i) printf("  %-*s  %s\n", width, table[i].name, table[i].summary);
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
