// tinythinker diff: compares two checkpoints.
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/model/difference.h"

#include <stdio.h>
#include <string.h>

static bool report_difference(const char *name, const tt_difference *d, double tolerance) {
    printf("%-8s %lld of %lld differ", name, (long long)d->unequal, (long long)d->elements);
    if (d->unequal)
        printf("; largest %.3g (%.3g of the largest value), in %s", d->largest, d->relative, d->worst);
    printf("\n");
    return tolerance > 0 ? d->relative <= tolerance : d->unequal == 0;
}

static tt_status judge_files(const char *path_a, const char *path_b, double tolerance, const char *only) {
    tt_comparison c;
    TT_TRY(tt_compare_checkpoints(&c, path_a, path_b));
    const struct {
        const char *name;
        const tt_difference *difference;
        bool there;
    } rows[] = {{"weights", &c.weights, true}, {"m", &c.m, c.has_moments}, {"v", &c.v, c.has_moments}};
    bool same = true, judged = false;
    for (int i = 0; i < 3; ++i) {
        if (only && strcmp(only, rows[i].name) != 0) continue;
        if (!rows[i].there) continue;
        same = report_difference(rows[i].name, rows[i].difference, tolerance) && same;
        judged = true;
    }
    if (!judged)
        return tt_fail(
            TT_ERR_USAGE, "diff: --only %s: both files must have it; allowed are weights, m, v", only);
    return same ? TT_OK : tt_fail(TT_ERR_NUMERIC, "%s and %s differ", path_a, path_b);
}

tt_status tt_cmd_diff(int argc, char **argv) {
    double tolerance = 0;
    const char *only = NULL;
    tt_texts rest;
    bool help;
    const tt_arg options[] = {
        TT_OPTION_REAL("tolerance", &tolerance, "X", 0, 1e30,
            "Largest relative difference that counts as equal (default 0: the same bits)."),
        TT_OPTION_WORD("only", &only, "WHAT", "weights|m|v",
            "Compares the weights alone, or one of Adam's moments (default: all that both files have)."),
    };
    const tt_args args = {.usage = "tinythinker diff A.h5 B.h5 [options]",
        .about =
            "Compares two checkpoints of the same shape: their weights and, where both have them, Adam's "
            "moments m and v. The relative difference is the largest difference in a buffer, divided by "
            "the largest value of that buffer in A. The exit status is 1 if it exceeds the tolerance.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 2,
        .most = 2,
        .inputs = TT_ALL_INPUTS};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    return help ? TT_OK : judge_files(rest.items[0], rest.items[1], tolerance, only);
}
