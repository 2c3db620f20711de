// Reads a run directory: result, configuration, environment, its place in a sweep.
#include "host/report/runs/run.h"

#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/config/config.h"
#include "host/lab/config_lines.h"
#include "host/lab/sweep/notes.h"
#include "host/reason/vote.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Reads a JSON file of the run; *out is NULL if it is missing. Damage causes a warning and sets *damaged.
static tt_status read_json(const tt_report_run *run, const char *name, json_t **out, bool *damaged) {
    char path[TT_PATH_MAX];
    *out = NULL;
    TT_TRY(tt_path_join(path, sizeof path, run->path, name));
    if (!tt_file_exists(path)) return TT_OK;
    tt_status status = tt_json_read(out, path, 1 << 26);
    if (status == TT_OK && !json_is_object(*out))
        status = tt_fail(TT_ERR_INPUT, "%s:1: expected an object {...}, got a list", path);
    if (status != TT_ERR_INPUT) return status;
    tt_warn("%s; the file is ignored", tt_error_message());
    json_decref(*out);
    *out = NULL;
    *damaged = true;
    return TT_OK;
}

// Warns of values of result.json that should be numbers; they are left out.
static void check_numbers(const char *path, const json_t *object) {
    static const char *const keys[] = {"accuracy", "n", "unanswered", "steps", "best_step", "best_validation",
        "tokens", "seconds", "tokens_per_second", "wall_seconds", "parameters"};
    const char *key;
    json_t *value;
    size_t i;
    if (tt_report_check_numbers(object, keys, sizeof keys / sizeof *keys) != TT_OK)
        tt_warn("%s: %s; it is left out", path, tt_error_message());
    json_object_foreach((json_t *)object, key, value) check_numbers(path, value);
    json_array_foreach(object, i, value) check_numbers(path, value);
}

static void copy_text(char *out, const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    if (text) snprintf(out, TT_REPORT_NAME, "%s", text);
}

// Reads one member of "phases" (or, in results without them, the member with the phase's name).
static void read_phase(tt_report_run *run, const char *name, const json_t *object) {
    const int index = tt_report_phase_index(run, name);
    if (index < 0) return;
    tt_report_phase *p = &run->phases[index];
    const double steps = tt_report_number(object, "steps"), best = tt_report_number(object, "best_step");
    if (steps > (double)p->last && steps <= TT_REPORT_LAST_STEP) p->last = (int64_t)steps;
    if (best >= 0 && best <= TT_REPORT_LAST_STEP) p->best_step = (int64_t)best;
    p->skipped = json_is_true(json_object_get(object, "skipped"));
    p->kept_reference = json_is_true(json_object_get(object, "kept_reference"));
    p->best_validation = p->skipped ? NAN : tt_report_number(object, "best_validation");
    p->tokens = tt_report_number(object, "tokens");
    p->seconds = tt_report_number(object, "seconds");
    p->test = tt_report_score_read(json_object_get(object, "test"));
    p->pairs = json_object_get(object, "pairs");
}

static void read_phases(tt_report_run *run) {
    size_t i;
    const json_t *object;
    json_array_foreach(json_object_get(run->result, "phases"), i, object) {
        const char *name = json_string_value(json_object_get(object, "name"));
        if (name) read_phase(run, name, object);
    }
    static const char *const plain[] = {"pretraining", "acquisition"};
    if (json_array_size(json_object_get(run->result, "phases")) > 0) return;
    for (int p = 0; p < 2; ++p)
        if (json_is_object(object = json_object_get(run->result, plain[p])))
            read_phase(run, plain[p], object);
}

static void read_result(tt_report_run *run) {
    static const char *const places[][2] = {
#define PLACE(word, split, how, heading) {split, how},
        TT_REPORT_SCORE_MAP(PLACE)
#undef PLACE
    };
    char path[TT_PATH_MAX];
    if (tt_path_join(path, sizeof path, run->path, "result.json") == TT_OK) check_numbers(path, run->result);
    copy_text(run->name, run->result, "name");
    copy_text(run->stages, run->result, "stages");
    for (int k = 0; k < TT_REPORT_SCORES; ++k)
        run->scores[k] =
            tt_report_score_read(json_object_get(json_object_get(run->result, places[k][0]), places[k][1]));
    run->tokens_per_second = tt_report_number(run->result, "tokens_per_second");
    run->wall_seconds = tt_report_number(run->result, "wall_seconds");
    run->parameters = tt_report_number(run->result, "parameters");
    if (!isfinite(run->parameters)) run->parameters = tt_report_count_parameters(run);
}

