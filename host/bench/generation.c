// Generation: many samples of each prompt, as in reflection, or a greedy text of each. A random model hardly ever ends a
// text, so that nearly all have the greatest length.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/bench/parts.h"
#include "host/model/checkpoint.h"
#include "host/reason/engine.h"

#include <stdlib.h>

enum { SAMPLES = 10 };

typedef struct workload {
    tt_checkpoint student; // its model, random or from a file
    tt_engine *engine;
    tt_prompt *prompts; // [n]
    int32_t *ids;       // [n, longest]
    int n;
    double *seconds, *rates, *flop_rates; // [steps]
    tt_batch texts;
    double source_tokens;
} workload;

static tt_status open_model(workload *w, tt_device *device, const tt_bench_options *o) {
    if (o->model) return tt_checkpoint_load(&w->student, o->model, device);
    tt_model_config config;
    TT_TRY(tt_bench_shape(&config, o->shape));
    TT_TRY(tt_model_open(&w->student.model, &config, device));
    return tt_model_init(w->student.model, TT_INIT_T5, o->seed);
}

static tt_status open_workload(workload *w, tt_device *device, const tt_bench_options *o) {
    static const int32_t samples[SAMPLES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    TT_TRY(open_model(w, device, o));
    TT_TRY(tt_engine_open(&w->engine, w->student.model, o->slots, o->new_tokens + 1));
    w->n = o->prompts;
    const size_t longest = o->source_length > 0 ? (size_t)o->source_length : TT_BENCH_SOURCE_MAX;
    TT_TRY(tt_alloc(&w->prompts, (size_t)w->n, sizeof *w->prompts, "prompts"));
    TT_TRY(tt_alloc(&w->ids, (size_t)w->n * longest, sizeof *w->ids, "prompts"));
    TT_TRY(tt_alloc(&w->seconds, (size_t)o->steps, sizeof *w->seconds, "times"));
    TT_TRY(tt_alloc(&w->rates, (size_t)o->steps, sizeof *w->rates, "times"));
    TT_TRY(tt_alloc(&w->flop_rates, (size_t)o->steps, sizeof *w->flop_rates, "times"));
    tt_rng rng;
    tt_rng_open(&rng, o->seed, TT_FOR_TEST, 2, 0);
    for (int i = 0; i < w->n; ++i) {
        int32_t *ids = w->ids + (size_t)i * longest;
        const int n = tt_bench_source_length(&rng, o);
        tt_bench_tokens(&rng, ids, n, w->student.model->config.vocab_size);
        w->prompts[i] = (tt_prompt){.ids = ids,
            .n = n,
            .example = (uint64_t)i,
            .samples = samples,
            .n_samples = o->greedy ? 1 : SAMPLES};
        w->source_tokens += n;
    }
    return TT_OK;
}

static void close_workload(workload *w) {
    tt_engine_close(w->engine);
    tt_checkpoint_close(&w->student);
    free(w->prompts);
    free(w->ids);
    free(w->seconds);
    free(w->rates);
    free(w->flop_rates);
    tt_batch_close(&w->texts);
}

// The texts of a step, as a batch that has them as targets; a text may end before its first token.
static tt_status keep_text(void *context, int prompt, int sample, const int32_t *ids, int n) {
    (void)sample;
    if (n == 0) return TT_OK;
    return tt_batch_add_target(context, &(tt_batch_target){.ids = ids, .n = n, .source = prompt});
}

static tt_status generate_step(workload *w, const tt_bench_options *o, int step) {
    const tt_decoding decoding = {.temperature = o->greedy ? 0 : 1,
        .top_p = o->greedy ? 1 : 0.95f,
        .max_length = o->new_tokens + 1,
        .min_length = o->greedy ? o->new_tokens + 1 : 0,
        .seed = o->seed + (uint64_t)step};
    tt_batch_clear(&w->texts);
    for (int i = 0; i < w->n; ++i)
        TT_TRY(tt_batch_add_source(&w->texts, w->prompts[i].ids, w->prompts[i].n, (uint32_t)i));
    return tt_engine_generate(w->engine, &(tt_generation){.prompts = w->prompts,
                                             .n = w->n,
                                             .decoding = &decoding,
                                             .take = keep_text,
                                             .context = &w->texts});
}

// Operations that the texts of a step need. What samples of a prompt have in common is computed once: `shared` tokens.
static tt_status count_operations(workload *w, double shared, double *out) {
    tt_batch prompts = {0};
    tt_status status = TT_OK;
    for (int i = 0; i < w->n && status == TT_OK; ++i)
        status = tt_batch_add_source(&prompts, w->prompts[i].ids, w->prompts[i].n, (uint32_t)i);
    if (status == TT_OK) {
        const double encoded = tt_model_flops(w->student.model, &prompts) / 3,
                     all = tt_model_flops(w->student.model, &w->texts) / 3;
        *out = encoded;
        if (w->texts.dec_tokens > 0)
            *out += (all - encoded) * (w->texts.dec_tokens - shared) / w->texts.dec_tokens;
    }
    tt_batch_close(&prompts);
    return status;
}

static tt_status measure_generation(workload *w, const tt_bench_options *o, tt_bench_generation *out) {
    double inside = 0, all = 0, forward;
    TT_TRY(generate_step(w, o, 0)); // warms up
    tt_timed_ops_take(out->kind_seconds);
    for (int i = 0; i < o->steps; ++i) {
        const int64_t shared = tt_engine_shared(w->engine);
        const double started = tt_seconds();
        TT_TRY(generate_step(w, o, i + 1));
        const double seconds = tt_seconds() - started;
        TT_TRY(count_operations(w, (double)(tt_engine_shared(w->engine) - shared), &forward));
        w->seconds[i] = seconds;
        w->rates[i] = w->texts.dec_tokens / seconds;
        w->flop_rates[i] = forward / seconds;
        out->new_tokens += (double)w->texts.dec_tokens / o->steps;
        out->flops += forward / o->steps;
        all += seconds / o->steps;
    }
    tt_timed_ops_take(out->kind_seconds);
    for (int k = 0; k < TT_OP_KINDS; ++k) inside += out->kind_seconds[k] /= o->steps;
    out->other_seconds = all - inside;
    return TT_OK;
}

tt_status tt_bench_generate(
    tt_bench_generation *out, tt_device *device, const tt_bench_options *o, double *peak) {
    workload w = {0};
    *out = (tt_bench_generation){
        .shape = o->shape, .prompts = o->prompts, .samples = o->greedy ? 1 : SAMPLES, .slots = o->slots};
    const bool timed = !tt_bench_apart(device);
    tt_status status;
    if (!o->peak_given) TT_TRY(tt_bench_peak(device, 3, peak));
    if (timed) tt_timed_ops_open(device);
    TT_TRY_GOTO(status, open_workload(&w, device, o), done);
    TT_TRY_GOTO(status, measure_generation(&w, o, out), done);
    if (!o->peak_given) TT_TRY_GOTO(status, tt_bench_peak(device, 3, peak), done);
    tt_bench_write_texts(o, &w.texts);
    out->peak = *peak;
    out->parameters = (int64_t)w.student.model->size;
    out->source_tokens = w.source_tokens;
    out->seconds = tt_bench_spread_of(w.seconds, o->steps);
    out->rate = tt_bench_spread_of(w.rates, o->steps);
    for (int i = 0; i < o->steps; ++i) w.flop_rates[i] /= *peak;
    out->share = tt_bench_spread_of(w.flop_rates, o->steps);
done:
    if (timed) tt_timed_ops_close(device);
    close_workload(&w);
    return status;
}
