#include "host/lab/sweep/sweeps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Whether a sweep can share a queue with those before it.
static tt_status check_one(const tt_sweeps *sweeps, int i) {
    const tt_sweep *one = &sweeps->items[i];
    for (int k = 0; k < i; ++k) {
        const tt_sweep *other = &sweeps->items[k];
        if (strcmp(one->output, other->output) != 0)
            return tt_fail(TT_ERR_CONFIG,
                "%s: its output is %s, but that of %s is %s; sweeps that run together share phases below one "
                "output: give both the same, or run them one after another",
                one->file, one->output, other->file, other->output);
        if (strcmp(one->name, other->name) == 0)
            return tt_fail(TT_ERR_CONFIG,
                "%s: its name is %s, which is that of %s, too; their runs would get the same folders; give "
                "one another name",
                one->file, one->name, other->file);
    }
    return TT_OK;
}

static tt_status list_runs(tt_sweeps *sweeps) {
    for (int i = 0; i < sweeps->n_items; ++i) sweeps->n += sweeps->items[i].n;
    TT_TRY(tt_alloc(&sweeps->runs, (size_t)sweeps->n, sizeof(void *), "runs"));
    for (int i = 0, k = 0; i < sweeps->n_items; ++i)
        for (int r = 0; r < sweeps->items[i].n; ++r) sweeps->runs[k++] = &sweeps->items[i].runs[r];
    sweeps->output = sweeps->items[0].output;
    return TT_OK;
}

tt_status tt_sweeps_open(
    tt_sweeps *out, const char *const *paths, int n, const char *const *overrides, int n_overrides) {
    *out = (tt_sweeps){0};
    TT_TRY(tt_alloc(&out->items, (size_t)n, sizeof *out->items, "sweeps"));
    tt_status status = TT_OK;
    for (int i = 0; i < n && status == TT_OK; ++i) {
        status = tt_sweep_open(&out->items[i], paths[i], overrides, n_overrides);
        if (status != TT_OK) break;
        out->n_items++;
        status = check_one(out, i);
    }
    if (status == TT_OK) status = list_runs(out);
    if (status != TT_OK) tt_sweeps_close(out);
    return status;
}

void tt_sweeps_close(tt_sweeps *sweeps) {
    for (int i = 0; i < sweeps->n_items; ++i) tt_sweep_close(&sweeps->items[i]);
    free(sweeps->items);
    free(sweeps->runs);
    *sweeps = (tt_sweeps){0};
}

tt_sweeps tt_sweeps_only(const tt_sweeps *sweeps, int i) {
    int before = 0;
    for (int k = 0; k < i; ++k) before += sweeps->items[k].n;
    return (tt_sweeps){.items = &sweeps->items[i],
        .n_items = 1,
        .runs = sweeps->runs + before,
        .n = sweeps->items[i].n,
        .output = sweeps->output};
}

const char *tt_sweeps_name(const tt_sweeps *sweeps, char out[32]) {
    if (sweeps->n_items == 1) return sweeps->items[0].name;
    snprintf(out, 32, "%d sweeps", sweeps->n_items);
    return out;
}
