// Sampled generation: many samples of each prompt, as in reflection. A random model hardly ever ends a text,
// so that nearly all have the greatest length.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/bench/parts.h"
#include "host/reason/engine.h"

#include <stdlib.h>

enum { SAMPLES = 10 };

typedef struct workload {
    tt_model *model;
    tt_engine *engine;
    tt_prompt *prompts; // [n]
    int32_t *ids;       // [n, longest]
    int n;
    double *seconds, *rates; // [steps]
    double source_tokens;
} workload;

static tt_status open_workload(workload *w, tt_device *device, const tt_bench_options *o) {
    static const int32_t samples[SAMPLES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    tt_model_config config;
    TT_TRY(tt_bench_shape(&config, o->shape));
    TT_TRY(tt_model_open(&w->model, &config, device));
    TT_TRY(tt_model_init(w->model, TT_INIT_T5, o->seed));
    TT_TRY(tt_engine_open(&w->engine, w->model, o->slots, o->new_tokens + 1));
    w->n = o->prompts;
    const size_t longest = o->source_length > 0 ? (size_t)o->source_length : TT_BENCH_SOURCE_MAX;
    TT_TRY(tt_alloc(&w->prompts, (size_t)w->n, sizeof *w->prompts, "prompts"));
    TT_TRY(tt_alloc(&w->ids, (size_t)w->n * longest, sizeof *w->ids, "prompts"));
    TT_TRY(tt_alloc(&w->seconds, (size_t)o->steps, sizeof *w->seconds, "times"));
    TT_TRY(tt_alloc(&w->rates, (size_t)o->steps, sizeof *w->rates, "times"));
    tt_rng rng;
    tt_rng_open(&rng, o->seed, TT_FOR_TEST, 2, 0);
    for (int i = 0; i < w->n; ++i) {
        int32_t *ids = w->ids + (size_t)i * longest;
        const int n = tt_bench_source_length(&rng, o);
        tt_bench_tokens(&rng, ids, n, config.vocab_size);
        w->prompts[i] =
            (tt_prompt){.ids = ids, .n = n, .example = (uint64_t)i, .samples = samples, .n_samples = SAMPLES};
        w->source_tokens += n;
    }
    return TT_OK;
}

static void close_workload(workload *w) {
    tt_engine_close(w->engine);
    tt_model_close(w->model);
    free(w->prompts);
    free(w->ids);
    free(w->seconds);
    free(w->rates);
}

static tt_status count_tokens(void *context, int prompt, int sample, const int32_t *ids, int n) {
    (void)prompt, (void)sample, (void)ids;
    *(int64_t *)context += n;
    return TT_OK;
}

static tt_status measure_generation(workload *w, const tt_bench_options *o, tt_bench_generation *out) {
    for (int i = -1; i < o->steps; ++i) { // the first step warms up
        const tt_decoding decoding = {.temperature = 1,
            .top_p = 0.95f,
            .max_length = o->new_tokens + 1,
            .seed = o->seed + (uint64_t)(i + 1)};
        int64_t tokens = 0;
        const double started = tt_seconds();
        TT_TRY(tt_engine_generate(w->engine, &(tt_generation){.prompts = w->prompts,
                                                 .n = w->n,
                                                 .decoding = &decoding,
                                                 .take = count_tokens,
                                                 .context = &tokens}));
        if (i < 0) continue;
        w->seconds[i] = tt_seconds() - started;
        w->rates[i] = (double)tokens / w->seconds[i];
        out->new_tokens += (double)tokens / o->steps;
    }
    return TT_OK;
}

tt_status tt_bench_generate(tt_bench_generation *out, tt_device *device, const tt_bench_options *o) {
    workload w = {0};
    *out = (tt_bench_generation){
        .shape = o->shape, .prompts = o->prompts, .samples = SAMPLES, .slots = o->slots};
    tt_status status = open_workload(&w, device, o);
    if (status == TT_OK) status = measure_generation(&w, o, out);
    if (status == TT_OK) {
        out->parameters = (int64_t)w.model->size;
        out->source_tokens = w.source_tokens;
        out->seconds = tt_bench_spread_of(w.seconds, o->steps);
        out->rate = tt_bench_spread_of(w.rates, o->steps);
    }
    close_workload(&w);
    return status;
}
