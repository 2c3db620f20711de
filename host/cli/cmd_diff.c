// tinythinker diff: are two checkpoints the same?
#include "host/cli/cli.h"

#include "host/lab/compare.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: tinythinker diff A.h5 B.h5 [options]\n"
    "\n"
    "Compares two checkpoints of the same shape: weights and, where both have them, Adam's moments.\n"
    "Differences are the largest in a buffer, over the largest value in that buffer of A.\n"
    "Exit status 1 if they are larger than the tolerance.\n"
    "\n"
    "  --tolerance X   largest relative difference that counts as the same (default 0: the same bits)\n"
    "  --only WHAT     weights, m or v: what is judged (default: all that both have)\n";

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
    static const struct option options[] = {{"tolerance", required_argument, NULL, 't'},
        {"only", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    double tolerance = 0;
    const char *only = NULL;
    int c;
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        char *end = NULL;
        if (c == 'h') {
            fputs(usage, stdout);
            return TT_OK;
        }
        if (c == 'o')
            only = optarg;
        else if (c == 't')
            tolerance = strtod(optarg, &end);
        else
            return tt_fail(
                TT_ERR_USAGE, "diff: '%s' is unknown or lacks its value; see --help", argv[optind - 1]);
        if (c == 't' && (end == optarg || *end || !(tolerance >= 0)))
            return tt_fail(TT_ERR_USAGE, "--tolerance %s: expected a number from 0", optarg);
    }
    if (argc - optind != 2) return tt_fail(TT_ERR_USAGE, "diff: two checkpoints are expected; see --help");
    return judge(argv[optind], argv[optind + 1], tolerance, only);
}
