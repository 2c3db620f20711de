#include "host/lab/sweep/speed.h"

#include "host/base/checksum.h"
#include "host/base/json.h"
#include "host/base/number.h"
#include "host/lab/config_lines.h"
#include "host/lab/run_directory.h"
#include "host/lab/shared_phases.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tt_speed_model(const char *yaml, const char *precision, char out[TT_SPEED_MODEL]) {
    tt_checksum sum;
    tt_config_line line = {.rest = yaml};
    tt_checksum_open(&sum);
    tt_checksum_add(&sum, precision, strlen(precision));
    while (tt_config_line_next(&line)) {
        if (!tt_starts_with(line.key, "model.") || strcmp(line.key, "model.tokenizer") == 0) continue;
        tt_checksum_add(&sum, line.key, strlen(line.key) + 1);
        tt_checksum_add(&sum, line.value, (size_t)line.length);
    }
    snprintf(out, TT_SPEED_MODEL, "%016" PRIx64, tt_checksum_value(&sum));
}

// ---- what runs measured

static tt_speed *entry_of(tt_speeds *s, const char *model, const char *section, const char *device) {
    for (int i = 0; i < s->n; ++i)
        if (strcmp(s->items[i].model, model) == 0 && strcmp(s->items[i].section, section) == 0 &&
            strcmp(s->items[i].device, device) == 0)
            return &s->items[i];
    if (s->n == TT_MOST_SPEEDS) return NULL;
    tt_speed *entry = &s->items[s->n++];
    *entry = (tt_speed){0};
    snprintf(entry->model, sizeof entry->model, "%s", model);
    snprintf(entry->section, sizeof entry->section, "%s", section);
    snprintf(entry->device, sizeof entry->device, "%s", device);
    return entry;
}

static bool model_of_run(const char *run, char out[TT_SPEED_MODEL]) {
    char precision[16] = "", *yaml = tt_run_directory_config(run);
    tt_config_line line;
    if (!yaml) return false;
    if (tt_config_line_find(yaml, "precision", &line))
        tt_config_line_text(&line, precision, sizeof precision);
    tt_speed_model(yaml, precision, out);
    free(yaml);
    return true;
}

static json_t *read_member_file(const char *run, const char *name) {
    char path[TT_PATH_MAX];
    json_t *root = NULL;
    if (!tt_run_directory_has(run, name, path) || tt_json_read(&root, path, 1 << 24) != TT_OK) return NULL;
    return root;
}

static void add_phase(tt_speed *entry, const char *name, const json_t *phases) {
    for (size_t i = 0; i < json_array_size(phases); ++i) {
        const json_t *phase = json_array_get(phases, i);
        const char *which = json_string_value(json_object_get(phase, "name"));
        const double tokens = json_number_value(json_object_get(phase, "tokens")),
                     seconds = json_number_value(json_object_get(phase, "seconds"));
        if (!which || strcmp(which, name) != 0 || !(tokens > 0) || !(seconds > 0)) continue;
        entry->tokens += tokens;
        entry->seconds += seconds;
        // An iteration of reflection after the first is of a run that counts already.
        entry->runs += strncmp(name, "reflection", 10) != 0 || strcmp(name, "reflection_1") == 0;
    }
}

static void section_of(const char *phase, char out[16]) {
    snprintf(out, 16, "%.*s", (int)strcspn(phase, "_"), phase);
}

// Whether the run took the phase from another one.
static bool is_taken(const json_t *notes, const char *phase) {
    return json_object_get(json_object_get(notes, phase), "from") != NULL;
}

// The wall time of a run without its own training steps.
static double beside_of(const json_t *result, const json_t *notes) {
    const json_t *phases = json_object_get(result, "phases"), *wall = json_object_get(result, "wall_seconds");
    double rest = json_is_number(wall) ? json_number_value(wall) : NAN;
    for (size_t i = 0; i < json_array_size(phases); ++i) {
        const json_t *phase = json_array_get(phases, i);
        const char *name = json_string_value(json_object_get(phase, "name"));
        if (name && !is_taken(notes, name)) rest -= json_number_value(json_object_get(phase, "seconds"));
    }
    return rest >= 0 ? rest : NAN; // a resumed run has the wall time of its last part alone
}

