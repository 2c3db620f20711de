// The tables of sweeps as LaTeX.
#include "host/report/grid.h"
#include "host/report/report.h"
#include "host/report/text.h"

#include <math.h>

static void print_cell(tt_str *out, const tt_grid_cell *cell) {
    tt_str_append(out, " & ");
    if (!isfinite(cell->score.mean)) tt_str_append(out, "--");
    tt_grid_number(out, cell, " $\\pm$ ");
    if (cell->sure) tt_str_append(out, "\\rlap{*}");
}

static void print_head(tt_str *out, const tt_grid *grid) {
    const int each = grid->voted ? 2 : 1;
    tt_str_append(out, "\\begin{tabular}{l");
    for (int i = 0; i < each * grid->n_columns; ++i) tt_str_append(out, "r");
    tt_str_append(out, "}\n\\toprule\n");
    for (int i = 0; i < grid->n_columns; ++i) {
        tt_str_format(out, " & \\multicolumn{%d}{c}{", each);
        tt_latex_text(out, grid->columns[i]);
        tt_str_append(out, "}");
    }
    tt_str_append(out, " \\\\\n");
    for (int i = 0; i < grid->n_columns && grid->voted; ++i)
        tt_str_format(out, "\\cmidrule(lr){%d-%d}", 2 * i + 2, 2 * i + 3);
    for (int i = 0; i < grid->n_columns && grid->voted; ++i)
        tt_str_append(out, i ? " & greedy & voted" : "\n & greedy & voted");
    tt_str_append(out, grid->voted ? " \\\\\n\\midrule\n" : "\\midrule\n");
}

static void print_grid(tt_str *out, const tt_grid *grid) {
    tt_str caption = {0};
    tt_grid_caption(&caption, grid);
    tt_str_append(out, "\n\\begin{table}\n\\centering\n\\caption{");
    tt_latex_text(out, *grid->sweep ? grid->sweep : "Runs");
    tt_str_append(out, ". ");
    tt_latex_text(out, tt_str_text(&caption));
    tt_str_append(out, "}\n");
    tt_str_close(&caption);
    print_head(out, grid);
    for (int i = 0; i < grid->n; ++i) {
        const tt_grid_row *row = &grid->rows[i];
        tt_str_append(out, "{}"); // what ends the row before takes a [ or * behind it as its own
        tt_latex_text(out, row->label);
        for (int c = 0; c < grid->n_columns; ++c)
            for (int k = 0; k < (grid->voted ? 2 : 1); ++k) print_cell(out, &row->cells[c][k]);
        tt_str_append(out, " \\\\\n");
    }
    tt_str_append(out, "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
}

tt_status tt_report_latex(tt_str *out, const tt_report *r) {
    tt_grid *grids;
    int n;
    TT_TRY(tt_grids_open(r, &grids, &n));
    tt_str_append(
        out, "% Tables by tinythinker report: \\input this file; it needs \\usepackage{booktabs}.\n");
    if (n == 0) tt_str_append(out, "% No run has been scored on test questions yet.\n");
    for (int i = 0; i < n; ++i) print_grid(out, &grids[i]);
    tt_grids_close(grids, n);
    return tt_str_status(out);
}
