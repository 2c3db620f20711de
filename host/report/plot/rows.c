// Plots that compare values in rows, each with its interval.
#include "host/report/plot/svg.h"
#include "host/report/text.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 1120, LEFT = 334, RIGHT = 64, TOP = 20, ROW = 38, BOTTOM = 30, LETTERS = 40 };

static double place_x(double share) {
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

// The first LETTERS characters of a label: what LEFT has room for at 8 pixels each, more than names take on average.
static void draw_label(tt_str *out, const char *label) {
    int letters = 0;
    const char *end = label;
    for (; *end && letters < LETTERS; ++letters) do
            end++;
        while ((*end & 0xc0) == 0x80);
    tt_str cut = {0};
    tt_str_append_n(&cut, label, (size_t)(end - label));
    if (*end) tt_str_append(&cut, "\u2026");
    tt_html_text(out, tt_str_text(&cut));
    tt_str_close(&cut);
}

static void draw_axis(tt_str *out, int bottom, double reference, const char *reference_label) {
    for (int i = 0; i <= 5; ++i) {
        const double x = place_x(i / 5.0);
        tt_str_format(out,
            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"mid\" x=\"%.1f\" y=\"%d\">%d %%</text>\n",
            x, x, TOP, bottom, x, bottom + 18, 20 * i);
    }
    if (!isfinite(reference)) return;
    const double x = place_x(reference);
    tt_str_format(out,
        "<line class=\"ref\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
        "<text class=\"note mid\" x=\"%.1f\" y=\"%d\">",
        x, x, TOP, bottom, x, TOP - 7);
    tt_html_text(out, reference_label);
    tt_str_append(out, "</text>\n");
}

static void draw_point(tt_str *out, const tt_plot_row *row, int which, double y) {
    if (!isfinite(row->value[which])) return;
    const int colour = row->colour % TT_PLOT_COLOURS;
    if (isfinite(row->low[which]) && isfinite(row->high[which]))
        tt_str_format(out, "<line class=\"bar c%d\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
            colour, place_x(row->low[which]), place_x(row->high[which]), y, y);
    tt_str_format(out, "<circle class=\"%s c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n",
        which == 0 ? "dot" : "ring", colour, place_x(row->value[which]), y);
    tt_str_format(out, "<text class=\"end\" x=\"%d\" y=\"%.1f\">%.1f</text>\n", WIDTH - 4, y + 4,
        100 * row->value[which]);
}

void tt_plot_rows(tt_str *out, const tt_row_plot *plot) {
    const int bottom = TOP + ROW * plot->n;
    tt_html_format(
        out, "<figure class=\"wide\"><figcaption>%s</figcaption>\n<p class=\"legend\">", plot->title);
    for (int i = 0; i < 2; ++i)
        if (plot->legend[i])
            tt_html_format(out,
                "<span class=\"key\"><svg width=\"12\" height=\"12\" aria-hidden=\"true\">"
                "<circle class=\"%s cx\" cx=\"6\" cy=\"6\" r=\"4\"/></svg> %s</span> ",
                i == 0 ? "dot" : "ring", plot->legend[i]);
    tt_html_format(out, "</p>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH,
        bottom + BOTTOM, plot->title);
    draw_axis(out, bottom, plot->reference, plot->reference_label);
    for (int i = 0; i < plot->n; ++i) {
        const tt_plot_row *row = &plot->rows[i];
        const double y = TOP + ROW * (i + 0.5);
        const bool both = isfinite(row->value[0]) && isfinite(row->value[1]);
        tt_str_format(out, "<text class=\"end label\" x=\"%d\" y=\"%.1f\">", LEFT - 14, y + 4);
        draw_label(out, row->label);
        tt_str_append(out, "</text>\n");
        draw_point(out, row, 0, y - (both ? 8 : 0));
        draw_point(out, row, 1, y + (both ? 8 : 0));
    }
    tt_str_append(out, "</svg></figure>\n");
}
