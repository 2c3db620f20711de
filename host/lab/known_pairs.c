#include "host/lab/known_pairs.h"

#include "host/base/fs.h"
#include "host/data/preferences.h"
#include "host/lab/config_lines.h"
#include "host/lab/run_directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Whether the run's key has the configuration's value.
static bool is_same(const char *yaml, const tt_config *config, const char *key) {
    tt_config_line line;
    tt_str value = {0};
    char text[64] = "";
    bool same = tt_config_line_find(yaml, key, &line) && tt_config_value(config, key, &value) == TT_OK;
    if (same) tt_config_line_text(&line, text, sizeof text);
    same = same && strcmp(text, tt_str_text(&value)) == 0;
    tt_str_close(&value);
    return same;
}

static bool is_of_kind(const char *run, const tt_config *config) {
    static const char *const keys[] = {"stages", "reflection.samples", "reflection.targets"};
    char *yaml = tt_run_directory_config(run);
    bool same = yaml != NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) same = same && is_same(yaml, config, keys[i]);
    free(yaml);
    return same;
}

static bool read_pairs(tt_known_pairs *out, const char *run, int iteration) {
    char name[48], path[TT_PATH_MAX];
    tt_preferences pairs = {0};
    snprintf(name, sizeof name, "reflection_%d/pairs.h5", iteration);
    const bool found = tt_path_join(path, sizeof path, run, name) == TT_OK && tt_file_exists(path) &&
                       tt_preferences_load(&pairs, path) == TT_OK && pairs.questions > 0;
    if (found)
        *out = (tt_known_pairs){.run = run,
            .recall = (double)tt_preferences_count(&pairs, TT_RECALL) / pairs.questions,
            .analyze = (double)tt_preferences_count(&pairs, TT_ANALYZE) / pairs.questions};
    tt_preferences_close(&pairs);
    return found;
}

tt_known_pairs tt_known_pairs_find(const tt_config *config, int iteration, const char *const *runs, int n) {
    tt_known_pairs out = {0};
    for (int k = iteration; k > 0; --k)
        for (int i = 0; i < n; ++i)
            if (runs[i] && is_of_kind(runs[i], config) && read_pairs(&out, runs[i], k)) return out;
    return out;
}
