#include "host/lab/result.h"

#include "host/base/fs.h"
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

static json_t *phase_json(const tt_phase_result *p, const char *score_name, double score) {
    return json_pack("{s:I, s:I, s:f, s:f, s:f}", "steps", (json_int_t)p->steps, "best_step",
        (json_int_t)p->best_step, score_name, score, "tokens", p->tokens, "seconds", p->seconds);
}

double tt_result_speed(const tt_result *r) {
    const double seconds = r->pretraining.seconds + r->acquisition.seconds;
    return seconds > 0 ? (r->pretraining.tokens + r->acquisition.tokens) / seconds : 0;
}

tt_status tt_result_write(const tt_result *r, const char *path) {
    json_t *root = json_pack("{s:s, s:s}", "name", r->name, "stages", r->stages);
    for (int s = 0; s < TT_SPLITS; ++s) {
        if (!r->scored[s]) continue;
        json_t *split = json_pack("{s:o}", "greedy", score_json(&r->greedy[s], 0));
        if (r->voted[s])
            json_object_set_new(split, "self_consistency", score_json(&r->self_consistency[s], r->samples));
        json_object_set_new(root, tt_split_name((tt_split)s), split);
    }
    if (r->pretrained)
        json_object_set_new(root, "pretraining",
            phase_json(&r->pretraining, "best_held_out_loss", -r->pretraining.best_score));
    if (r->acquired)
        json_object_set_new(
            root, "acquisition", phase_json(&r->acquisition, "best_validation", r->acquisition.best_score));
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
    fprintf(out, "  %-12s %-24s %6.1f %%   (%.1f to %.1f)  %7d  %10d\n", split, how, 100 * e->accuracy,
        100 * e->low, 100 * e->high, e->n, e->unanswered);
}

static void print_phase(FILE *out, const char *name, const tt_phase_result *p) {
    fprintf(out, "  %-12s %lld steps, best after %lld; %.1f million tokens in %.0f s\n", name,
        (long long)p->steps, (long long)p->best_step, p->tokens / 1e6, p->seconds);
}

void tt_result_print(const tt_result *r, FILE *out) {
    fprintf(out, "\n%s (stages: %s)\n", r->name, r->stages);
    if (r->pretrained) print_phase(out, "pretraining", &r->pretraining);
    if (r->acquired) print_phase(out, "acquisition", &r->acquisition);
    bool any = false;
    for (int s = 0; s < TT_SPLITS; ++s) any = any || r->scored[s];
    if (any)
        fprintf(out, "\n  %-12s %-24s %8s   %-14s  %7s  %10s\n", "split", "answers", "accuracy",
            "95 % interval", "questions", "unreadable");
    for (int s = 0; s < TT_SPLITS; ++s) {
        if (r->scored[s]) print_score(out, tt_split_name((tt_split)s), "greedy", &r->greedy[s]);
        char how[64];
        snprintf(how, sizeof how, "self-consistency of %d", r->samples);
        if (r->voted[s]) print_score(out, tt_split_name((tt_split)s), how, &r->self_consistency[s]);
    }
    fprintf(out, "\n  trained at %.0f tokens/s; wall time %.0f s\n", tt_result_speed(r), r->wall_seconds);
}
