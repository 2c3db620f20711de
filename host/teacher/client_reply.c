// What becomes of a reply: an answer, another attempt, the end of the request, or the end of the run.
#include "host/base/log.h"
#include "host/teacher/client_flight.h"
#include "host/teacher/outside.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    FIRST_ATTEMPTS = 4, // to reach the endpoint at all
    FAILED_IN_ROW = 5,  // requests, after which nothing more is sent
    WHY = 480,          // bytes of a reason
    TOLD_WAIT = 30      // seconds: a longer pause is told
};

void tt_flight_end(tt_flight *f) {
    tt_arena_close(&f->memory);
    f->attempts = 0;
    f->answered_before = 0;
    f->busy = f->waiting = false;
    f->request = (tt_client_request){0};
    f->client->drained = false; // the end of a request may bring others
}

static tt_status end_failed(tt_flight *f, const char *why) {
    tt_client *c = f->client;
    ++c->counts.failed;
    const tt_status status = c->caller->failed(c->caller->context, &f->request, why);
    tt_flight_end(f);
    if (++c->failed_in_row < FAILED_IN_ROW || c->counts.gave_up) return status;
    tt_warn("%s: %d requests in a row failed and none was answered; nothing more is sent", c->shown,
        c->failed_in_row);
    c->counts.gave_up = c->stopping = true;
    return status;
}

// What ends the run where nothing has ever come from the endpoint.
static tt_status fail_unreached(const tt_flight *f, tt_trouble trouble, const char *why) {
    const tt_client *c = f->client;
    if (trouble == TT_TROUBLE_TIMEOUT)
        return tt_fail(TT_ERR_IO,
            "%s: no answer within %g s, in %d attempts; does the server run? If it is slow, raise timeout, "
            "or "
            "lower in_flight (%d)",
            c->shown, c->options->timeout, f->attempts, c->options->in_flight);
    return tt_fail(TT_ERR_IO, "%s: %s, in %d attempt%s; is the address right, and does the server run?",
        c->shown, why, f->attempts, f->attempts == 1 ? "" : "s");
}

static void print_time(double seconds, char out[32]) {
    const time_t then = time(NULL) + (time_t)seconds;
    struct tm local;
    if (seconds > 100 * 365.25 * 86400) {
        snprintf(out, 32, "more than 100 years from now");
        return;
    }
    if (!localtime_r(&then, &local) || !strftime(out, 32, seconds < 43200 ? "%H:%M:%S" : "%F %H:%M", &local))
        snprintf(out, 32, "%.0f s from now", seconds);
}

// Nothing is sent for so long.
static tt_status pause_all(tt_client *c, double seconds, const char *why) {
    char until[32];
    const double now = tt_seconds();
    print_time(seconds, until);
    if (seconds > c->options->longest_wait)
        return tt_fail(TT_ERR_IO,
            "%s: asks to wait until %s (%s), longer than longest_wait, %g s; run the same command again then",
            c->shown, until, why, c->options->longest_wait);
    tt_limits_pause(&c->limits, seconds, now);
    if (seconds > TOLD_WAIT && now + seconds > c->announced + TOLD_WAIT) {
        tt_info("%s: waits until %s, as the endpoint asks (%s)", c->shown, until, why);
        c->announced = now + seconds;
    }
    return TT_OK;
}

// How long to wait before the next attempt: as the endpoint says, but longer each time where that does not help.
static double next_wait(tt_flight *f, bool limited) {
    const double chance = tt_rng_uniform(&f->client->jitter), asked = f->pacing.retry_after;
    const double own = tt_back_off(f->attempts + limited, chance);
    if (asked < 0) return own;
    const double least = f->attempts > 1 ? tt_back_off(f->attempts - 1, chance) : 0;
    return asked > least ? asked : least;
}

// Another attempt after a while.
static tt_status repeat_later(tt_flight *f, bool all_wait, const char *why) {
    tt_client *c = f->client;
    const double wait = next_wait(f, all_wait);
    if (all_wait || f->pacing.retry_after > 0) TT_TRY(pause_all(c, wait, why));
    f->waiting = true;
    // Those that wait for the same end do not come all at once.
    f->due = tt_seconds() + wait * (1 + 0.25 * tt_rng_uniform(&c->jitter));
    return TT_OK;
}

