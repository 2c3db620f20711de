#include "host/base/str.h"
#include "host/cli/help.h"

#include <stdio.h>
#include <string.h>

tt_status tt_subcommand_run(const char *command, const tt_subcommand *table, int n, int argc, char **argv) {
    const char *names[16];
    char whole[64]; // "corpus import", for messages
    for (int i = 0; i < n; ++i) {
        names[i] = table[i].name;
        if (argc < 2 || strcmp(argv[1], table[i].name) != 0) continue;
        snprintf(whole, sizeof whole, "%s %s", command, table[i].name);
        argv[1] = whole;
        return table[i].run(argc - 1, argv + 1);
    }
    const bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (help || argc < 2) {
        TT_TRY(tt_help_show_commands(command, table, n));
        return help ? TT_OK : tt_fail(TT_ERR_USAGE, "%s: no command is given", command);
    }
    const char *nearest = tt_nearest(argv[1], names, n);
    return tt_fail(TT_ERR_USAGE, "%s: unknown command '%s'%s%s; see tinythinker %s --help", command, argv[1],
        nearest ? "; did you mean " : "", nearest ? nearest : "", command);
}
