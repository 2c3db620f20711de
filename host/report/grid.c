#include "host/report/grid.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/report/grid_rows.h"
#include "host/report/runs/changes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tt_report_score_kind kinds[2] = {TT_REPORT_TEST, TT_REPORT_TEST_VOTED};

// ---- rows and columns

static int column_of(tt_grid *grid, const char *corpus) {
    for (int i = 0; i < grid->n_columns; ++i)
        if (strcmp(grid->columns[i], corpus) == 0) return i;
    if (grid->n_columns == TT_GRID_COLUMNS) return -1;
    snprintf(grid->columns[grid->n_columns], sizeof *grid->columns, "%s", corpus);
    return grid->n_columns++;
}

static tt_status row_of(const tt_grid_rows *rows, tt_grid *grid, int group, bool before, tt_grid_row **out) {
    tt_str key = {0};
    tt_grid_row_key(rows, group, before, &key);
    tt_status status = tt_str_status(&key);
    int i = 0;
    while (i < grid->n && (grid->rows[i].before != before ||
                              strcmp(tt_str_text(&grid->rows[i].key), tt_str_text(&key)) != 0))
        ++i;
    if (status == TT_OK && i == grid->n) {
        status =
            tt_grow(&grid->rows, &grid->capacity, (size_t)grid->n + 1, sizeof *grid->rows, "rows of a table");
        if (status == TT_OK) {
            tt_grid_row *row = &grid->rows[grid->n++];
            *row = (tt_grid_row){.before = before, .group = group, .key = key};
            key = (tt_str){0};
            for (int c = 0; c < TT_GRID_COLUMNS; ++c) {
                row->groups[c] = -1;
                row->cells[c][0].score.mean = row->cells[c][1].score.mean = NAN;
            }
        }
    }
    tt_str_close(&key);
    *out = status == TT_OK ? &grid->rows[i] : NULL;
    return status;
}

// Accuracy of the group's students before they reflected.
static tt_report_mean score_before(const tt_report *r, int group) {
    const tt_report_phase *before = tt_report_before(tt_report_first_run(r, group));
    if (!before) return (tt_report_mean){.mean = NAN};
    return tt_report_group_phase(r, &r->groups[group], before->name, true);
}

// Groups that reflect in different ways begin with the same students: the one of most seeds speaks for all.
static tt_status place_before(const tt_grid_rows *rows, tt_grid *grid, int group, int column) {
    const tt_report_mean score = score_before(rows->r, group);
    tt_grid_row *row;
    if (!isfinite(score.mean)) return TT_OK;
    TT_TRY(row_of(rows, grid, group, true, &row));
    if (row->groups[column] < 0 || score.seeds > score_before(rows->r, row->groups[column]).seeds)
        row->groups[column] = group;
    return TT_OK;
}

static tt_status place_group(const tt_grid_rows *rows, tt_grid *grid, int group) {
    char corpus[TT_PATH_MAX];
    tt_grid_row *row;
    tt_grid_corpus(rows->r, group, corpus);
    const int column = column_of(grid, corpus);
    if (column < 0) {
        tt_warn("%s: a table has %d data sets at most; %s is left out of it", rows->r->groups[group].label,
            TT_GRID_COLUMNS, corpus);
        return TT_OK;
    }
    if (grid->paired) TT_TRY(place_before(rows, grid, group, column));
    TT_TRY(row_of(rows, grid, group, false, &row));
    row->groups[column] = group;
    return TT_OK;
}

// ---- cells

static void note_seeds(tt_grid *grid, const tt_report_mean *score) {
    if (!isfinite(score->mean)) return;
    if (grid->fewest == 0 || score->seeds < grid->fewest) grid->fewest = score->seeds;
    if (score->seeds > grid->most) grid->most = score->seeds;
}

// Whether the interval over questions excludes 0, and that over seeds, where there is one.
static tt_status is_sure(const tt_report *r, const tt_report_change *which, bool *out) {
    tt_report_change c;
    TT_TRY(tt_report_change_of_group(r, which, &c));
    *out = c.pairs > 0 && tt_report_sure(c.low, c.high) &&
           (c.pairs < 2 || !isfinite(c.seeds_low) || tt_report_sure(c.seeds_low, c.seeds_high));
    return TT_OK;
}

static tt_status compare_cell(
    const tt_report *r, tt_grid *grid, const tt_grid_row *row, int column, int kind, bool *sure) {
    const int group = row->groups[column], first = grid->rows[0].groups[column];
    const tt_report_phase *before = tt_report_before(tt_report_first_run(r, group)),
                          *after = tt_report_after(tt_report_first_run(r, group));
    tt_report_change which = {.kind = TT_CHANGE_GROUP, .group = group, .answers = kinds[kind]};
    if (grid->paired) {
        if (kind || !before || !after) return TT_OK;
        which.kind = TT_CHANGE_REFLECTION;
        which.phase = after->name;
        which.before = before->name;
        return is_sure(r, &which, sure);
    }
    if (first == group) return TT_OK;
    if (!isfinite(grid->rows[0].cells[column][kind].score.mean)) {
        grid->alone = true;
        return TT_OK;
    }
    which.against = first;
    return is_sure(r, &which, sure);
}

