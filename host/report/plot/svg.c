// Line plots.
#include "host/report/plot/svg.h"

#include "host/base/number.h"
#include "host/report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 560, HEIGHT = 300, LEFT = 58, RIGHT = 24, TOP = 16, BOTTOM = 46 };

typedef struct frame {
    double x0, x1, y0, y1; // ranges of the axes
    bool log;
    int top; // upper end of the drawing; labels of marks are above it
} frame;

static double place_x(const frame *f, double x) {
    return LEFT + (x - f->x0) / (f->x1 - f->x0) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const frame *f, double y) {
    const double share = f->log ? log(y / f->y0) / log(f->y1 / f->y0) : (y - f->y0) / (f->y1 - f->y0);
    return HEIGHT - BOTTOM - share * (HEIGHT - f->top - BOTTOM);
}

static void widen_range(double value, double *low, double *high) {
    if (!isfinite(value)) return;
    if (!(*low <= value)) *low = value;
    if (!(*high >= value)) *high = value;
}

// Finds the ranges of the data; false if there is no data.
static bool measure_data(frame *f, const tt_plot *plot, const tt_plot_series *series, int n) {
    *f = (frame){.x0 = NAN, .x1 = NAN, .y0 = NAN, .y1 = NAN, .top = TOP};
    for (int s = 0; s < n; ++s)
        for (int i = 0; i < series[s].n; ++i) {
            if (!isfinite(series[s].x[i]) || !isfinite(series[s].y[i])) continue;
            widen_range(series[s].x[i], &f->x0, &f->x1);
            widen_range(series[s].y[i], &f->y0, &f->y1);
            if (!series[s].low) continue;
            widen_range(series[s].low[i], &f->y0, &f->y1);
            widen_range(series[s].high[i], &f->y0, &f->y1);
        }
    if (!isfinite(f->x0)) return false;
    widen_range(plot->reference, &f->y0, &f->y1);
    const double near = 0.1 * (f->x1 - f->x0); // the axis begins where the first phase on it does
    for (int i = 0; i < plot->n_marks; ++i)
        if (plot->marks[i].x < f->x0 && f->x0 - plot->marks[i].x < near) f->x0 = plot->marks[i].x;
    for (int i = 0; i < plot->n_marks; ++i)
        if (plot->marks[i].x >= f->x0 && plot->marks[i].x < f->x1) f->top = 34;
    f->log = plot->may_be_log && f->y0 > 0 && f->y1 / f->y0 > 20;
    return true;
}

// Adds margins around the data and widens empty ranges.
static void add_margins(frame *f, const tt_plot *plot) {
    if (plot->x_names) {
        f->x0 = -0.4;
        f->x1 = plot->n_x_names - 0.6;
    } else if (plot->whole && f->x0 > 0 && f->x0 < 0.25 * f->x1) {
        f->x0 = 0;
    } else if (!(f->x1 > f->x0)) {
        f->x0 -= 1;
        f->x1 += 1;
    }
    if (f->log) {
        f->y0 /= 1.15;
        f->y1 *= 1.15;
        return;
    }
    double margin = 0.06 * (f->y1 - f->y0);
    if (!(margin > 1e-9 * fabs(f->y1))) margin = plot->percent ? 0.05 : fmax(0.1 * fabs(f->y1), 0.01);
    const bool zero = plot->from_zero || (f->y0 >= 0 && f->y0 < 0.3 * f->y1);
    f->y0 = zero && f->y0 >= 0 ? 0 : f->y0 - margin;
    f->y1 += margin;
    if (!plot->percent) return;
    f->y0 = fmax(f->y0, 0);
    f->y1 = f->y1 > 1 ? 1 : f->y1;
}

static void tick_text(char *out, size_t size, const tt_plot *plot, double value, int decimals) {
    if (plot->percent)
        tt_format(out, size, "%.*f %%", decimals > 2 ? decimals - 2 : 0, 100 * value);
    else
        tt_format(out, size, "%.*f", decimals, value);
}

static void draw_y_axis(tt_str *out, const tt_plot *plot, const frame *f) {
    double ticks[TT_TICKS];
    int decimals;
    const int n = f->log ? tt_ticks_log(f->y0, f->y1, ticks) : tt_ticks(f->y0, f->y1, 5, ticks, &decimals);
    for (int i = 0; i < n; ++i) {
        char text[64];
        const double y = place_y(f, ticks[i]);
        if (f->log)
            tt_format(text, sizeof text, "%g", ticks[i]);
        else
            tick_text(text, sizeof text, plot, ticks[i], decimals);
        tt_str_format(out,
            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"end\" x=\"%d\" y=\"%.1f\">%s</text>\n",
            LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, text);
    }
}

