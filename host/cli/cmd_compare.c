// tinythinker compare: finished runs side by side.
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/lab/side_by_side.h"

tt_status tt_cmd_compare(int argc, char **argv) {
    tt_texts rest;
    bool help;
    TT_TRY(tt_args_parse(
        argc, argv, "usage: tinythinker compare RUN-DIRECTORY...", NULL, 0, &rest, 1, 256, &help));
    return help ? TT_OK : tt_side_by_side(rest.items, rest.n, stdout);
}