// Another attempt, or the end of them.
static tt_status repeat_request(tt_flight *f, tt_trouble trouble, const char *why) {
    tt_client *c = f->client;
    const tt_client_options *o = c->options;
    const bool unreached = c->counts.answered == 0 && !o->proven && trouble != TT_TROUBLE_SERVER;
    ++c->counts.trouble[trouble];
    const int most = unreached && o->attempts > FIRST_ATTEMPTS ? FIRST_ATTEMPTS : o->attempts;
    if (f->attempts < most) return repeat_later(f, false, why);
    return unreached ? fail_unreached(f, trouble, why) : end_failed(f, why);
}

// A rate limit is not the request's fault while others are answered; where none is, the run ends after so many attempts.
static tt_status repeat_limited(tt_flight *f, const char *why) {
    tt_client *c = f->client;
    ++c->counts.trouble[TT_TROUBLE_RATE];
    const int most = c->options->attempts > 1 ? c->options->attempts : 2;
    if (c->counts.answered != f->answered_before) f->attempts = 1;
    f->answered_before = c->counts.answered;
    if (f->attempts >= most)
        return tt_fail(TT_ERR_IO,
            "%s: limits the rate: %d attempts at a request, and no other was answered meanwhile; %s; run the "
            "same command again later",
            c->shown, f->attempts, why);
    return repeat_later(f, true, why);
}

// The next attempt follows without delay, and is no repetition.
static tt_status ask_at_once(tt_flight *f) {
    f->attempts = 0;
    f->waiting = true;
    f->due = 0;
    return TT_OK;
}

static void tell_change(const tt_client *c, const tt_dialect *before, const char *why) {
    const char *word, *meaning;
    if (!tt_dialect_change(before, &c->dialect, &word, &meaning)) return;
    tt_info("%s: does not take %s%s%s%s; from now on %s", c->shown, word, *why ? " (" : "", why,
        *why ? ")" : "", meaning);
}

static tt_status take_completion(tt_flight *f, const tt_completion *one) {
    tt_client *c = f->client;
    const tt_dialect before = c->dialect;
    ++c->counts.answered;
    c->failed_in_row = 0;
    if (one->n == 1 && f->request.chat.n > 1 && !f->sent.no_n) c->dialect.no_n = true;
    tell_change(c, &before, "it answers once where more answers are asked for");
    if (one->prompt_tokens >= 0 && one->completion_tokens >= 0)
        tt_limits_correct(
            &c->limits, (double)(one->prompt_tokens + one->completion_tokens) - f->request.tokens);
    const tt_status status = c->caller->answered(c->caller->context, &f->request, one);
    tt_flight_end(f);
    return status;
}

static tt_status handle_body(tt_flight *f) {
    const tt_client *c = f->client;
    tt_completion one;
    char why[WHY];
    bool again = true;
    const tt_status status = tt_completion_read(&one, tt_str_text(&f->answer), f->answer.length, &f->memory);
    one.sent = f->sent;
    if (status == TT_OK) return take_completion(f, &one);
    if (status != TT_ERR_FORMAT) return status;
    snprintf(why, sizeof why, "%s", tt_error_message());
    if (one.prompt_tokens > 0 || one.completion_tokens > 0)
        TT_TRY(c->caller->spent(c->caller->context, &f->request, &one, &again));
    if (again) return repeat_request(f, TT_TROUBLE_BODY, why);
    tt_flight_end(f);
    return TT_OK;
}

// Whether the endpoint can be asked in another way than this attempt was; others in flight may have found out first.
static bool has_learned(tt_flight *f, const char *why) {
    tt_client *c = f->client;
    const tt_chat *chat = &f->request.chat;
    const tt_dialect before = c->dialect;
    const tt_dialect_use use = {.n = chat->n > 1, .seed = chat->seed >= 0, .schema = chat->json_options > 0};
    const bool learned = tt_dialect_learn(&c->dialect, &use, tt_str_text(&f->answer), f->answer.length);
    if (learned) tell_change(c, &before, why);
    return learned || !tt_dialect_same(&c->dialect, &f->sent);
}

