// The client on libcurl's multi interface: one thread, all transfers of one loop.
#include "host/teacher/client.h"

#include "host/base/log.h"
#include "host/base/philox.h"
#include "host/teacher/limits.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MOST_BYTES = 64 << 20, FIRST_ATTEMPTS = 4 }; // FIRST_ATTEMPTS: to reach the server at all

// One request on its way, from the first attempt to its answer.
typedef struct flight {
    struct client *client;
    tt_client_request request;
    CURL *easy;
    tt_str body, answer;
    tt_arena memory; // of completion
    tt_completion completion;
    int attempts;
    bool busy, waiting; // a transfer runs; another attempt is due at `due`
    double due;
    double retry_after, reset_requests, reset_tokens; // seconds by the headers, -1 = not given
    bool no_requests_left, no_tokens_left;
    bool too_large;
    tt_dialect sent; // what the attempt was written in
} flight;

typedef struct client {
    const tt_client_options *options;
    const tt_client_caller *caller;
    CURLM *multi;
    struct curl_slist *headers;
    char *url;
    flight *flights; // [options->in_flight]
    tt_limits limits;
    tt_dialect dialect;
    tt_client_counts counts;
    tt_rng jitter;
    bool drained; // the caller has no request now
    double ticked;
} client;

static size_t receive_body(char *data, size_t size, size_t n, void *context) {
    flight *f = context;
    if (f->answer.length + size * n > MOST_BYTES) {
        f->too_large = true;
        return 0;
    }
    tt_str_append_n(&f->answer, data, size * n);
    return f->answer.failed ? 0 : size * n;
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

static size_t receive_header(char *line, size_t size, size_t n, void *context) {
    flight *f = context;
    char value[128];
    n *= size;
    if (header_value(line, n, "retry-after", value, sizeof value))
        f->retry_after = tt_retry_after(value, (int64_t)time(NULL));
    else if (header_value(line, n, "x-ratelimit-reset-requests", value, sizeof value))
        f->reset_requests = tt_reset_after(value);
    else if (header_value(line, n, "x-ratelimit-reset-tokens", value, sizeof value))
        f->reset_tokens = tt_reset_after(value);
    else if (header_value(line, n, "x-ratelimit-remaining-requests", value, sizeof value))
        f->no_requests_left = strcmp(value, "0") == 0;
    else if (header_value(line, n, "x-ratelimit-remaining-tokens", value, sizeof value))
        f->no_tokens_left = strtoll(value, NULL, 10) < (long long)f->request.tokens;
    return n;
}

static tt_status start_transfer(client *c, flight *f) {
    tt_str_clear(&f->body);
    tt_str_clear(&f->answer);
    f->retry_after = f->reset_requests = f->reset_tokens = -1;
    f->no_requests_left = f->no_tokens_left = f->too_large = false;
    f->sent = c->dialect;
    TT_TRY(tt_completion_body(&f->body, &f->request.chat, &f->sent, f->completion.n));
    curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, f->body.data);
    curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.length);
    if (curl_multi_add_handle(c->multi, f->easy) != CURLM_OK)
        return tt_fail(TT_ERR_NOMEM, "out of memory for a request");
    f->busy = true;
    f->waiting = false;
    ++f->attempts;
    ++c->counts.sent;
    ++c->counts.in_flight;
    tt_limits_spend(&c->limits, f->request.tokens, tt_seconds());
    return TT_OK;
}

static void end_flight(flight *f) {
    tt_arena_close(&f->memory);
    f->completion = (tt_completion){0};
    f->attempts = 0;
    f->busy = f->waiting = false;
    f->request = (tt_client_request){0};
}

static bool is_free(const flight *f) {
    return !f->busy && !f->waiting;
}

