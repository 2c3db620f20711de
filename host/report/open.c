#include "host/report/grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Moves the phase of that name in every run to `offset` or beyond.
static bool move_phase(tt_report *r, const char *name, int64_t offset) {
    bool moved = false;
    for (int i = 0; i < r->n_runs; ++i)
        for (int p = 0; p < r->runs[i].n_phases; ++p) {
            tt_report_phase *phase = &r->runs[i].phases[p];
            if (phase->offset >= offset || strcmp(phase->name, name) != 0) continue;
            phase->offset = offset;
            moved = true;
        }
    return moved;
}

// The accuracy of guessing; NaN if it differs between runs.
static double common_chance(const tt_report *r) {
    double chance = NAN;
    for (int i = 0; i < r->n_runs; ++i) {
        const double one = r->runs[i].answers.chance;
        if (!isfinite(one)) continue;
        if (isfinite(chance) && fabs(one - chance) > 0.005) return NAN;
        if (!isfinite(chance)) chance = one;
    }
    return chance;
}

// Lets each phase begin at the same place in all runs: where the longest phase before it ends.
static void align_phases(tt_report *r) {
    bool moved = true;
    for (int turn = 0; turn < TT_REPORT_PHASES && moved; ++turn) {
        moved = false;
        for (int i = 0; i < r->n_runs; ++i)
            for (int p = 1; p < r->runs[i].n_phases; ++p) {
                const tt_report_phase *before = &r->runs[i].phases[p - 1];
                moved = move_phase(r, r->runs[i].phases[p].name, before->offset + before->last) || moved;
            }
    }
}

tt_status tt_report_open(tt_report *out, const char *const *paths, int n, bool each) {
    size_t found;
    *out = (tt_report){.each = each};
    TT_TRY(tt_report_find(paths, n, &out->runs, &found));
    out->n_runs = (int)found;
    for (int s = 0; s < TT_STAGES; ++s) // these come first, in their own order
        snprintf(out->stages.items[out->stages.n++], sizeof out->stages.items[0], "%s",
            tt_stage_name((tt_stage)s));
    tt_status status = TT_OK;
    for (int i = 0; i < out->n_runs && status == TT_OK; ++i)
        status = tt_report_run_read(&out->runs[i], &out->stages);
    if (status == TT_OK) status = tt_report_find_sweeps(out);
    if (status == TT_OK) status = tt_report_make_groups(out);
    if (status == TT_OK) status = tt_grids_make(out);
    align_phases(out);
    out->chance = common_chance(out);
    if (status != TT_OK) tt_report_close(out);
    return status;
}

void tt_report_close(tt_report *report) {
    for (int i = 0; i < report->n_runs; ++i) tt_report_run_close(&report->runs[i]);
    for (int g = 0; g < report->n_groups; ++g) free(report->groups[g].runs);
    tt_grids_close(report);
    free(report->runs);
    free(report->groups);
    *report = (tt_report){0};
}
