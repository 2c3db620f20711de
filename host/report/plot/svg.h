// Plots as inline SVG. Colours are the classes c0..c7 of the page's style sheet, which has a light and a dark
// version.
#ifndef TT_REPORT_PLOT_SVG_H
#define TT_REPORT_PLOT_SVG_H

#include "host/base/memory.h"
#include "host/base/str.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_PLOT_COLOURS = 8, TT_TICKS = 12 };

// Writes round values (1, 2 or 5 times a power of ten) within low..high to out[TT_TICKS], about `wanted` of
// them, and returns how many. *decimals: the digits after the point that they need. 0 if low..high is not a
// range of numbers.
int tt_ticks(double low, double high, int wanted, double *out, int *decimals);
// The same for a logarithmic axis: 1, 2 and 5 times powers of ten, or powers of ten alone over a long range.
// low must be above 0.
int tt_ticks_log(double low, double high, double *out);

typedef struct tt_plot_series {
    const char *label; // NULL: not in the legend
    int colour;
    bool dashed, dots, faint;
    double *x, *y;      // [n]; a point that is not finite interrupts the line
    double *low, *high; // [n] intervals, or NULL
    int n;
} tt_plot_series;

// Series that share an arena. Zero-initialise; tt_plot_list_close frees it.
typedef struct tt_plot_list {
    tt_plot_series *items;
    size_t n, capacity;
    tt_arena arena;
} tt_plot_list;

// Adds a series with memory for `points` points, with intervals if asked for; its n is 0. *out stays valid
// until the next series is added.
tt_status tt_plot_add(tt_plot_list *list, int points, bool intervals, tt_plot_series **out) TT_MUST_CHECK;
void tt_plot_list_close(tt_plot_list *list);

typedef struct tt_plot_mark {
    double x;
    const char *label;
} tt_plot_mark;

typedef struct tt_plot {
    const char *title, *x_label;
    bool percent;     // y is a share of 0..1, shown in per cent
    bool whole;       // x has only whole numbers
    bool may_be_log;  // the y axis is logarithmic if the values span more than a factor of 20
    bool from_zero;   // the y axis begins at 0
    double reference; // y of a horizontal line; NaN: none
    const char *reference_label;
    const tt_plot_mark *marks; // vertical lines: where a phase begins
    int n_marks;
    const char *const *x_names; // names of the x values 0, 1, ... instead of numbers; NULL: numbers
    int n_x_names;
} tt_plot;

// Appends a figure with title and legend, or the words that there is nothing to draw.
void tt_plot_lines(tt_str *out, const tt_plot *plot, const tt_plot_series *series, int n);

// A row of a plot that compares values, one below the other: up to two points with intervals.
typedef struct tt_plot_row {
    const char *label;
    int colour;
    double value[2], low[2], high[2]; // drawn as a full and an open dot; NaN: none
} tt_plot_row;

typedef struct tt_row_plot {
    const char *title, *legend[2]; // legend of the full and the open dots; NULL: none
    double reference;              // x of a vertical line; NaN: none
    const char *reference_label;
    const tt_plot_row *rows; // [n]
    int n;
} tt_row_plot;

// Appends a figure with a row for each label; values are shares of 0..1.
void tt_plot_rows(tt_str *out, const tt_row_plot *plot);

#ifdef __cplusplus
}
#endif

#endif
