// The tables of sweeps as LaTeX. Of a page with two columns, a table of at most two columns of numbers fits in one, and any
// other on both: one with many data sets is split into parts, one below the other, and what is higher than a page goes on in
// another table.
#include "host/report/grid.h"
#include "host/report/report.h"
#include "host/report/text.h"

#include <math.h>
#include <string.h>

enum {
    NARROW = 2,      // most columns of numbers of a table as wide as a column of the page
    WIDE = 6,        // of one as wide as the page
    LONG_LABEL = 24, // characters; longer ones are broken into lines
    LABEL_LINE = 20, // fewest characters of a line of these
    PAGE = 42,       // lines of a page of 10 points that a table takes at most, with its caption
    HEAD = 4         // lines of a part's heading and rules
};

typedef struct part {
    const tt_grid *grid;
    int first, end; // its data sets
    int each;       // columns of numbers of a data set: greedy, voted
    int row, last;  // its rows: row to last - 1
} part;

static void print_cell(tt_str *out, const tt_grid_cell *cell) {
    tt_str_append(out, " & ");
    if (!isfinite(cell->score.mean)) tt_str_append(out, "--");
    tt_grid_number(out, cell, "$_{\\pm");
    if (isfinite(cell->score.mean) && isfinite(cell->score.deviation)) tt_str_append(out, "}$");
    if (cell->sure || cell->old)
        tt_str_format(out, "\\rlap{%s%s}", cell->sure ? "*" : "", cell->old ? "\\dag" : "");
}

static bool has_long_label(const tt_grid *grid) {
    for (int i = 0; i < grid->n; ++i)
        if (strlen(grid->rows[i].label) > LONG_LABEL) return true;
    return false;
}

static void print_head(tt_str *out, const part *p, const char *label) {
    const tt_grid *grid = p->grid;
    tt_str_format(out, "\\begin{tabular}{@{}%s", label);
    for (int i = p->first; i < p->end; ++i) tt_str_append(out, p->each == 2 ? "rr" : "r");
    tt_str_append(out, "@{}}\n\\toprule\n");
    for (int i = p->first; i < p->end; ++i) {
        tt_str_format(out, " & \\multicolumn{%d}{c}{", p->each);
        tt_latex_text(out, grid->columns[i]);
        tt_str_append(out, "}");
    }
    tt_str_append(out, " \\\\\n");
    for (int i = 0; i < p->end - p->first && grid->voted; ++i)
        tt_str_format(out, "\\cmidrule(lr){%d-%d}", 2 * i + 2, 2 * i + 3);
    for (int i = p->first; i < p->end && grid->voted; ++i)
        tt_str_append(out, i > p->first ? " & greedy & voted" : "\n & greedy & voted");
    tt_str_append(out, grid->voted ? " \\\\\n\\midrule\n" : "\\midrule\n");
}

static int lines_of_row(const tt_grid *grid, int row) {
    const int n = (int)strlen(grid->rows[row].label);
    return n > LONG_LABEL ? (n + LABEL_LINE - 1) / LABEL_LINE : 1;
}

static int lines_of_rows(const tt_grid *grid, int row, int last) {
    int lines = 0;
    for (; row < last; ++row) lines += lines_of_row(grid, row);
    return lines;
}

static void print_part(tt_str *out, const part *p, bool narrow) {
    const bool broken = has_long_label(p->grid);
    print_head(out, p, !broken ? "l" : narrow ? "p{0.48\\linewidth}" : "p{0.28\\linewidth}");
    for (int i = p->row; i < p->last; ++i) {
        const tt_grid_row *row = &p->grid->rows[i];
        // What ends the row before takes a [ or * behind it as its own.
        tt_str_append(out, broken ? "\\raggedright\\hangindent=1em {}" : "{}");
        tt_latex_text(out, row->label);
        for (int c = p->first; c < p->end; ++c)
            for (int k = 0; k < p->each; ++k) print_cell(out, &row->cells[c][k]);
        tt_str_append(out, " \\\\\n");
    }
    tt_str_append(out, "\\bottomrule\n\\end{tabular}\n");
}

// Of the tables of a grid, the one that is being printed.
typedef struct float_table {
    bool narrow;
    int n;    // which one it is; 0: none has begun
    int left; // lines of the page
} float_table;

// Ends the table before, and begins the next one. The first has the whole caption.
static void begin_table(tt_str *out, float_table *t, const tt_grid *grid) {
    const char *kind = t->narrow ? "table" : "table*";
    tt_str caption = {0};
    if (t->n++) tt_str_format(out, "\\end{%s}\n", kind);
    tt_grid_caption(&caption, grid);
    tt_str_format(out, "\n\\begin{%s}\n\\centering\\small\n\\caption{", kind);
    tt_latex_text(out, *grid->sweep ? grid->sweep : "Runs");
    tt_str_append(out, t->n > 1 ? ", continued." : ". ");
    if (t->n == 1) tt_latex_text(out, tt_str_text(&caption));
    tt_str_append(out, "}\n");
    t->left = PAGE - 2 - (t->n > 1 ? 0 : (int)caption.length / (t->narrow ? 40 : 80));
    tt_str_close(&caption);
}

// Prints the rows of some data sets: below what the table has, where all fit, else in further tables.
static void print_rows(tt_str *out, float_table *t, part p) {
    const tt_grid *grid = p.grid;
    bool begun = t->n > 0 && HEAD + lines_of_rows(grid, 0, grid->n) <= t->left;
    if (begun) tt_str_append(out, "\\\\[1ex]\n");
    for (p.row = 0; p.row < grid->n; p.row = p.last) {
        if (!begun) begin_table(out, t, grid);
        begun = false;
        t->left -= HEAD;
        for (p.last = p.row; p.last < grid->n; ++p.last) {
            const int lines = lines_of_row(grid, p.last);
            if (p.last > p.row && lines > t->left) break;
            t->left -= lines;
        }
        print_part(out, &p, t->narrow);
    }
}

static void print_grid(tt_str *out, const tt_grid *grid) {
    const int each = grid->voted ? 2 : 1;
    float_table t = {.narrow = each * grid->n_columns <= NARROW};
    for (int first = 0; first < grid->n_columns; first += WIDE / each) {
        const int end = first + WIDE / each;
        print_rows(out, &t,
            (part){.grid = grid,
                .first = first,
                .end = end < grid->n_columns ? end : grid->n_columns,
                .each = each});
    }
    tt_str_format(out, "\\end{%s}\n", t.narrow ? "table" : "table*");
}

tt_status tt_report_latex(tt_str *out, const tt_report *r) {
    tt_str_append(
        out, "% Tables by tinythinker report: \\input this file; it needs \\usepackage{booktabs}.\n");
    if (r->n_grids == 0) tt_str_append(out, "% No run has been scored on test questions yet.\n");
    for (int i = 0; i < r->n_grids; ++i) print_grid(out, &r->grids[i]);
    return tt_str_status(out);
}
