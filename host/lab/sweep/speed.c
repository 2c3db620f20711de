#include "host/lab/sweep/speed.h"

#include "host/base/checksum.h"
#include "host/base/json.h"
#include "host/lab/config_lines.h"
#include "host/lab/run_directory.h"
#include "host/lab/shared_phases.h"

#include <inttypes.h>
#include <jansson.h>
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
    char path[TT_PATH_MAX], precision[16] = "", *yaml;
    size_t n;
    tt_config_line line;
    if (!tt_run_directory_has(run, "config.yaml", path) || tt_read_file(path, 1 << 20, &yaml, &n) != TT_OK)
        return false;
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

// A phase that was taken from another run was measured there.
static bool take_phase(void *self, const char *phase, const char *identity, const tt_phase_found *found) {
    char model[TT_SPEED_MODEL], section[16];
    (void)identity;
    if (found->taken || !model_of_run(found->run, model)) return false;
    json_t *result = read_member_file(found->run, "result.json"),
           *environment = read_member_file(found->run, "environment.json");
    const char *device = json_string_value(json_object_get(environment, "device"));
    snprintf(section, sizeof section, "%.*s", (int)strcspn(phase, "_"), phase);
    tt_speed *entry = entry_of(self, model, section, device ? device : "an unknown device");
    if (entry) add_phase(entry, phase, json_object_get(result, "phases"));
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
        if (strcmp(entry->model, model) == 0 && strcmp(entry->section, section) == 0 &&
            (!best || entry->tokens > best->tokens))
            best = entry;
    }
    if (!best) return 0;
    best->used = true;
    return best->tokens / best->seconds;
}

void tt_speeds_tell(const tt_speeds *s, const char *root, tt_str *out) {
    if (s->given > 0) tt_str_format(out, "  %.0f tokens/s, as given\n", s->given);
    for (int i = 0; i < s->n; ++i)
        if (s->items[i].used)
            tt_str_format(out, "  %s: %.0f tokens/s, as measured by %d run%s below %s on %s\n",
                s->items[i].section, s->items[i].tokens / s->items[i].seconds, s->items[i].runs,
                s->items[i].runs == 1 ? "" : "s", root, s->items[i].device);
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
