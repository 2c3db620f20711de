// What result.json, metrics.jsonl and predictions.jsonl consist of: numbers, accuracies, phases, options.
#include "host/base/json.h"
#include "host/reason/vote.h"
#include "host/report/runs/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

tt_status tt_report_check_numbers(const json_t *object, const char *const *keys, int n) {
    for (int i = 0; i < n; ++i) {
        const json_t *value = json_object_get(object, keys[i]);
        if (value && !json_is_number(value) && !json_is_null(value))
            return tt_fail(TT_ERR_INPUT, "\"%s\": expected a number, got %s", keys[i], tt_json_kind(value));
    }
    return TT_OK;
}

double tt_report_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

tt_report_score tt_report_score_read(const json_t *object) {
    tt_report_score s = {.accuracy = NAN, .low = NAN, .high = NAN, .unanswered = -1};
    const double accuracy = tt_report_number(object, "accuracy"), n = tt_report_number(object, "n");
    if (!(accuracy >= 0 && accuracy <= 1 && n >= 1 && n < 1e9)) return s;
    s.accuracy = accuracy;
    s.n = (int64_t)n;
    const double unanswered = tt_report_number(object, "unanswered");
    if (unanswered >= 0 && unanswered <= n) s.unanswered = (int64_t)unanswered;
    const json_t *ends = json_object_get(object, "ci95");
    if (json_is_number(json_array_get(ends, 0)) && json_is_number(json_array_get(ends, 1))) {
        s.low = json_number_value(json_array_get(ends, 0));
        s.high = json_number_value(json_array_get(ends, 1));
    } else {
        tt_wilson((int)lround(accuracy * n), (int)n, &s.low, &s.high);
    }
    return s;
}

int tt_report_phase_index(tt_report_run *run, const char *name) {
    for (int i = 0; i < run->n_phases; ++i)
        if (strcmp(run->phases[i].name, name) == 0) return i;
    if (run->n_phases == TT_REPORT_PHASES) return -1;
    tt_report_phase *p = &run->phases[run->n_phases];
    *p = (tt_report_phase){.best_validation = NAN, .tokens = NAN, .seconds = NAN};
    snprintf(p->name, sizeof p->name, "%s", name);
    p->preference = strncmp(name, "reflection", 10) == 0;
    p->test = p->best = tt_report_score_read(NULL);
    return run->n_phases++;
}

const tt_report_phase *tt_report_phase_of(const tt_report_run *run, const char *name) {
    for (int p = 0; p < run->n_phases; ++p)
        if (strcmp(run->phases[p].name, name) == 0) return &run->phases[p];
    return NULL;
}

bool tt_report_counts(const tt_report_run *run) {
    return run->state == TT_REPORT_FINISHED && !run->repeated;
}

int64_t tt_report_run_steps(const tt_report_run *run) {
    int64_t steps = 0;
    for (int p = 0; p < run->n_phases; ++p) steps += run->phases[p].last;
    return steps;
}

double tt_report_run_speed(const tt_report_run *run) {
    return run->tokens_per_second;
}

double tt_report_run_wall(const tt_report_run *run) {
    return run->wall_seconds;
}

const char *tt_report_score_word(tt_report_score_kind kind) {
    static const char *const words[] = {
#define WORD(word, split, how, heading) split "_" how,
        TT_REPORT_SCORE_MAP(WORD)
#undef WORD
    };
    return words[kind];
}

const char *tt_report_score_heading(tt_report_score_kind kind) {
    static const char *const headings[] = {
#define HEADING(word, split, how, heading) heading,
        TT_REPORT_SCORE_MAP(HEADING)
#undef HEADING
    };
    return headings[kind];
}

int tt_report_option_of(const json_t *letter) {
    const char *text = json_string_value(letter);
    return text && text[0] >= 'A' && text[0] < 'A' + TT_MAX_OPTIONS && !text[1] ? text[0] - 'A' : -1;
}
