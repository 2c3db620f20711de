#include "host/teacher/limits.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double bucket_size(double per_minute, double least) {
    const double tenth = per_minute / 10;
    return tenth > least ? tenth : least;
}

void tt_limits_open(tt_limits *l, double requests_per_minute, double tokens_per_minute, double now) {
    *l = (tt_limits){
        .requests_per_minute = requests_per_minute, .tokens_per_minute = tokens_per_minute, .last = now};
    l->requests = bucket_size(requests_per_minute, 1);
    l->tokens = bucket_size(tokens_per_minute, 0);
}

static void fill_buckets(tt_limits *l, double now) {
    const double minutes = (now - l->last) / 60;
    if (minutes <= 0) return;
    const double most_requests = bucket_size(l->requests_per_minute, 1),
                 most_tokens = bucket_size(l->tokens_per_minute, 0);
    l->requests += minutes * l->requests_per_minute;
    l->tokens += minutes * l->tokens_per_minute;
    if (l->requests > most_requests) l->requests = most_requests;
    if (l->tokens > most_tokens) l->tokens = most_tokens;
    l->last = now;
}

double tt_limits_wait(tt_limits *l, double tokens, double now) {
    fill_buckets(l, now);
    double wait = l->paused_until > now ? l->paused_until - now : 0;
    if (l->requests_per_minute > 0 && l->requests < 1) {
        const double seconds = (1 - l->requests) * 60 / l->requests_per_minute;
        if (seconds > wait) wait = seconds;
    }
    if (l->tokens_per_minute > 0) {
        const double most = bucket_size(l->tokens_per_minute, 0), need = tokens < most ? tokens : most;
        const double seconds = (need - l->tokens) * 60 / l->tokens_per_minute;
        if (seconds > wait) wait = seconds;
    }
    return wait;
}

void tt_limits_spend(tt_limits *l, double tokens, double now) {
    fill_buckets(l, now);
    l->requests -= 1;
    l->tokens -= tokens;
}

void tt_limits_correct(tt_limits *l, double tokens_more) {
    l->tokens -= tokens_more;
}

void tt_limits_pause(tt_limits *l, double seconds, double now) {
    if (now + seconds > l->paused_until) l->paused_until = now + seconds;
}

double tt_retry_after(const char *value, int64_t today) {
    char *end;
    while (isspace((unsigned char)*value)) ++value;
    const long long whole = strtoll(value, &end, 10);
    if (end != value && *value != '-') {
        double seconds = (double)whole;
        if (*end == '.') { // some servers send fractions
            double place = 0.1;
            for (++end; isdigit((unsigned char)*end); ++end, place /= 10) seconds += place * (*end - '0');
        }
        while (isspace((unsigned char)*end)) ++end;
        if (*end == '\0') return seconds < 86400 ? seconds : 86400;
    }
    // RFC 9110: "Wed, 21 Oct 2015 07:28:00 GMT", in English whatever the locale is.
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm date = {0};
    char month[4] = "";
    const char *comma = strchr(value, ',');
    if (!comma) return -1;
    const char *p = comma + 1;
    long fields[5] = {0}; // day, year, hour, minute, second
    fields[0] = strtol(p, &end, 10);
    if (end == p || end[0] != ' ' || strlen(end) < 5) return -1;
    memcpy(month, end + 1, 3);
    const char *found = strstr(months, month);
    if (!found || (found - months) % 3 != 0) return -1;
    p = end + 4;
    for (int i = 1; i < 5; ++i) {
        fields[i] = strtol(p, &end, 10);
        if (end == p) return -1;
        p = *end == ':' ? end + 1 : end;
    }
    date.tm_mday = (int)fields[0];
    date.tm_mon = (int)((found - months) / 3);
    date.tm_year = (int)fields[1] - 1900;
    date.tm_hour = (int)fields[2];
    date.tm_min = (int)fields[3];
    date.tm_sec = (int)fields[4];
    const double seconds = (double)((int64_t)timegm(&date) - today);
    return seconds < 0 ? 0 : seconds < 86400 ? seconds : 86400;
}

double tt_reset_after(const char *value) {
    double seconds = 0;
    bool any = false;
    while (*value) {
        char *end;
        double number = (double)strtol(value, &end, 10), place = 0.1;
        if (end == value || number < 0) return -1;
        if (*end == '.')
            for (++end; isdigit((unsigned char)*end); ++end, place /= 10) number += place * (*end - '0');
        if (strncmp(end, "ms", 2) == 0)
            seconds += number / 1000, end += 2;
        else if (*end == 's')
            seconds += number, ++end;
        else if (*end == 'm')
            seconds += 60 * number, ++end;
        else if (*end == 'h')
            seconds += 3600 * number, ++end;
        else
            return -1;
        any = true;
        value = end;
    }
    return any ? seconds : -1;
}

double tt_back_off(int attempt, double chance) {
    double seconds = 1;
    for (int i = 1; i < attempt && seconds < 60; ++i) seconds *= 2;
    if (seconds > 60) seconds = 60;
    return seconds * (0.5 + chance);
}
