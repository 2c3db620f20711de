// Which rows and columns a table of a report has, and what they are called. Private to host/report.
#ifndef TT_REPORT_GRID_ROWS_H
#define TT_REPORT_GRID_ROWS_H

#include "host/report/grid.h"

#ifdef __cplusplus
extern "C" {
#endif

// Groups are in one row if they agree in all settings but the corpus, and in one column if that has the same path: each
// group has a cell of its own, whatever rows and columns are called.
typedef struct tt_grid_rows {
    const tt_report *r;
    int sweep;         // its number; -1: groups of none
    char (*keys)[192]; // [n_keys]: the settings other than the corpus in which groups of the sweep differ
    int n_keys;
    bool named;        // rows are told apart by a person's names of variants
    bool named_before; // those before reflection are, too
    bool apart;        // some groups agree in everything: each is a row of its own
} tt_grid_rows;

// tt_grid_rows_close frees *out. Errors: TT_ERR_NOMEM.
tt_status tt_grid_rows_open(tt_grid_rows *out, const tt_report *r, int sweep) TT_MUST_CHECK;
void tt_grid_rows_close(tt_grid_rows *rows);

// Whether groups of the sweep differ in the key.
bool tt_grid_varies(const tt_grid_rows *rows, const char *key);
// Appends what the row of a group is told apart by; `before`: of its students before reflection.
void tt_grid_row_key(const tt_grid_rows *rows, int group, bool before, tt_str *out);
// The path of a group's corpus; empty where it is not known.
void tt_grid_corpus(const tt_report *r, int group, char out[TT_PATH_MAX]);
// Fills the labels of rows and columns, all of which differ.
void tt_grid_name(const tt_grid_rows *rows, tt_grid *grid);
// Whether the group's runs are of the sweep.
bool tt_grid_is_own(const tt_grid_rows *rows, int group);

#ifdef __cplusplus
}
#endif

#endif
