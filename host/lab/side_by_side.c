#include "host/lab/side_by_side.h"

#include "host/base/fs.h"

#include <jansson.h>
#include <string.h>

// "81.3 % [78.8, 83.6]", or "-" where the run has no such score.
static void score_text(char *out, size_t size, const json_t *score) {
    double accuracy, low, high;
    if (score &&
        json_unpack((json_t *)score, "{s:F, s:[F, F]}", "accuracy", &accuracy, "ci95", &low, &high) == 0)
        snprintf(out, size, "%.1f %% [%.1f, %.1f]", 100 * accuracy, 100 * low, 100 * high);
    else
        snprintf(out, size, "-");
}

static const json_t *score_of(const json_t *root, const char *split, const char *how) {
    return json_object_get(json_object_get(root, split), how);
}

static tt_status read_result(const char *directory, json_t **root) {
    char path[TT_PATH_MAX];
    json_error_t error;
    TT_TRY(tt_path_join(path, sizeof path, directory, "result.json"));
    if (!tt_file_exists(path))
        return tt_fail(TT_ERR_IO,
            "%s: no result.json; has the run finished? `tinythinker run` goes on with it", directory);
    *root = json_load_file(path, 0, &error);
    return *root ? TT_OK : tt_fail(TT_ERR_FORMAT, "%s:%d: %s", path, error.line, error.text);
}

// The test split after acquisition, where reflection followed.
static const json_t *before_reflection(const json_t *root) {
    const json_t *phases = json_object_get(root, "phases");
    for (size_t i = 0; i + 1 < json_array_size(phases); ++i) {
        const json_t *phase = json_array_get(phases, i);
        const char *name = json_string_value(json_object_get(phase, "name"));
        if (name && strcmp(name, "acquisition") == 0) return json_object_get(phase, "test");
    }
    return NULL;
}

static void print_row(const json_t *root, FILE *out) {
    char before[48], test[48], voted[48], control[48];
    const json_t *phase = json_object_get(root, "acquisition");
    score_text(before, sizeof before, before_reflection(root));
    score_text(test, sizeof test, score_of(root, "test", "greedy"));
    score_text(voted, sizeof voted, score_of(root, "test", "self_consistency"));
    score_text(control, sizeof control, score_of(root, "control", "greedy"));
    const char *name = json_string_value(json_object_get(root, "name"));
    const char *stages = json_string_value(json_object_get(root, "stages"));
    fprintf(out, "%-24s %-14s %6lld  %-21s %-21s %-21s %-21s %8.0f %6.0f s\n", name ? name : "?",
        stages ? stages : "?", (long long)json_integer_value(json_object_get(phase, "steps")), before, test,
        voted, control, json_number_value(json_object_get(root, "tokens_per_second")),
        json_number_value(json_object_get(root, "wall_seconds")));
}

tt_status tt_side_by_side(const char *const *directories, int n, FILE *out) {
    fprintf(out, "%-24s %-14s %6s  %-21s %-21s %-21s %-21s %8s %8s\n", "run", "stages", "steps",
        "before reflection", "test, greedy", "test, self-consist.", "control, greedy", "tokens/s", "wall");
    for (int i = 0; i < n; ++i) {
        json_t *root;
        TT_TRY(read_result(directories[i], &root));
        print_row(root, out);
        json_decref(root);
    }
    fprintf(out, "accuracies with 95 %% intervals (Wilson)\n");
    return TT_OK;
}