// Another attempt after a while, or the end of them.
static tt_status repeat_request(client *c, flight *f, tt_trouble trouble, const char *why) {
    ++c->counts.trouble[trouble];
    const double now = tt_seconds();
    if (trouble == TT_TROUBLE_RATE && f->attempts > 0) --f->attempts; // waiting its turn is not its fault
    const bool unreached =
        c->counts.answered == 0 && (trouble == TT_TROUBLE_CONNECTION || trouble == TT_TROUBLE_TIMEOUT);
    const int most =
        unreached && c->options->attempts > FIRST_ATTEMPTS ? FIRST_ATTEMPTS : c->options->attempts;
    if (f->attempts >= most) {
        if (unreached)
            return tt_fail(TT_ERR_IO, "%s: %s, %d times; is the address right, and does the server run?",
                c->options->url, why, f->attempts);
        ++c->counts.failed;
        const tt_status status = c->caller->failed(c->caller->context, &f->request, why);
        end_flight(f);
        c->drained = false;
        return status;
    }
    double wait = f->retry_after;
    if (wait < 0) wait = tt_back_off(f->attempts > 0 ? f->attempts : 1, tt_rng_uniform(&c->jitter));
    if (trouble == TT_TROUBLE_RATE) tt_limits_pause(&c->limits, wait, now);
    f->waiting = true;
    f->due = now + wait;
    return TT_OK;
}

// The next attempt follows without delay, and is no repetition.
static tt_status ask_at_once(flight *f) {
    f->attempts = 0;
    f->waiting = true;
    f->due = 0;
    return TT_OK;
}

// Choices of an endpoint that gives one a request are collected.
static tt_status take_choices(client *c, flight *f, const tt_completion *one) {
    tt_completion *all = &f->completion;
    const int wanted = c->dialect.no_n ? f->request.chat.n : one->n;
    tt_completion_choice *choices = tt_arena_alloc(&f->memory, (size_t)(all->n + one->n) * sizeof *choices);
    if (!choices) return TT_ERR_NOMEM;
    for (int i = 0; i < all->n; ++i) choices[i] = all->choices[i];
    for (int i = 0; i < one->n; ++i) choices[all->n + i] = one->choices[i];
    const int64_t prompt = all->n ? all->prompt_tokens + one->prompt_tokens : one->prompt_tokens;
    const int64_t written = all->n ? all->completion_tokens + one->completion_tokens : one->completion_tokens;
    const bool counted =
        (all->n == 0 || all->prompt_tokens >= 0) && one->prompt_tokens >= 0 && one->completion_tokens >= 0;
    *all = (tt_completion){.choices = choices,
        .n = all->n + one->n,
        .prompt_tokens = counted ? prompt : -1,
        .completion_tokens = counted ? written : -1};
    if (all->n < wanted) return ask_at_once(f);
    ++c->counts.answered;
    if (all->prompt_tokens >= 0)
        tt_limits_correct(
            &c->limits, (double)(all->prompt_tokens + all->completion_tokens) - f->request.tokens);
    const tt_status status = c->caller->answered(c->caller->context, &f->request, all);
    end_flight(f);
    c->drained = false;
    return status;
}

static tt_status handle_body(client *c, flight *f) {
    tt_completion one;
    const tt_status status = tt_completion_read(&one, tt_str_text(&f->answer), f->answer.length, &f->memory);
    if (status == TT_ERR_FORMAT) return repeat_request(c, f, TT_TROUBLE_BODY, tt_error_message());
    TT_TRY(status);
    return take_choices(c, f, &one);
}

// What repeating can't mend: the whole run's fault before anything was answered, else this request's.
static tt_status refuse_request(client *c, flight *f, long code, const char *message) {
    char why[400];
    snprintf(why, sizeof why, "status %ld%s%s", code, *message ? ": " : "", message);
    if (c->counts.answered == 0)
        return tt_fail(TT_ERR_CONFIG, "%s: refuses requests: %s", c->options->url, why);
    ++c->counts.failed;
    const tt_status status = c->caller->failed(c->caller->context, &f->request, why);
    end_flight(f);
    c->drained = false;
    return status;
}

// Whether the endpoint can be asked in another way than this attempt was; others in flight may have found out first.
static bool has_learned(client *c, const flight *f) {
    return tt_dialect_learn(&c->dialect, &f->request.chat, tt_str_text(&f->answer), f->answer.length) ||
           memcmp(&c->dialect, &f->sent, sizeof f->sent) != 0;
}

