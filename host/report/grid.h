// The tables of a report as a paper has them: one for each sweep, its data sets as columns, what else it varies as
// rows, each cell the mean and standard deviation over seeds. HTML, Markdown and LaTeX print the same.
#ifndef TT_REPORT_GRID_H
#define TT_REPORT_GRID_H

#include "host/report/runs/group.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_GRID_COLUMNS = 16, TT_GRID_LABEL = 512 };

typedef struct tt_grid_cell {
    tt_report_mean score; // of the test questions; its mean is NaN where there is none
    bool sure;            // differs from the row that it is compared with beyond chance
    bool old;             // from before a start-over that is not finished
} tt_grid_cell;

typedef struct tt_grid_row {
    char label[TT_GRID_LABEL];              // of no other row
    int level;                              // how much it says (grid_rows.c)
    tt_str key;                             // what it is told apart by, with whole values
    bool before;                            // the students of rows below before reflection, greedy alone
    int group;                              // of the report: the first one in it
    int groups[TT_GRID_COLUMNS];            // that of each cell; -1: none
    tt_grid_cell cells[TT_GRID_COLUMNS][2]; // greedy, self-consistency
} tt_grid_row;

typedef struct tt_grid {
    int sweep_number;  // of its runs; -1: they belong to no sweep
    const char *sweep; // its name; "" for runs of none
    // Data sets: their files' names, or paths where two names are the same.
    char columns[TT_GRID_COLUMNS][TT_PATH_MAX];
    int n_columns;
    bool voted;  // any cell has self-consistency
    bool paired; // rows are compared with the same students before reflection, else with the first row
    bool alone;  // some number stands below none of the first row, and is compared with nothing
    tt_grid_row *rows;
    int n;
    size_t capacity;
    int fewest, most; // seeds of a cell
    bool old;         // some cell is
} tt_grid;

// Fills r->grids, which tt_grids_close frees; tables without a number are left out. Notes of each group which one stands in
// the first row of its table's column, for the differences of the report. Errors: TT_ERR_NOMEM.
tt_status tt_grids_make(tt_report *r) TT_MUST_CHECK;
void tt_grids_close(tt_report *r);

// Whether every cell has one seed: there is no deviation.
bool tt_grid_single(const tt_grid *grid);
// Appends "83.8 ± 1.2" or "83.8", in per cent, with the sign between; nothing for a cell without a number.
void tt_grid_number(tt_str *out, const tt_grid_cell *cell, const char *sign);
// Appends what numbers and marks mean, as plain text.
void tt_grid_caption(tt_str *out, const tt_grid *grid);

#ifdef __cplusplus
}
#endif

#endif