static void draw_x_axis(tt_str *out, const tt_plot *plot, const frame *f) {
    double ticks[TT_TICKS];
    int decimals, n = plot->x_names ? 0 : tt_ticks(f->x0, f->x1, 6, ticks, &decimals);
    for (int i = 0; i < n; ++i) {
        if (plot->whole && decimals > 0 && ticks[i] != floor(ticks[i])) continue;
        tt_str_format(out, "<text class=\"mid\" x=\"%.1f\" y=\"%d\">%.*f</text>\n", place_x(f, ticks[i]),
            HEIGHT - BOTTOM + 18, plot->whole ? 0 : decimals, ticks[i]);
    }
    for (int i = 0; plot->x_names && i < plot->n_x_names; ++i) {
        tt_str_format(out, "<text class=\"mid\" x=\"%.1f\" y=\"%d\">", place_x(f, i), HEIGHT - BOTTOM + 18);
        tt_html_text(out, plot->x_names[i]);
        tt_str_append(out, "</text>\n");
    }
    tt_str_format(out, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", LEFT,
        WIDTH - RIGHT, HEIGHT - BOTTOM, HEIGHT - BOTTOM);
    if (!plot->x_label) return;
    tt_str_format(out, "<text class=\"mid\" x=\"%d\" y=\"%d\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8);
    tt_html_text(out, plot->x_label);
    tt_str_append(out, "</text>\n");
}

static void draw_marks(tt_str *out, const tt_plot *plot, const frame *f) {
    for (int i = 0; i < plot->n_marks; ++i) {
        const tt_plot_mark *m = &plot->marks[i];
        if (!(m->x >= f->x0 && m->x < f->x1)) continue;
        const double x = place_x(f, m->x);
        const bool late = x > WIDTH - RIGHT - 80; // its label would be cut at the right
        tt_str_format(out,
            "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"note%s\" x=\"%.1f\" y=\"%d\">",
            x, x, (i % 2 ? 26 : 14) - 9, HEIGHT - BOTTOM, late ? " end" : "", late ? x - 3 : x + 3,
            i % 2 ? 26 : 14);
        tt_html_text(out, m->label);
        tt_str_append(out, "</text>\n");
    }
    if (!isfinite(plot->reference)) return;
    const double y = place_y(f, plot->reference);
    tt_str_format(out,
        "<line class=\"ref\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
        "<text class=\"note end\" x=\"%d\" y=\"%.1f\">",
        LEFT, WIDTH - RIGHT, y, y, WIDTH - RIGHT - 2, y - 4);
    tt_html_text(out, plot->reference_label);
    tt_str_append(out, "</text>\n");
}

static void draw_path(tt_str *out, const tt_plot_series *s, const frame *f) {
    bool open = false, any = false;
    for (int i = 0; i < s->n; ++i) {
        const bool drawn = isfinite(s->x[i]) && isfinite(s->y[i]);
        if (drawn) {
            if (!any)
                tt_str_format(out, "<path class=\"line c%d%s%s\" d=\"", s->colour % TT_PLOT_COLOURS,
                    s->dashed ? " dashed" : "", s->faint ? " faint" : "");
            tt_str_format(out, "%s%.1f %.1f", open ? "L" : "M", place_x(f, s->x[i]), place_y(f, s->y[i]));
            any = true;
        }
        open = drawn;
    }
    if (any) tt_str_append(out, "\"/>\n");
}

static void draw_series(tt_str *out, const tt_plot_series *s, const frame *f) {
    for (int i = 0; i < s->n && s->low; ++i) {
        if (!isfinite(s->y[i]) || !isfinite(s->low[i]) || !isfinite(s->high[i])) continue;
        tt_str_format(out, "<line class=\"bar c%d%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
            s->colour % TT_PLOT_COLOURS, s->faint ? " faint" : "", place_x(f, s->x[i]), place_x(f, s->x[i]),
            place_y(f, s->low[i]), place_y(f, s->high[i]));
    }
    draw_path(out, s, f);
    for (int i = 0; i < s->n && (s->dots || s->n == 1); ++i)
        if (isfinite(s->x[i]) && isfinite(s->y[i]))
            tt_str_format(out, "<circle class=\"dot c%d%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>\n",
                s->colour % TT_PLOT_COLOURS, s->faint ? " faint" : "", place_x(f, s->x[i]),
                place_y(f, s->y[i]));
}

static void draw_legend(tt_str *out, const tt_plot_series *series, int n) {
    tt_str_append(out, "<p class=\"legend\">");
    for (int s = 0; s < n; ++s) {
        if (!series[s].label) continue;
        tt_str_format(out,
            "<span class=\"key\"><svg width=\"22\" height=\"10\" aria-hidden=\"true\">"
            "<path class=\"line c%d%s\" d=\"M1 5L21 5\"/></svg> ",
            series[s].colour % TT_PLOT_COLOURS, series[s].dashed ? " dashed" : "");
        tt_html_text(out, series[s].label);
        tt_str_append(out, "</span> ");
    }
    tt_str_append(out, "</p>\n");
}

void tt_plot_lines(tt_str *out, const tt_plot *plot, const tt_plot_series *series, int n) {
    frame f;
    tt_str_append(out, "<figure><figcaption>");
    tt_html_text(out, plot->title);
    tt_str_append(out, "</figcaption>\n");
    if (!measure_data(&f, plot, series, n)) {
        tt_str_append(out, "<p class=\"none\">nothing to draw</p></figure>\n");
        return;
    }
    add_margins(&f, plot);
    draw_legend(out, series, n);
    tt_str_format(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    tt_html_text(out, plot->title);
    tt_str_append(out, "\">\n");
    draw_y_axis(out, plot, &f);
    draw_x_axis(out, plot, &f);
    draw_marks(out, plot, &f);
    for (int s = 0; s < n; ++s) draw_series(out, &series[s], &f);
    tt_str_append(out, "</svg></figure>\n");
}