double tt_speed_beside(const char *run) {
    json_t *result = read_member_file(run, "result.json"), *notes = read_member_file(run, "phases.json");
    const double beside = beside_of(result, notes);
    json_decref(result);
    json_decref(notes);
    return beside;
}

static bool is_last(const json_t *phases, const char *phase) {
    const size_t n = json_array_size(phases);
    const char *last = n ? json_string_value(json_object_get(json_array_get(phases, n - 1), "name")) : NULL;
    return last && strcmp(last, phase) == 0;
}

// A phase that was taken from another run was measured there.
static bool take_phase(void *self, const char *phase, const char *identity, const tt_phase_found *found) {
    char model[TT_SPEED_MODEL], section[16];
    (void)identity;
    if (!model_of_run(found->run, model)) return false;
    json_t *result = read_member_file(found->run, "result.json"),
           *environment = read_member_file(found->run, "environment.json");
    const json_t *phases = json_object_get(result, "phases");
    const char *device = json_string_value(json_object_get(environment, "device"));
    section_of(phase, section);
    tt_speed *entry = entry_of(self, model, section, device ? device : "an unknown device");
    if (entry && !found->taken) add_phase(entry, phase, phases);
    const double beside = entry && is_last(phases, phase) ? tt_speed_beside(found->run) : NAN;
    if (isfinite(beside)) {
        entry->beside += beside;
        entry->ended++;
    }
    json_decref(result);
    json_decref(environment);
    return false;
}

void tt_speeds_read(tt_speeds *out, const char *root) {
    tt_phases_walk(root, take_phase, out);
}

double tt_speeds_find(tt_speeds *s, const char *model, const char *section) {
    tt_speed *best = NULL;
    if (s->given > 0) return s->given;
    for (int i = 0; i < s->n; ++i) {
        tt_speed *entry = &s->items[i];
        if (strcmp(entry->model, model) == 0 && strcmp(entry->section, section) == 0 && entry->tokens > 0 &&
            (!best || entry->tokens > best->tokens))
            best = entry;
    }
    if (!best) return 0;
    best->used = true;
    return best->tokens / best->seconds;
}

void tt_speeds_tell(const tt_speeds *s, const char *root, tt_str *out) {
    if (s->given > 0) tt_str_format(out, "  %.0f tokens/s, as given\n", s->given);
    for (int i = 0; i < s->n; ++i) {
        const tt_speed *one = &s->items[i];
        char hours[32];
        if (!one->used) continue;
        tt_str_format(out, "  %s: %.0f tokens/s, as measured by %d run%s below %s on %s\n", one->section,
            one->tokens / one->seconds, one->runs, one->runs == 1 ? "" : "s", root, one->device);
        if (one->ended == 0) continue;
        tt_format(hours, sizeof hours, one->beside / one->ended < 36 ? "%.4f" : "%.2f",
            one->beside / one->ended / 3600);
        tt_str_format(out, "    beside training, a run that ends with it took %s hours (mean of %d)\n", hours,
            one->ended);
    }
}

tt_status tt_speed_of_run(const char *run, double *out) {
    char path[TT_PATH_MAX];
    json_t *root;
    TT_TRY(tt_path_join(path, sizeof path, run, "result.json"));
    TT_TRY(tt_json_read(&root, path, 1 << 24));
    *out = json_number_value(json_object_get(root, "tokens_per_second"));
    json_decref(root);
    if (*out > 0) return TT_OK;
    return tt_fail(TT_ERR_INPUT, "%s: no tokens_per_second; expected the result of a run that trained", path);
}
