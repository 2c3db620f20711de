#include "host/lab/result.h"

#include "host/base/fs.h"
#include "host/base/number.h"
#include "host/base/str.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *score_json(const tt_evaluation *e, int samples) {
    json_t *score = json_pack("{s:f, s:i, s:[f, f], s:i}", "accuracy", e->accuracy, "n", e->n, "ci95", e->low,
        e->high, "unanswered", e->unanswered);
    if (samples > 0) json_object_set_new(score, "samples", json_integer(samples));
    return score;
}

bool tt_phase_kept_reference(const tt_phase_outcome *p) {
    return p->iteration > 0 && p->result.steps > 0 && p->result.best_step == 0;
}

static json_t *phase_json(const tt_phase_outcome *p) {
    const bool pretraining = strcmp(p->name, "pretraining") == 0;
    json_t *phase = json_pack("{s:I, s:I, s:f, s:f, s:f}", "steps", (json_int_t)p->result.steps, "best_step",
        (json_int_t)p->result.best_step, pretraining ? "best_held_out_loss" : "best_validation",
        pretraining ? -p->result.best_score : p->result.best_score, "tokens", p->result.tokens, "seconds",
        p->result.seconds);
    json_object_set_new(phase, "skipped_steps", json_integer(p->result.skipped));
    if (p->iteration)
        json_object_set_new(phase, "pairs",
            json_pack("{s:i, s:i, s:i, s:i}", "recall", p->recall_pairs, "analyze", p->analyze_pairs,
                "questions", p->questions, "without_pairs", p->without_pairs));
    if (p->iteration) json_object_set_new(phase, "skipped", json_boolean(p->result.steps == 0));
    if (p->iteration) json_object_set_new(phase, "kept_reference", json_boolean(tt_phase_kept_reference(p)));
    if (p->scored) json_object_set_new(phase, "test", score_json(&p->test, 0));
    return phase;
}

double tt_result_speed(const tt_result *r) {
    double tokens = 0, seconds = 0;
    for (int i = 0; i < r->n_phases; ++i) {
        tokens += r->phases[i].result.tokens;
        seconds += r->phases[i].result.seconds;
    }
    return seconds > 0 ? tokens / seconds : 0;
}

tt_status tt_result_write(const tt_result *r, const char *path) {
    json_t *root = json_pack("{s:s, s:s}", "name", r->name, "stages", r->stages);
    if (r->beams > 1) json_object_set_new(root, "beams", json_integer(r->beams));
    for (int s = 0; s < TT_SPLITS; ++s) {
        if (!r->scored[s]) continue;
        json_t *split = json_pack("{s:o}", "greedy", score_json(&r->greedy[s], 0));
        if (r->voted[s])
            json_object_set_new(split, "self_consistency", score_json(&r->self_consistency[s], r->samples));
        json_object_set_new(root, tt_split_name((tt_split)s), split);
    }
    json_t *phases = json_array();
    for (int i = 0; i < r->n_phases; ++i) {
        const tt_phase_outcome *p = &r->phases[i];
        if (!p->done) continue;
        if (!p->iteration) json_object_set_new(root, p->name, phase_json(p));
        json_t *phase = phase_json(p);
        json_object_set_new(phase, "name", json_string(p->name));
        json_array_append_new(phases, phase);
    }
    json_object_set_new(root, "phases", phases);
    json_object_set_new(root, "tokens_per_second", json_real(tt_result_speed(r)));
    json_object_set_new(root, "wall_seconds", json_real(r->wall_seconds));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "%s: no memory to write it", path);
    tt_status status = tt_write_file(path, text, strlen(text));
    free(text);
    return status;
}

static void print_score(FILE *out, const char *split, const char *how, const tt_evaluation *e) {
    tt_print(out, "  %-12s %-28s %6.1f %%   (%.1f to %.1f)  %7d  %10d\n", split, how, 100 * e->accuracy,
        100 * e->low, 100 * e->high, e->n, e->unanswered);
}

static void print_phase(FILE *out, const tt_phase_outcome *p) {
    if (p->iteration && p->result.steps == 0) {
        fprintf(out, "  %-12s skipped: no question had both right and wrong runs\n", p->name);
        return;
    }
    fprintf(out, "  %-12s %lld steps, ", p->name, (long long)p->result.steps);
    if (tt_phase_kept_reference(p))
        fputs("none better than the student it began with, which is kept", out);
    else
        fprintf(out, "best after %lld", (long long)p->result.best_step);
    tt_print(out, "; %.1f million tokens in %.0f s", p->result.tokens / 1e6, p->result.seconds);
    if (p->iteration)
        fprintf(out, "; %d + %d pairs of %d questions", p->recall_pairs, p->analyze_pairs, p->questions);
    if (p->result.skipped > 0)
        fprintf(out, "; %lld steps skipped, since their loss or gradient was not finite",
            (long long)p->result.skipped);
    fputc('\n', out);
}

void tt_result_print(const tt_result *r, FILE *out) {
    fprintf(out, "\n%s (stages: %s)\n", r->name, r->stages);
    bool any = false;
    char decoding[TT_DECODING_NAME];
    tt_decoding_name(decoding, r->beams);
    for (int i = 0; i < r->n_phases; ++i) {
        if (r->phases[i].done) print_phase(out, &r->phases[i]);
        any = any || r->phases[i].scored;
    }
    for (int s = 0; s < TT_SPLITS; ++s) any = any || r->scored[s];
    if (any)
        fprintf(out, "\n  %-12s %-28s %8s   %-14s  %7s  %10s\n", "split", "answers", "accuracy",
            "95 % interval", "questions", "unreadable");
    for (int i = 0; i + 1 < r->n_phases; ++i) { // the last one's are below
        char how[64];
        snprintf(how, sizeof how, "%s, after %s", decoding, r->phases[i].name);
        if (r->phases[i].scored) print_score(out, "test", how, &r->phases[i].test);
    }
    for (int s = 0; s < TT_SPLITS; ++s) {
        if (r->scored[s]) print_score(out, tt_split_name((tt_split)s), decoding, &r->greedy[s]);
        char how[64];
        snprintf(how, sizeof how, "self-consistency of %d", r->samples);
        if (r->voted[s]) print_score(out, tt_split_name((tt_split)s), how, &r->self_consistency[s]);
    }
    tt_print(out, "\n  trained at %.0f tokens/s; wall time %.0f s\n", tt_result_speed(r), r->wall_seconds);
}
