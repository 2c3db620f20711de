// tinythinker compare: finished runs side by side.
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/report/side_by_side.h"

tt_status tt_cmd_compare(int argc, char **argv) {
    bool each = false, json = false, help;
    const tt_arg args[] = {
        {"each", TT_ARG_FLAG, &each, NULL, "each run by itself, also runs that differ in their seed only", 0,
            0},
        {"json", TT_ARG_FLAG, &json, NULL, "one JSON object instead of tables", 0, 0},
    };
    tt_texts rest;
    TT_TRY(tt_args_parse(argc, argv,
        "usage: tinythinker compare DIRECTORY...\n"
        "A directory is a finished run's, or holds runs' up to three levels below it. The first run is the "
        "one\n"
        "that the others are compared with, question by question; each run's answers after reflection are\n"
        "compared with those before it, and its votes with its greedy answers. Runs that differ in their "
        "seed\n"
        "only (and name, output, device, threads) are counted together, and their seeds are matched.",
        args, sizeof args / sizeof *args, &rest, 1, 256, &help));
    if (help) return TT_OK;
    tt_report report;
    TT_TRY(tt_report_open(&report, rest.items, rest.n, each));
    const tt_status status = json ? tt_side_by_side_json(&report, stdout) : tt_side_by_side(&report, stdout);
    tt_report_close(&report);
    return status;
}
