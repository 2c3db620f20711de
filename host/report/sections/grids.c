// The tables of sweeps: data sets as columns, settings as rows.
#include "host/report/grid.h"
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <math.h>

static void print_cell(tt_str *out, const tt_grid_cell *cell) {
    tt_str_append(out, "<td class=\"num\">");
    if (!isfinite(cell->score.mean)) tt_str_append(out, TT_REPORT_DASH);
    tt_grid_number(out, cell, " \u00b1 ");
    tt_str_format(out, "%s%s</td>", cell->sure ? " *" : "", cell->old ? " " TT_REPORT_OLD : "");
}

static void print_head(tt_str *out, const tt_grid *grid) {
    const int each = grid->voted ? 2 : 1;
    tt_html_format(
        out, "<div class=\"scroll\"><table>\n<thead><tr><th>%s</th>", *grid->sweep ? grid->sweep : "runs");
    for (int i = 0; i < grid->n_columns; ++i)
        tt_html_format(out, "<th style=\"text-align:center\" colspan=\"%d\">%s</th>", each, grid->columns[i]);
    tt_str_append(out, "</tr>\n");
    if (grid->voted) tt_str_append(out, "<tr><th></th>");
    for (int i = 0; i < grid->n_columns && grid->voted; ++i)
        tt_str_append(out, "<th class=\"num\">greedy</th><th class=\"num\">voted</th>");
    tt_str_append(out, grid->voted ? "</tr></thead>\n<tbody>\n" : "</thead>\n<tbody>\n");
}

static void print_grid(tt_str *out, const tt_grid *grid) {
    tt_str caption = {0};
    print_head(out, grid);
    for (int i = 0; i < grid->n; ++i) {
        const tt_grid_row *row = &grid->rows[i];
        tt_html_format(out, "<tr><th scope=\"row\">%s</th>", row->label);
        for (int c = 0; c < grid->n_columns; ++c)
            for (int k = 0; k < (grid->voted ? 2 : 1); ++k) print_cell(out, &row->cells[c][k]);
        tt_str_append(out, "</tr>\n");
    }
    tt_grid_caption(&caption, grid);
    tt_html_format(out, "</tbody></table></div>\n<p class=\"fine\">%s</p>\n", tt_str_text(&caption));
    tt_str_close(&caption);
}

tt_status tt_report_grids(tt_str *out, const tt_report *r) {
    for (int i = 0; i < r->n_grids; ++i)
        if (r->grids[i].sweep_number >= 0) print_grid(out, &r->grids[i]); // others are in the summary
    return TT_OK;
}