// An account that cannot pay, as far as it can be told from a limit that ends by waiting.
static bool has_no_credit(const tt_flight *f, long code, const char *body) {
    if (code == 402) return true;
    if (code != 429) return false;
    return strstr(body, "insufficient_quota") || (strstr(body, "check your plan and billing") &&
                                                     f->pacing.retry_after < 0 && !strstr(body, "retry"));
}

static tt_status end_refused(tt_flight *f, const char *why) {
    const tt_client *c = f->client;
    const tt_status status = c->caller->refused(c->caller->context, &f->request, why);
    tt_flight_end(f);
    return status;
}

static void describe_status(tt_flight *f, long code, const char *message, char why[WHY]) {
    const char *colon = *message ? ": " : "", *target = NULL;
    char place[200];
    if (code == 404) {
        snprintf(why, WHY, "not found (status 404)%s%s; look at url and model %.80s", colon, message,
            f->request.chat.model);
    } else if (code >= 300 && code < 400 &&
               curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &target) == CURLE_OK && target) {
        tt_str shown = {0};
        tt_address_shown(&shown, target);
        tt_outside_excerpt(place, sizeof place, tt_str_text(&shown));
        tt_str_close(&shown);
        snprintf(why, WHY, "status %ld: redirects to %s; give that address as url", code, place);
    } else {
        snprintf(why, WHY, "status %ld%s%s", code, colon, message);
    }
}

static tt_status handle_status(tt_flight *f, long code) {
    const tt_client *c = f->client;
    const char *body = tt_str_text(&f->answer);
    char message[320], why[WHY];
    const double pause = tt_pacing_pause(&f->pacing, f->request.tokens);
    if (pause > 0)
        TT_TRY(pause_all(f->client, pause < c->options->longest_wait ? pause : c->options->longest_wait,
            "nothing is left of its limit"));
    if (code == 200) return handle_body(f);
    if (code == 401) // no word of the endpoint's, which may show parts of the key
        return tt_fail(TT_ERR_CONFIG, "%s: refuses the key (status 401); %s%s", c->shown,
            c->options->key ? "look at the environment variable "
                            : "no key was sent: set the environment variable ",
            c->options->key_variable);
    tt_completion_error(body, f->answer.length, message, sizeof message);
    if ((code == 400 || code == 422) && has_learned(f, message)) return ask_at_once(f);
    describe_status(f, code, message, why);
    if (has_no_credit(f, code, body))
        return tt_fail(TT_ERR_CONFIG, "%s: the account has no credit left: %s", c->shown, why);
    if (code == 429) return repeat_limited(f, why);
    if (code == 408 || code == 409 || code == 425 || code >= 500)
        return repeat_request(f, TT_TROUBLE_SERVER, why);
    return end_refused(f, why);
}

tt_status tt_flight_reply(tt_flight *f, CURLcode code) {
    tt_client *c = f->client;
    char why[WHY];
    tt_outside_hide(&f->answer, c->options->key);
    tt_address_hide(&f->answer, c->options->url);
    if (f->answer.failed) return tt_fail(TT_ERR_NOMEM, "out of memory for an answer");
    switch (code) {
    case CURLE_OK: {
        long status = 0;
        curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
        return handle_status(f, status);
    }
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return tt_fail(TT_ERR_CONFIG, "url: '%s' is not an address of http or https", c->shown);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return tt_fail(
            TT_ERR_CONFIG, "%s: its certificate can't be verified: %s", c->shown, curl_easy_strerror(code));
    case CURLE_OPERATION_TIMEDOUT:
        snprintf(why, sizeof why, "no answer within %g s (timeout)", c->options->timeout);
        return repeat_request(f, TT_TROUBLE_TIMEOUT, why);
    default:
        break; // everything else that can happen to a connection
    }
    return repeat_request(f, TT_TROUBLE_CONNECTION,
        f->too_large ? "the answer is larger than 64 MiB" : curl_easy_strerror(code));
}