static tt_status fill_cell(const tt_report *r, tt_grid *grid, tt_grid_row *row, int column, int kind) {
    const int group = row->groups[column];
    tt_grid_cell *cell = &row->cells[column][kind];
    if (group < 0 || (row->before && kind)) return TT_OK;
    cell->score =
        row->before ? score_before(r, group) : tt_report_group_score(r, &r->groups[group], kinds[kind]);
    if (!isfinite(cell->score.mean)) return TT_OK;
    note_seeds(grid, &cell->score);
    grid->voted = grid->voted || kind;
    cell->old = tt_report_group_old(r, &r->groups[group]);
    grid->old = grid->old || cell->old;
    return row->before ? TT_OK : compare_cell(r, grid, row, column, kind, &cell->sure);
}

// Whether rows before reflection say something that no other row does: some run reflects, and the sweep does not vary how
// often.
static bool has_before(const tt_grid_rows *rows) {
    bool any = false;
    for (int g = 0; g < rows->r->n_groups; ++g)
        any = any || (tt_grid_is_own(rows, g) && tt_report_first_run(rows->r, g)->resolved &&
                         tt_report_before(tt_report_first_run(rows->r, g)));
    return any && !tt_grid_varies(rows, "reflection.iterations");
}

static tt_status make_grid(const tt_report *r, tt_grid *grid) {
    tt_grid_rows rows;
    TT_TRY(tt_grid_rows_open(&rows, r, grid->sweep_number));
    tt_status status = TT_OK;
    grid->paired = has_before(&rows);
    for (int g = 0; g < r->n_groups && status == TT_OK; ++g)
        if (tt_grid_is_own(&rows, g)) status = place_group(&rows, grid, g);
    for (int i = 0; i < 2 * grid->n * grid->n_columns && status == TT_OK; ++i)
        status = fill_cell(r, grid, &grid->rows[i / 2 / grid->n_columns], i / 2 % grid->n_columns, i % 2);
    if (status == TT_OK) tt_grid_name(&rows, grid);
    tt_grid_rows_close(&rows);
    return status;
}

static void close_rows(tt_grid *grid) {
    for (int i = 0; i < grid->n; ++i) tt_str_close(&grid->rows[i].key);
    free(grid->rows);
}

void tt_grids_close(tt_report *r) {
    for (int i = 0; i < r->n_grids; ++i) close_rows(&r->grids[i]);
    free(r->grids);
    r->grids = NULL;
    r->n_grids = 0;
}

static void note_first(tt_report *r, const tt_grid *grid) {
    int first = 0;
    while (first + 1 < grid->n && grid->rows[first].before) ++first;
    for (int row = first + 1; row < grid->n && grid->sweep_number >= 0; ++row)
        for (int c = 0; c < grid->n_columns; ++c)
            if (!grid->rows[row].before && grid->rows[row].groups[c] >= 0 && grid->rows[first].groups[c] >= 0)
                r->groups[grid->rows[row].groups[c]].against = grid->rows[first].groups[c];
}

// Adds the table of the sweep that a group belongs to, if it has a number.
static tt_status add_grid(tt_report *r, int group) {
    const tt_report_run *run = tt_report_first_run(r, group);
    tt_grid *grid = &r->grids[r->n_grids++];
    grid->sweep_number = run->sweep_number;
    grid->sweep = run->sweep_number >= 0 ? run->sweep : "";
    TT_TRY(make_grid(r, grid));
    note_first(r, grid);
    if (grid->most > 0) return TT_OK;
    close_rows(grid);
    *grid = (tt_grid){0};
    --r->n_grids;
    return TT_OK;
}

tt_status tt_grids_make(tt_report *r) {
    tt_status status = tt_alloc(&r->grids, (size_t)r->n_groups + 1, sizeof *r->grids, "tables");
    for (int g = 0; g < r->n_groups && status == TT_OK; ++g) {
        bool known = false;
        for (int k = 0; k < g && !known; ++k)
            known = tt_report_first_run(r, k)->sweep_number == tt_report_first_run(r, g)->sweep_number;
        if (!known) status = add_grid(r, g);
    }
    return status;
}

// ---- text

bool tt_grid_single(const tt_grid *grid) {
    return grid->most < 2;
}

void tt_grid_number(tt_str *out, const tt_grid_cell *cell, const char *sign) {
    char number[32];
    if (!isfinite(cell->score.mean)) return;
    tt_format(number, sizeof number, "%.1f", 100 * cell->score.mean);
    tt_str_append(out, number);
    if (!isfinite(cell->score.deviation)) return;
    tt_format(number, sizeof number, "%.1f", 100 * cell->score.deviation);
    tt_str_format(out, "%s%s", sign, number);
}

void tt_grid_caption(tt_str *out, const tt_grid *grid) {
    tt_str_append(out, "Accuracy on the test questions in per cent");
    if (tt_grid_single(grid))
        tt_str_append(out, " of one seed");
    else if (grid->fewest == grid->most)
        tt_str_format(out, ": mean and standard deviation over %d seeds", grid->most);
    else
        tt_str_format(out, ": mean and standard deviation over %d to %d seeds", grid->fewest, grid->most);
    tt_str_format(out,
        ". * differs from %s beyond chance: the 95 %% intervals of the difference on the same questions, "
        "over questions%s, exclude 0.",
        grid->paired ? "the same students before reflection" : "the first row of its column",
        tt_grid_single(grid) ? "" : " and over seeds");
    if (grid->voted)
        tt_str_append(out, grid->paired ? " Greedy answers alone are compared."
                                        : " Greedy answers are compared with greedy ones, voted with voted.");
    if (grid->alone) tt_str_append(out, " Where the first row has no number, nothing is compared.");
    if (grid->old)
        tt_str_append(out,
            " " TT_REPORT_OLD " has results from before a start-over of the sweep that is not finished.");
}
