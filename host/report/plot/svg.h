// Plots as inline SVG. Colours are classes c0..c7 of the page's style sheet, so that they suit light and
// dark.
#ifndef TT_REPORT_PLOT_SVG_H
#define TT_REPORT_PLOT_SVG_H

#include "host/base/memory.h"
#include "host/base/str.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_PLOT_COLOURS = 8, TT_TICKS = 12 };

// Round values (1, 2 or 5 times a power of ten) within low..high, about `wanted` of them, at most TT_TICKS.
// *decimals: how many digits after the point they need. 0 where low..high is no range of numbers.
int tt_ticks(double low, double high, int wanted, double *out, int *decimals);
// 1, 2 and 5 times powers of ten, or powers of ten alone over a long range. low > 0.
int tt_ticks_log(double low, double high, double *out);

typedef struct tt_plot_series {
    const char *label; // NULL: not in the legend
    int colour;
    bool dashed, dots, faint;
    double *x, *y;      // [n]; a point that is not finite interrupts the line
    double *low, *high; // [n] intervals, or NULL
    int n;
} tt_plot_series;

// Series whose numbers live together; zero-initialise.
typedef struct tt_plot_list {
    tt_plot_series *items;
    size_t n, room;
    tt_arena arena;
} tt_plot_list;

// Adds a series with room for `points` of each, intervals if asked for; its n is 0. *out stays valid until
// the next one is added.
tt_status tt_plot_add(tt_plot_list *list, int points, bool intervals, tt_plot_series **out) TT_MUST_CHECK;
void tt_plot_list_close(tt_plot_list *list);

typedef struct tt_plot_mark {
    double x;
    const char *label;
} tt_plot_mark;

typedef struct tt_plot {
    const char *title, *x_label;
    bool percent;     // y is a share
    bool whole;       // x has whole numbers only
    bool may_be_log;  // y on a logarithmic axis where it spans much
    bool from_zero;   // y's axis begins at 0
    double reference; // a horizontal line, NaN: none
    const char *reference_label;
    const tt_plot_mark *marks; // vertical lines: where a phase begins
    int n_marks;
    const char *const *x_names; // ticks of x at 0, 1, ... have these names instead; NULL: numbers
    int n_x_names;
} tt_plot;

// A figure with title and legend; says so where there is nothing to draw.
void tt_plot_lines(tt_str *out, const tt_plot *plot, const tt_plot_series *series, int n);

// Points with intervals, one row a label: what is compared stands above one another.
typedef struct tt_plot_row {
    const char *label;
    int colour;
    double value[2], low[2], high[2]; // a full and an open dot; NaN: none
} tt_plot_row;

// The figure of rows[0..n); `legend` names the full and the open dot. reference: a vertical line with its label, NaN: none.
void tt_plot_rows(tt_str *out, const char *title, const char *const legend[2], double reference,
    const char *reference_label, const tt_plot_row *rows, int n);

#ifdef __cplusplus
}
#endif

#endif
