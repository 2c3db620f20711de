#include "host/report/text.h"

#include "host/base/number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *entity_of(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

// Bytes of the character at `text`; 0 if it is invalid or not allowed in XML.
static size_t character_bytes(const char *text) {
    const unsigned char c = (unsigned char)*text;
    if (c < 0x80) return c >= ' ' || c == '\n' || c == '\t' ? c != 0x7f : 0;
    const size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (strnlen(text, n) < n || !tt_utf8_valid(text, n, NULL)) return 0;
    return memcmp(text, "\xef\xbf\xbe", 3) == 0 || memcmp(text, "\xef\xbf\xbf", 3) == 0 ? 0 : n;
}

// The character at *text, of *n bytes, which is passed over; U+FFFD where it is invalid or not allowed.
static const char *take_character(const char **text, size_t *n) {
    const char *character = *text;
    *n = character_bytes(character);
    *text += *n ? *n : 1;
    if (*n) return character;
    *n = 3;
    return "\uFFFD";
}

void tt_html_text(tt_str *out, const char *text) {
    while (*text) {
        size_t n;
        const char *character = take_character(&text, &n), *escaped = entity_of(*character);
        if (escaped)
            tt_str_append(out, escaped);
        else
            tt_str_append_n(out, character, n);
    }
}

void tt_latex_text(tt_str *out, const char *text) {
    static const struct {
        char c;
        const char *escaped;
    } specials[] = {{'\\', "\\textbackslash{}"}, {'~', "\\textasciitilde{}"}, {'^', "\\textasciicircum{}"},
        {'<', "\\textless{}"}, {'>', "\\textgreater{}"}, {'|', "\\textbar{}"}, {'"', "''"}, {'&', "\\&"},
        {'%', "\\%"}, {'$', "\\$"}, {'#', "\\#"}, {'_', "\\_"}, {'{', "\\{"}, {'}', "\\}"}};
    while (*text) {
        size_t n;
        const char *character = take_character(&text, &n), *escaped = NULL;
        for (size_t i = 0; i < sizeof specials / sizeof *specials; ++i)
            if (*character == specials[i].c) escaped = specials[i].escaped;
        if (strncmp(character, "\uFFFD", 3) == 0 || *character == '\n' || *character == '\t')
            escaped = *character == '\n' || *character == '\t' ? " " : "?";
        if (strncmp(character, "\u2020", 3) == 0) escaped = "\\dag{}";
        if (escaped)
            tt_str_append(out, escaped);
        else
            tt_str_append_n(out, character, n);
    }
}

void tt_html_format(tt_str *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    for (const char *rest = format; *rest;) {
        const size_t plain = strcspn(rest, "%");
        tt_str_append_n(out, rest, plain);
        rest += plain;
        if (!*rest) break;
        if (rest[1] == 's')
            tt_html_text(out, va_arg(args, const char *));
        else if (rest[1] == 'd')
            tt_str_format(out, "%d", va_arg(args, int));
        else
            tt_str_append(out, "%");
        rest += rest[1] ? 2 : 1;
    }
    va_end(args);
}

void tt_markdown_text(tt_str *out, const char *text) {
    while (*text) {
        size_t n;
        if (*text == '\n' || *text == '\r') {
            tt_str_append(out, " ");
            ++text;
            continue;
        }
        const char *character = take_character(&text, &n);
        if (strchr("|\\`*_<", *character)) tt_str_append(out, "\\");
        tt_str_append_n(out, character, n);
    }
}

void tt_csv_text(tt_str *out, const char *text) {
    const bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted) tt_str_append(out, "\"");
    while (*text) {
        size_t n;
        const char *character = take_character(&text, &n);
        if (*character == '"') tt_str_append(out, "\"");
        tt_str_append_n(out, character, n);
    }
    if (quoted) tt_str_append(out, "\"");
}

void tt_text_percent(tt_str *out, double share) {
    if (isfinite(share))
        tt_str_format(out, "%.1f %%", 100 * share);
    else
        tt_str_append(out, TT_REPORT_DASH);
}

void tt_text_interval(tt_str *out, double low, double high) {
    if (isfinite(low) && isfinite(high)) tt_str_format(out, "[%.1f, %.1f]", 100 * low, 100 * high);
}

void tt_text_points(tt_str *out, double difference) {
    if (isfinite(difference))
        tt_str_format(out, "%+.1f", 100 * difference);
    else
        tt_str_append(out, TT_REPORT_DASH);
}

void tt_text_points_interval(tt_str *out, double low, double high) {
    if (isfinite(low) && isfinite(high))
        tt_str_format(out, "[%+.1f, %+.1f]", 100 * low, 100 * high);
    else
        tt_str_append(out, TT_REPORT_DASH);
}

void tt_text_number(tt_str *out, double value, int decimals) {
    char digits[400];
    if (!isfinite(value)) {
        tt_str_append(out, TT_REPORT_DASH);
        return;
    }
    const int n = tt_format(digits, sizeof digits, "%.*f", decimals, value);
    const int whole = (int)strcspn(digits, ".");
    for (int i = 0; i < n; ++i) {
        tt_str_append_n(out, digits + i, 1);
        const int left = whole - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-' && whole > 4) tt_str_append(out, "\u2009");
    }
}

void tt_text_seconds(tt_str *out, double seconds) {
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e12)
        tt_str_append(out, TT_REPORT_DASH);
    else if (seconds < 600)
        tt_str_format(out, "%.0f s", seconds);
    else if (seconds < 3600)
        tt_str_format(out, "%.0f min", seconds / 60);
    else
        tt_str_format(out, "%d h %02d min", (int)(seconds / 3600), (int)(seconds / 60) % 60);
}

void tt_text_mean(tt_str *out, const tt_report_mean *mean) {
    tt_text_percent(out, mean->mean);
    if (!isfinite(mean->mean) || !isfinite(mean->low)) return;
    tt_str_append(out, " ");
    tt_text_interval(out, mean->low, mean->high);
    if (!isfinite(mean->questions_low)) return;
    tt_str_append(out, " over seeds, ");
    tt_text_interval(out, mean->questions_low, mean->questions_high);
    tt_str_append(out, " over questions");
}

void tt_text_count(tt_str *out, const tt_report_mean *mean) {
    if (mean->seeds > 1) tt_str_format(out, "%d seeds%s", mean->seeds, mean->questions > 0 ? ", " : "");
    if (mean->questions > 0) tt_str_format(out, "n = %lld", (long long)mean->questions);
}

static void print_small_interval(tt_str *out, double low, double high, const char *over) {
    tt_str_append(out, "<small>");
    tt_text_interval(out, low, high);
    tt_str_format(out, "%s</small>", over);
}

void tt_html_mean(tt_str *out, const tt_report_mean *mean) {
    const bool seeds = isfinite(mean->questions_low);
    tt_str_append(out, "<td class=\"num\">");
    tt_text_percent(out, mean->mean);
    if (isfinite(mean->mean)) {
        if (isfinite(mean->low)) print_small_interval(out, mean->low, mean->high, seeds ? " over seeds" : "");
        if (seeds) print_small_interval(out, mean->questions_low, mean->questions_high, " over questions");
        if (mean->seeds > 1 || mean->questions > 0) {
            tt_str_append(out, "<small>");
            tt_text_count(out, mean);
            tt_str_append(out, "</small>");
        }
    }
    tt_str_append(out, "</td>");
}
