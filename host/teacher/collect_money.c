#include "host/teacher/collection.h"

#include <math.h>
#include <stdlib.h>

tt_status tt_collection_count_tokens(const tt_collection *c, const char *text, int64_t *n) {
    tt_ids ids = {0};
    tt_status status = tt_tokenizer_encode(c->options.tokenizer, text, false, &ids);
    free(ids.items);
    *n = ids.n;
    return status;
}

// An answer is as long as those that the exemplars show.
static tt_status estimate_answer(tt_collection *c) {
    const tt_pool *pool = c->options.pool;
    int64_t total = 0, n;
    for (int i = 0; i < pool->n; ++i) {
        const tt_exemplar *e = &pool->exemplars[i];
        TT_TRY(tt_collection_count_tokens(c, e->key_information, &n));
        total += n + 8; // its frame
        for (int o = 0; o < e->n_options; ++o) {
            TT_TRY(tt_collection_count_tokens(c, e->explanations[o], &n));
            total += n;
        }
    }
    const double mean = pool->n ? (double)total / pool->n : 100, most = (double)c->options.plan->max_tokens;
    c->answer_tokens = mean < most ? mean : most;
    return TT_OK;
}

tt_status tt_collection_estimate_tokens(tt_collection *c) {
    tt_str system = {0}, user = {0};
    int64_t tokens = 0;
    tt_status status = tt_collection_messages(c, &c->items[0], &system, &user);
    if (status == TT_OK) status = estimate_answer(c);
    // System messages differ only in their exemplars. Counting the tokens of each would take most of the time.
    if (status == TT_OK) status = tt_collection_count_tokens(c, tt_str_text(&system), &tokens);
    if (system.length) c->system_tokens = (double)tokens / (double)system.length;
    tt_str_close(&system);
    tt_str_close(&user);
    return status;
}

void tt_collection_spend(tt_collection *c, const tt_usage *usage, int n, size_t bytes) {
    ++c->requests;
    c->prompt_tokens += usage->prompt;
    c->completion_tokens += usage->written;
    c->money += tt_price_of(&c->options.price, usage->prompt, usage->written);
    c->most_written = fmax(c->most_written, (double)usage->written / (n > 0 ? n : 1));
    if (bytes > 0) c->most_prompt = fmax(c->most_prompt, (double)usage->prompt / (double)bytes);
}

double tt_collection_most(const tt_collection *c, const tt_pending *p, int64_t max_tokens) {
    const double bytes = (double)(p->system.length + p->user.length);
    const double prompt = fmax((double)p->prompt, bytes * c->most_prompt);
    const double written = fmax((double)max_tokens, c->most_written) * (c->counts.no_n ? 1 : p->n);
    return tt_price_of(&c->options.price, llround(prompt), llround(written));
}

tt_status tt_collection_estimate(tt_collection *c, tt_estimate *out) {
    enum { LOOKED_AT = 200 };
    const tt_teach_plan *plan = c->options.plan;
    tt_str system = {0}, user = {0};
    int64_t choices = 0;
    *out = (tt_estimate){0};
    for (int i = 0; i < c->n_asked; ++i) {
        const int missing = tt_asked_missing(&c->items[i]);
        out->questions += missing > 0;
        choices += missing;
    }
    const int64_t step = out->questions > LOOKED_AT ? out->questions / LOOKED_AT : 1;
    int64_t tokens = 0, looked = 0, open = 0, n;
    tt_status status = TT_OK;
    for (int i = 0; i < c->n_asked && status == TT_OK; ++i) {
        if (tt_asked_missing(&c->items[i]) == 0 || open++ % step != 0) continue;
        ++looked;
        status = tt_collection_messages(c, &c->items[i], &system, &user);
        if (status == TT_OK) status = tt_collection_count_tokens(c, system.data, &n);
        if (status == TT_OK) tokens += n, status = tt_collection_count_tokens(c, user.data, &n);
        if (status == TT_OK) tokens += n;
    }
    tt_str_close(&system);
    tt_str_close(&user);
    TT_TRY(status);
    out->requests = out->questions;
    out->prompt_tokens = looked ? llround((double)tokens / (double)looked * (double)out->questions) : 0;
    out->answer_tokens = llround(c->answer_tokens * (double)choices);
    out->resumed = c->requests > 0;
    out->money = tt_price_of(&c->options.price, out->prompt_tokens, out->answer_tokens);
    const double all = (double)(out->prompt_tokens + out->answer_tokens);
    const double by_requests =
        plan->requests_per_minute ? 60.0 * (double)out->requests / (double)plan->requests_per_minute : 0;
    const double by_tokens = plan->tokens_per_minute ? 60 * all / (double)plan->tokens_per_minute : 0;
    out->seconds = fmax(by_requests, by_tokens);
    return TT_OK;
}
