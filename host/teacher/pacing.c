#include "host/teacher/pacing.h"

#include "host/base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const double longest = 1e10; // seconds: three hundred years are as good as never

// Digits with or without a fraction, at *at, which is moved behind them; -1 where there are none. Locales don't count.
static double read_number(const char **at) {
    const char *p = *at;
    double number = 0, place = 0.1;
    if (!isdigit((unsigned char)*p)) return -1;
    for (; isdigit((unsigned char)*p); ++p)
        if (number < longest) number = 10 * number + (*p - '0');
    if (*p == '.')
        for (++p; isdigit((unsigned char)*p); ++p, place /= 10) number += place * (*p - '0');
    *at = p;
    return number < longest ? number : longest;
}

static const char *without_space(const char *text) {
    while (isspace((unsigned char)*text)) ++text;
    return text;
}

static double read_whole(const char *value) {
    const char *at = without_space(value);
    const double number = read_number(&at);
    return *without_space(at) == '\0' ? number : -1;
}

// RFC 9110: "Wed, 21 Oct 2015 07:28:00 GMT", in English whatever the locale is.
static double read_date(const char *value, int64_t today) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *p = strchr(value, ',');
    double fields[5]; // day, year, hour, minute, second
    char month[4] = "";
    if (!p) return -1;
    p = without_space(p + 1);
    fields[0] = read_number(&p);
    if (fields[0] < 0 || *p != ' ' || strlen(p) < 5) return -1;
    memcpy(month, p + 1, 3);
    const char *found = strstr(months, month);
    if (!found || (found - months) % 3 != 0) return -1;
    p = without_space(p + 4);
    for (int i = 1; i < 5; ++i) {
        fields[i] = read_number(&p);
        if (fields[i] < 0 || fields[i] > 9999) return -1;
        if (*p == ':' || *p == ' ') ++p;
    }
    if (fields[0] > 31) return -1;
    struct tm date = {.tm_mday = (int)fields[0],
        .tm_mon = (int)((found - months) / 3),
        .tm_year = (int)fields[1] - 1900,
        .tm_hour = (int)fields[2],
        .tm_min = (int)fields[3],
        .tm_sec = (int)fields[4]};
    const double seconds = (double)timegm(&date) - (double)today;
    return seconds < 0 ? 0 : seconds < longest ? seconds : longest;
}

double tt_retry_after(const char *value, int64_t today) {
    const double seconds = read_whole(value);
    return seconds >= 0 ? seconds : read_date(value, today);
}

double tt_reset_after(const char *value) {
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    double seconds = read_whole(value);
    if (seconds >= 0) return seconds;
    for (seconds = 0; *value;) {
        const double number = read_number(&value);
        size_t u = 0;
        while (u < 5 && strncmp(value, units[u].unit, strlen(units[u].unit)) != 0) ++u;
        if (number < 0 || u == 5) return -1;
        seconds += number * units[u].seconds;
        value += strlen(units[u].unit);
        if (!*value) return seconds < longest ? seconds : longest;
    }
    return -1;
}

void tt_pacing_open(tt_pacing *p) {
    p->retry_after = p->reset_requests = p->reset_tokens = p->remaining_requests = p->remaining_tokens = -1;
}

// The value of the header line if it is `name`'s, copied without white space around it.
static bool header_value(const char *line, size_t n, const char *name, char *out, size_t size) {
    const size_t length = strlen(name);
    if (n <= length || line[length] != ':' || strncasecmp(line, name, length) != 0) return false;
    const char *text = line + length + 1;
    size_t rest = n - length - 1;
    tt_trim(&text, &rest);
    if (rest >= size) return false;
    memcpy(out, text, rest);
    out[rest] = '\0';
    return true;
}

void tt_pacing_read(tt_pacing *p, const char *line, size_t n, int64_t today) {
    char value[128];
    double seconds;
    if (header_value(line, n, "retry-after-ms", value, sizeof value)) {
        if ((seconds = read_whole(value)) >= 0) p->retry_after = seconds / 1000;
    } else if (header_value(line, n, "retry-after", value, sizeof value)) {
        if (p->retry_after < 0) p->retry_after = tt_retry_after(value, today);
    } else if (header_value(line, n, "x-ratelimit-reset-requests", value, sizeof value)) {
        p->reset_requests = tt_reset_after(value);
    } else if (header_value(line, n, "x-ratelimit-reset-tokens", value, sizeof value)) {
        p->reset_tokens = tt_reset_after(value);
    } else if (header_value(line, n, "x-ratelimit-remaining-requests", value, sizeof value)) {
        p->remaining_requests = read_whole(value);
    } else if (header_value(line, n, "x-ratelimit-remaining-tokens", value, sizeof value)) {
        p->remaining_tokens = read_whole(value);
    }
}

double tt_pacing_pause(const tt_pacing *p, double tokens) {
    double pause = 0;
    if (p->remaining_requests >= 0 && p->remaining_requests < 1) pause = p->reset_requests;
    if (p->remaining_tokens >= 0 && p->remaining_tokens < tokens && p->reset_tokens > pause)
        pause = p->reset_tokens;
    return pause < 0 ? 0 : pause < 60 ? pause : 60;
}