static tt_status handle_status(client *c, flight *f, long code) {
    const char *body = tt_str_text(&f->answer);
    char message[320], why[400];
    const double now = tt_seconds();
    if (f->no_requests_left && f->reset_requests > 0) tt_limits_pause(&c->limits, f->reset_requests, now);
    if (f->no_tokens_left && f->reset_tokens > 0) tt_limits_pause(&c->limits, f->reset_tokens, now);
    if (code == 200) return handle_body(c, f);
    tt_completion_error(body, f->answer.length, message, sizeof message);
    if (code == 401 || code == 403) // the endpoint's own words may repeat the key
        return tt_fail(TT_ERR_CONFIG, "%s: refuses the key (status %ld); %s%s", c->options->url, code,
            c->options->key ? "look at the environment variable "
                            : "no key was sent: set the environment variable ",
            c->options->key_variable);
    if (code == 404)
        return tt_fail(TT_ERR_CONFIG,
            "%s/chat/completions: not found (status 404)%s%s; look at url and model %s", c->options->url,
            *message ? ": " : "", message, f->request.chat.model);
    if ((code == 400 || code == 422) && has_learned(c, f)) return ask_at_once(f);
    snprintf(why, sizeof why, "status %ld%s%s", code, *message ? ": " : "", message);
    if (code == 402 || (code == 429 && strstr(body, "insufficient_quota")))
        return tt_fail(TT_ERR_CONFIG, "%s: the account has no credit left: %s", c->options->url, why);
    if (code == 429) return repeat_request(c, f, TT_TROUBLE_RATE, why);
    if (code == 408 || code == 409 || code == 425 || code >= 500) {
        if (f->retry_after > 0) tt_limits_pause(&c->limits, f->retry_after, now);
        return repeat_request(c, f, TT_TROUBLE_SERVER, why);
    }
    return refuse_request(c, f, code, message);
}

static tt_status handle_end(client *c, flight *f, CURLcode code) {
    f->busy = false;
    --c->counts.in_flight;
    if (f->answer.failed) return tt_fail(TT_ERR_NOMEM, "out of memory for an answer");
    switch (code) {
    case CURLE_OK: {
        long status = 0;
        curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
        return handle_status(c, f, status);
    }
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return tt_fail(TT_ERR_CONFIG, "url: '%s' is not an address of http or https", c->options->url);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return tt_fail(TT_ERR_CONFIG, "%s: its certificate can't be verified: %s", c->options->url,
            curl_easy_strerror(code));
    case CURLE_OPERATION_TIMEDOUT:
        return repeat_request(c, f, TT_TROUBLE_TIMEOUT, curl_easy_strerror(code));
    default:
        break; // everything else that can happen to a connection
    }
    return repeat_request(c, f, TT_TROUBLE_CONNECTION,
        f->too_large ? "the answer is larger than 64 MiB" : curl_easy_strerror(code));
}

static tt_status handle_ended(client *c) {
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(c->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        flight *f;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &f);
        curl_multi_remove_handle(c->multi, easy);
        TT_TRY(handle_end(c, f, code));
    }
    return TT_OK;
}

// Sends what may be sent; *wait: seconds until the next could be.
static tt_status send_requests(client *c, bool stopping, double *wait) {
    *wait = 1;
    for (int i = 0; i < c->options->in_flight; ++i) {
        flight *f = &c->flights[i];
        const double now = tt_seconds();
        if (f->busy) continue;
        if (f->waiting && stopping) { // it is asked again by the next run
            end_flight(f);
            continue;
        }
        if (f->waiting && f->due > now) {
            if (f->due - now < *wait) *wait = f->due - now;
            continue;
        }
        if (!f->waiting) {
            bool have = false;
            if (c->drained || stopping) continue;
            TT_TRY(c->caller->next(c->caller->context, &f->request, &have));
            if (!have) {
                c->drained = true;
                continue;
            }
            f->waiting = true;
            f->due = 0;
        }
        const double held = tt_limits_wait(&c->limits, f->request.tokens, now);
        if (held > 0) {
            if (held < *wait) *wait = held;
            continue;
        }
        TT_TRY(start_transfer(c, f));
    }
    return TT_OK;
}

static bool is_over(const client *c) {
    for (int i = 0; i < c->options->in_flight; ++i)
        if (!is_free(&c->flights[i])) return false;
    return true;
}

