// tinythinker compare: finished runs side by side.
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/report/side_by_side.h"

tt_status tt_cmd_compare(int argc, char **argv) {
    bool each = false, json = false, help;
    const tt_arg options[] = {
        TT_OPTION_FLAG("each", &each, "Shows every run by itself, also runs that differ only in their seed."),
        TT_OPTION_FLAG("json", &json, "Prints one JSON object instead of tables."),
    };
    const tt_args args = {.usage = "tinythinker compare [options] DIRECTORY...",
        .about =
            "Shows finished runs side by side. A directory is a run's, or contains run directories up to "
            "three levels below it. Runs that differ only in their seed (and name, output, device, "
            "threads) form a group.\n\n"
            "Every group is compared with the first one, question by question, between runs of the same "
            "seed. Within a run, the answers after reflection are compared with those before it, and the "
            "votes of self-consistency with the greedy answers.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = 256,
        .inputs = TT_ALL_INPUTS};
    tt_texts rest;
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    tt_report report;
    TT_TRY(tt_report_open(&report, rest.items, rest.n, each));
    const tt_status status = json ? tt_side_by_side_json(&report, stdout) : tt_side_by_side(&report, stdout);
    tt_report_close(&report);
    return status;
}
