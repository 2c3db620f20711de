#include "host/teacher/limits.h"

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

double tt_back_off(int attempt, double chance) {
    double seconds = 1;
    for (int i = 1; i < attempt && seconds < 60; ++i) seconds *= 2;
    if (seconds > 60) seconds = 60;
    return seconds * (0.5 + chance);
}
