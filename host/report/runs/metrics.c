// metrics.jsonl: lines about steps, and about validations.
#include "host/base/json.h"
#include "host/base/memory.h"
#include "host/report/runs/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Index of a stage's name, which is added if it is new; the last index stands for all names that are too
// many.
static int stage_index(tt_report_names *names, const char *name) {
    for (int i = 0; i < names->n; ++i)
        if (strcmp(names->items[i], name) == 0) return i;
    if (names->n == TT_REPORT_STAGES) return TT_REPORT_STAGES - 1;
    snprintf(names->items[names->n], sizeof names->items[0], "%s", name);
    return names->n++;
}

static tt_status add_step(tt_report_run *run, const json_t *object, tt_report_step step, const char *stage,
    tt_report_names *names) {
    static const char *const keys[] = {
#define KEY(word, key) key,
        TT_REPORT_METRIC_MAP(KEY)
#undef KEY
    };
    TT_TRY(tt_report_check_numbers(object, keys, TT_REPORT_METRICS));
    step.stage = stage_index(names, stage);
    for (int m = 0; m < TT_REPORT_METRICS; ++m) step.value[m] = tt_report_number(object, keys[m]);
    run->lost_losses += !isfinite(step.value[TT_REPORT_METRIC_LOSS]);
    if (isfinite(step.value[TT_REPORT_METRIC_CHOSEN])) run->phases[step.phase].preference = true;
    TT_TRY(tt_grow(&run->steps, &run->steps_capacity, run->n_steps + 1, sizeof step, "training steps"));
    run->steps[run->n_steps++] = step;
    return TT_OK;
}

static tt_status add_validation(
    tt_report_run *run, int64_t step, const json_t *object, int phase, tt_report_names *names) {
    const json_t *values = json_object_get(object, "validation");
    static const char *const keys[] = {"accuracy", "n", "unanswered", "loss"};
    TT_TRY(tt_report_check_numbers(values, keys, sizeof keys / sizeof *keys));
    tt_report_validation v = {.phase = phase,
        .step = step,
        .best = json_is_true(json_object_get(object, "best")),
        .score = tt_report_score_read(values)};
    for (int s = 0; s < TT_REPORT_STAGES; ++s) v.tokens[s] = v.unended[s] = NAN;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)values, key, value) {
        if (!json_is_object(value)) continue;
        const int stage = stage_index(names, key);
        v.tokens[stage] = tt_report_number(value, "mean_tokens");
        v.unended[stage] = tt_report_number(value, "unended");
    }
    TT_TRY(tt_grow(
        &run->validations, &run->validations_capacity, run->n_validations + 1, sizeof v, "validations"));
    run->validations[run->n_validations++] = v;
    return TT_OK;
}

static tt_status take_line(tt_report_run *run, const json_t *object, void *names) {
    const char *name = json_string_value(json_object_get(object, "phase"));
    const json_t *value = json_object_get(object, "step");
    int64_t step;
    if (!name || !value) return TT_OK; // a line about something else
    if (!tt_json_whole(value, &step) || step < 0 || (double)step > TT_REPORT_LAST_STEP)
        return tt_fail(TT_ERR_INPUT, "\"step\": expected a whole number from 0, got %s",
            json_is_number(value) ? "another number" : tt_json_kind(value));
    const int phase = tt_report_phase_index(run, name);
    if (phase < 0) return TT_OK;
    tt_report_phase *p = &run->phases[phase];
    if (step > p->last) p->last = step;
    const json_t *validation = json_object_get(object, "validation");
    if (json_is_object(validation)) return add_validation(run, step, object, phase, names);
    const char *stage = json_string_value(json_object_get(object, "stage"));
    if (!stage) return TT_OK;
    return add_step(run, object, (tt_report_step){.phase = phase, .step = step}, stage, names);
}

tt_status tt_report_read_metrics(tt_report_run *run, tt_report_names *stages) {
    const tt_report_lines lines = {.file = "metrics.jsonl", .take = take_line, .context = stages};
    return tt_report_read_lines(run, &lines);
}