static tt_status run_loop(client *c) {
    for (;;) {
        const bool stopping = tt_interrupted();
        double wait;
        int running;
        TT_TRY(send_requests(c, stopping, &wait));
        if (is_over(c) && (c->drained || stopping)) break;
        curl_multi_perform(c->multi, &running);
        TT_TRY(handle_ended(c));
        if (c->caller->tick && tt_seconds() - c->ticked > 0.2) {
            c->ticked = tt_seconds();
            c->caller->tick(c->caller->context, &c->counts);
        }
        curl_multi_poll(c->multi, NULL, 0, (int)(wait * 1000), NULL);
    }
    return tt_interrupted() ? tt_fail(TT_ERR_INTERRUPTED, "interrupted") : TT_OK;
}

static tt_status open_flight(client *c, flight *f) {
    f->client = c;
    f->easy = curl_easy_init();
    if (!f->easy) return tt_fail(TT_ERR_NOMEM, "out of memory for a connection");
    curl_easy_setopt(f->easy, CURLOPT_PRIVATE, f);
    curl_easy_setopt(f->easy, CURLOPT_URL, c->url);
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, receive_body);
    curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->easy, CURLOPT_HEADERFUNCTION, receive_header);
    curl_easy_setopt(f->easy, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)(c->options->timeout * 1000));
    curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS,
        (long)(c->options->timeout < 30 ? c->options->timeout * 1000 : 30000));
    curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(f->easy, CURLOPT_ACCEPT_ENCODING, "");
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    return TT_OK;
}

static tt_status open_headers(client *c) {
    const char *const fixed[] = {"Content-Type: application/json", "Expect:"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; ++i)
        if (!(c->headers = curl_slist_append(c->headers, fixed[i]))) return TT_ERR_NOMEM;
    if (!c->options->key) return TT_OK;
    tt_str line = {0};
    tt_str_format(&line, "Authorization: Bearer %s", c->options->key);
    struct curl_slist *more = line.failed ? NULL : curl_slist_append(c->headers, line.data);
    tt_str_close(&line);
    if (!more) return TT_ERR_NOMEM;
    c->headers = more;
    return TT_OK;
}

static tt_status open_client(client *c) {
    tt_str url = {0};
    size_t length = strlen(c->options->url);
    while (length > 0 && c->options->url[length - 1] == '/') --length;
    tt_str_append_n(&url, c->options->url, length);
    tt_str_append(&url, "/chat/completions");
    TT_TRY(tt_str_status(&url));
    c->url = url.data;
    TT_TRY(open_headers(c));
    if (!(c->multi = curl_multi_init())) return tt_fail(TT_ERR_NOMEM, "out of memory for connections");
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->options->in_flight);
    TT_TRY(tt_alloc(&c->flights, (size_t)c->options->in_flight, sizeof *c->flights, "requests"));
    for (int i = 0; i < c->options->in_flight; ++i) TT_TRY(open_flight(c, &c->flights[i]));
    tt_limits_open(&c->limits, c->options->requests_per_minute, c->options->tokens_per_minute, tt_seconds());
    tt_rng_open(&c->jitter, c->options->seed, TT_FOR_TEACHER, 0, 1);
    return TT_OK;
}

static void close_client(client *c) {
    for (int i = 0; c->flights && i < c->options->in_flight; ++i) {
        flight *f = &c->flights[i];
        if (f->busy) curl_multi_remove_handle(c->multi, f->easy);
        curl_easy_cleanup(f->easy);
        tt_str_close(&f->body);
        tt_str_close(&f->answer);
        tt_arena_close(&f->memory);
    }
    free(c->flights);
    curl_multi_cleanup(c->multi);
    curl_slist_free_all(c->headers);
    free(c->url);
}

tt_status tt_client_run(const tt_client_options *options, const tt_client_caller *caller) {
    client c = {.options = options, .caller = caller};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return tt_fail(TT_ERR_IO, "libcurl does not start");
    tt_status status = open_client(&c);
    if (status == TT_OK) status = run_loop(&c);
    if (caller->tick) caller->tick(caller->context, &c.counts);
    close_client(&c);
    curl_global_cleanup();
    return status;
}
