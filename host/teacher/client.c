// The client on libcurl's multi interface: one thread, all transfers of one loop.
#include "host/base/log.h"
#include "host/teacher/client_flight.h"
#include "host/teacher/outside.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_BYTES = 64 << 20 };

static size_t receive_body(char *data, size_t size, size_t n, void *context) {
    tt_flight *f = context;
    if (f->answer.length + size * n > MOST_BYTES) {
        f->too_large = true;
        return 0;
    }
    tt_str_append_n(&f->answer, data, size * n);
    return f->answer.failed ? 0 : size * n;
}

static size_t receive_header(char *line, size_t size, size_t n, void *context) {
    tt_flight *f = context;
    tt_pacing_read(&f->pacing, line, n * size, (int64_t)time(NULL));
    return n * size;
}

static tt_status start_transfer(tt_client *c, tt_flight *f) {
    tt_str_clear(&f->body);
    tt_str_clear(&f->answer);
    tt_pacing_open(&f->pacing);
    f->too_large = false;
    f->sent = c->dialect;
    TT_TRY(tt_completion_body(&f->body, &f->request.chat, &f->sent));
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

static bool is_free(const tt_flight *f) {
    return !f->busy && !f->waiting;
}

// *final: the first error ends the run in order: nothing more is sent, what is on its way is waited for. Its message is
// kept, since others may follow.
typedef struct ending {
    tt_status status;
    char message[1024];
} ending;

static void note_end(tt_client *c, ending *end, tt_status status) {
    if (status == TT_OK || end->status != TT_OK) return;
    end->status = status;
    snprintf(end->message, sizeof end->message, "%s", tt_error_message());
    c->stopping = true;
}

// Takes the ends of transfers; *any: there was one.
static void handle_ended(tt_client *c, ending *end, bool *any) {
    int left;
    CURLMsg *message;
    *any = false;
    while ((message = curl_multi_info_read(c->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        tt_flight *f;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &f);
        curl_multi_remove_handle(c->multi, easy);
        f->busy = false;
        --c->counts.in_flight;
        note_end(c, end, tt_flight_reply(f, code));
        *any = true;
    }
}

// Gives the flight the caller's next request, if it has none.
static tt_status load_flight(tt_client *c, tt_flight *f) {
    bool have = false;
    if (f->waiting || c->drained) return TT_OK;
    TT_TRY(c->caller->next(c->caller->context, &f->request, &have));
    c->drained = !have;
    f->waiting = have;
    f->due = 0;
    return TT_OK;
}

// Sends what may be sent; *wait: seconds until the next could be.
static tt_status send_requests(tt_client *c, double *wait) {
    *wait = 1;
    for (int i = 0; i < c->options->in_flight; ++i) {
        tt_flight *f = &c->flights[i];
        if (f->busy) continue;
        if (c->stopping) { // what waits is asked again by the next run
            if (f->waiting) tt_flight_end(f);
            continue;
        }
        TT_TRY(load_flight(c, f));
        if (!f->waiting) continue;
        const double now = tt_seconds();
        double held = f->due - now;
        if (held <= 0) held = tt_limits_wait(&c->limits, f->request.tokens, now);
        if (held <= 0)
            TT_TRY(start_transfer(c, f));
        else if (held < *wait)
            *wait = held;
    }
    return TT_OK;
}

static bool is_over(const tt_client *c) {
    for (int i = 0; i < c->options->in_flight; ++i)
        if (!is_free(&c->flights[i])) return false;
    return c->drained || c->stopping;
}

static void notice_interrupt(tt_client *c, bool *interrupted) {
    if (*interrupted || !tt_interrupted()) return;
    *interrupted = c->stopping = true;
    if (c->counts.in_flight > 0)
        tt_warn("stopping: waits up to %g s for %d request%s on the way, whose answers are paid for; another "
                "Ctrl-C gives up on %s",
            c->options->timeout, c->counts.in_flight, c->counts.in_flight == 1 ? "" : "s",
            c->counts.in_flight == 1 ? "it" : "them");
}

static tt_status run_loop(tt_client *c) {
    ending end = {.status = TT_OK};
    bool interrupted = false;
    for (;;) {
        double wait;
        int running;
        bool any;
        notice_interrupt(c, &interrupted);
        note_end(c, &end, send_requests(c, &wait));
        if (is_over(c)) break;
        curl_multi_perform(c->multi, &running);
        handle_ended(c, &end, &any);
        if (c->caller->tick && tt_seconds() - c->ticked > 0.2) {
            c->counts.no_n = c->dialect.no_n;
            c->ticked = tt_seconds();
            c->caller->tick(c->caller->context, &c->counts);
        }
        if (!any) curl_multi_poll(c->multi, NULL, 0, (int)(wait * 1000) + 1, NULL);
    }
    if (end.status != TT_OK) return tt_fail(end.status, "%s", end.message);
    return interrupted ? tt_fail(TT_ERR_INTERRUPTED, "interrupted") : TT_OK;
}

static tt_status open_flight(tt_client *c, tt_flight *f) {
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

static tt_status open_headers(tt_client *c) {
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

static tt_status open_client(tt_client *c) {
    tt_str url = {0}, shown = {0};
    tt_address_of_chat(&url, c->options->url);
    tt_address_shown(&shown, c->options->url);
    c->url = url.data;
    c->shown = shown.data;
    if (url.failed || shown.failed) return tt_fail(TT_ERR_NOMEM, "out of memory for an address");
    TT_TRY(open_headers(c));
    if (!(c->multi = curl_multi_init())) return tt_fail(TT_ERR_NOMEM, "out of memory for connections");
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->options->in_flight);
    TT_TRY(tt_alloc(&c->flights, (size_t)c->options->in_flight, sizeof *c->flights, "requests"));
    for (int i = 0; i < c->options->in_flight; ++i) TT_TRY(open_flight(c, &c->flights[i]));
    tt_limits_open(&c->limits, c->options->requests_per_minute, c->options->tokens_per_minute, tt_seconds());
    tt_rng_open(&c->jitter, c->options->seed, TT_FOR_TEACHER, 0, 1);
    return TT_OK;
}

static void close_client(tt_client *c) {
    for (int i = 0; c->flights && i < c->options->in_flight; ++i) {
        tt_flight *f = &c->flights[i];
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
    free(c->shown);
}

tt_status tt_client_run(const tt_client_options *options, const tt_client_caller *caller) {
    tt_client c = {.options = options, .caller = caller};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return tt_fail(TT_ERR_IO, "libcurl does not start");
    tt_status status = open_client(&c);
    if (status == TT_OK) status = run_loop(&c);
    c.counts.no_n = c.dialect.no_n;
    if (caller->tick) caller->tick(caller->context, &c.counts);
    close_client(&c);
    curl_global_cleanup();
    return status;
}
