// Text of reports: escaping, and numbers for people. An unknown number is a dash.
#ifndef TT_REPORT_TEXT_H
#define TT_REPORT_TEXT_H

#include "host/base/str.h"
#include "host/report/runs/group.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TT_REPORT_DASH "\u2013"

// Appends text to HTML that is XML as well, for elements and quoted attributes: & < > " ' are escaped;
// invalid UTF-8 and control characters become U+FFFD.
void tt_html_text(tt_str *out, const char *text);
// printf into HTML: the format is markup, and texts for %s are escaped. Only %s, %d and %% are supported.
void tt_html_format(tt_str *out, const char *format, ...);
// A cell of a Markdown table, escaped and in one line. A field of CSV, quoted if necessary (RFC 4180). Invalid UTF-8 and
// control characters as above.
void tt_markdown_text(tt_str *out, const char *text);
void tt_csv_text(tt_str *out, const char *text);
// Text of LaTeX, with all characters escaped that mean something there; control characters and invalid UTF-8 become ?.
void tt_latex_text(tt_str *out, const char *text);

void tt_text_percent(tt_str *out, double share);                    // "83.8 %"
void tt_text_interval(tt_str *out, double low, double high);        // "[81.4, 86.0]", in per cent
void tt_text_points(tt_str *out, double difference);                // "+0.2", in percentage points
void tt_text_points_interval(tt_str *out, double low, double high); // "[-0.7, +1.1]"
void tt_text_number(tt_str *out, double value, int decimals);       // "36 693"
void tt_text_seconds(tt_str *out, double seconds);                  // "329 s", "2 h 05 min"
// "83.8 % [81.4, 86.0]"; of several seeds "83.8 % [81.4, 86.0] over seeds, [82.0, 85.5] over questions".
void tt_text_mean(tt_str *out, const tt_report_mean *mean);
void tt_text_count(tt_str *out, const tt_report_mean *mean); // "n = 1000", "3 seeds, n = 1000"
// A cell of a table: the mean, and below it its intervals and what it is of.
void tt_html_mean(tt_str *out, const tt_report_mean *mean);

#ifdef __cplusplus
}
#endif

#endif
