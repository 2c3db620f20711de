// tinythinker diff: are two checkpoints the same?
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/model/difference.h"

#include <stdio.h>
#include <string.h>

static bool report(const char *name, const tt_difference *d, double tolerance) {
    printf("%-8s %lld of %lld differ", name, (long long)d->unequal, (long long)d->elements);
    if (d->unequal)
        printf("; largest %.3g (%.3g of the largest value), in %s", d->largest, d->relative, d->worst);
    printf("\n");
    return tolerance > 0 ? d->relative <= tolerance : d->unequal == 0;
}

static tt_status judge(const char *path_a, const char *path_b, double tolerance, const char *only) {
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
        same = report(rows[i].name, rows[i].difference, tolerance) && same;
        judged = true;
    }
    if (!judged) return tt_fail(TT_ERR_USAGE, "--only %s: no such buffer in both files", only);
    return same ? TT_OK : tt_fail(TT_ERR_NUMERIC, "%s and %s differ", path_a, path_b);
}

tt_status tt_cmd_diff(int argc, char **argv) {
    double tolerance = 0;
    const char *only = NULL;
    tt_texts rest;
    bool help;
    const tt_arg args[] = {
        {"tolerance", TT_ARG_REAL, &tolerance, "X",
            "largest relative difference that counts as the same (default 0: "
            "the same bits)",
            0, 1e30},
        {"only", TT_ARG_TEXT, &only, "WHAT", "weights, m or v: what is judged (default: all that both have)",
            0, 0},
    };
    TT_TRY(tt_args_parse(argc, argv,
        "usage: tinythinker diff A.h5 B.h5 [options]\n\n"
        "Compares two checkpoints of the same shape: weights and, where both have them, Adam's moments. A\n"
        "difference is the largest in a buffer, over the largest value in that buffer of A. Exit status 1 if "
        "it\n"
        "is larger than the tolerance.",
        args, sizeof args / sizeof *args, &rest, 2, 2, &help));
    return help ? TT_OK : judge(rest.items[0], rest.items[1], tolerance, only);
}