// Finds the validation that selected the best checkpoint of each phase; without metrics, result.json has it.
static void close_phases(tt_report_run *run) {
    for (size_t i = 0; i < run->n_validations; ++i) {
        const tt_report_validation *v = &run->validations[i];
        if (v->best && v->score.n > 0) run->phases[v->phase].best = v->score;
        // Without validation questions, the best validation in result.json is a meaningless 0.
        if (v->score.n == 0) run->phases[v->phase].unvalidated = true;
    }
    for (int p = 0; p < run->n_phases; ++p) {
        tt_report_phase *phase = &run->phases[p];
        if (phase->best.n == 0 && !phase->unvalidated) phase->best.accuracy = phase->best_validation;
        if (isfinite(phase->best.accuracy)) run->scores[TT_REPORT_BEST] = phase->best;
    }
}

static void config_text(const tt_report_run *run, const char *key, char *out) {
    tt_config_line line;
    if (*out || !run->config || !tt_config_line_find(run->config, key, &line)) return;
    tt_config_line_text(&line, out, TT_REPORT_NAME);
}

// Adds the defaults of keys that the run's version did not know, so that it compares equal to runs of this
// version. A configuration with unknown keys is taken as it is.
static tt_status resolve_config(tt_report_run *run, const char *path) {
    tt_config config;
    tt_str yaml = {0};
    tt_status status = tt_config_load_written(&config, path);
    if (status != TT_OK) return tt_strdup(&run->resolved, run->config);
    status = tt_config_write(&config, &yaml);
    tt_config_close(&config);
    if (status == TT_OK) status = tt_strdup(&run->resolved, tt_str_text(&yaml));
    tt_str_close(&yaml);
    return status;
}

static tt_status read_config(tt_report_run *run) {
    char path[TT_PATH_MAX], seed[TT_REPORT_NAME] = "";
    size_t n;
    TT_TRY(tt_path_join(path, sizeof path, run->path, "config.yaml"));
    if (tt_file_exists(path)) {
        TT_TRY(tt_read_file(path, 1 << 22, &run->config, &n));
        TT_TRY(resolve_config(run, path));
    }
    config_text(run, "name", run->name);
    config_text(run, "stages", run->stages);
    config_text(run, "seed", seed);
    run->seed = *seed ? strtoll(seed, NULL, 10) : -1;
    const char *slash = strrchr(run->path, '/');
    if (!*run->name) snprintf(run->name, sizeof run->name, "%.120s", slash ? slash + 1 : run->path);
    return TT_OK;
}

static tt_status read_sweep(tt_report_run *run) {
    json_t *sweep;
    bool damaged = false;
    TT_TRY(read_json(run, "sweep.json", &sweep, &damaged));
    copy_text(run->sweep, sweep, "sweep");
    copy_text(run->variant, sweep, "variant");
    copy_text(run->variant_name, sweep, "variant_name");
    const json_t *seed = json_object_get(sweep, "seed");
    if (run->seed < 0 && json_is_integer(seed)) run->seed = json_integer_value(seed);
    json_decref(sweep);
    return TT_OK;
}

tt_status tt_report_run_read(tt_report_run *run, tt_report_names *stages) {
    bool damaged = false, elsewhere = false;
    TT_TRY(read_json(run, "result.json", &run->result, &damaged));
    TT_TRY(read_json(run, "environment.json", &run->environment, &elsewhere));
    run->state = run->result ? TT_REPORT_FINISHED : damaged ? TT_REPORT_DAMAGED : TT_REPORT_UNFINISHED;
    tt_sweep_failure failure;
    if (!run->result && tt_sweep_failure_read(run->path, &failure))
        snprintf(run->failure, sizeof run->failure, "%.511s", failure.reason);
    read_result(run);
    TT_TRY(read_config(run));
    TT_TRY(read_sweep(run));
    TT_TRY(tt_report_read_metrics(run, stages));
    read_phases(run);
    close_phases(run);
    return tt_report_read_predictions(run);
}

void tt_report_run_close(tt_report_run *run) {
    for (int kind = 0; kind < 2; ++kind)
        for (int i = 0; i < TT_REPORT_EXAMPLES; ++i) json_decref(run->answers.examples[kind][i]);
    for (int k = 0; k < TT_REPORT_BEST; ++k) tt_outcomes_close(&run->outcomes[k]);
    for (int p = 0; p < run->n_phases; ++p) tt_outcomes_close(&run->phases[p].outcomes);
    json_decref(run->result);
    json_decref(run->environment);
    free(run->config);
    free(run->resolved);
    free(run->steps);
    free(run->validations);
    *run = (tt_report_run){0};
}
