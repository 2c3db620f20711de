#define _GNU_SOURCE
#include "host/lab/run_directory.h"

#include "host/config/config.h"
#include "host/lab/config_lines.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tt_status tt_run_directory_name(tt_run_directory *out, const tt_config *config) {
    TT_TRY(tt_path_join(out->path, sizeof out->path, config->output, config->name));
    TT_TRY(tt_path_join(out->config, TT_PATH_MAX, out->path, "config.yaml"));
    TT_TRY(tt_path_join(out->environment, TT_PATH_MAX, out->path, "environment.json"));
    TT_TRY(tt_path_join(out->corpus, TT_PATH_MAX, out->path, "corpus.h5"));
    TT_TRY(tt_path_join(out->metrics, TT_PATH_MAX, out->path, "metrics.jsonl"));
    TT_TRY(tt_path_join(out->predictions, TT_PATH_MAX, out->path, "predictions.jsonl"));
    TT_TRY(tt_path_join(out->result, TT_PATH_MAX, out->path, "result.json"));
    TT_TRY(tt_path_join(out->table, TT_PATH_MAX, out->path, "result.txt"));
    TT_TRY(tt_path_join(out->best, TT_PATH_MAX, out->path, "best.h5"));
    return tt_path_join(out->checkpoints, TT_PATH_MAX, out->path, "checkpoints");
}

tt_status tt_run_directory_checkpoint(const tt_run_directory *dir, const char *phase, bool best, char *out) {
    char name[128];
    snprintf(name, sizeof name, "%s%s.h5", phase, best ? "_best" : "");
    return tt_path_join(out, TT_PATH_MAX, dir->checkpoints, name);
}

tt_status tt_run_directory_predictions(const char *run, const char *phase, char *out) {
    char name[160];
    snprintf(name, sizeof name, "predictions_%s.jsonl", phase);
    return tt_path_join(out, TT_PATH_MAX, run, name);
}

// ---- configurations, compared key by key

static bool among(const char *key, const char *const *keys, int n) {
    for (int i = 0; i < n; ++i)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

// Keys that may differ between two starts of the same run: where it computes,
static bool is_place(const char *key) {
    static const char *const keys[] = {"device", "threads", "output", "log", "evaluation.slots"};
    return among(key, keys, sizeof keys / sizeof *keys);
}

// and what is scored at its end.
static bool is_scoring(const char *key) {
    static const char *const keys[] = {"evaluation.splits", "evaluation.questions", "evaluation.samples",
        "evaluation.temperature", "evaluation.top_k", "evaluation.top_p", "evaluation.min_length",
        "evaluation.repetition_penalty", "evaluation.beams", "evaluation.length_penalty",
        "evaluation.early_stopping"};
    return among(key, keys, sizeof keys / sizeof *keys);
}

// A run keeps the precision that it began with.
static bool is_auto_precision(const char *key, const tt_config_line *now) {
    static const char text[] = "\"auto\"";
    return strcmp(key, "precision") == 0 && now->length == (int)strlen(text) &&
           strncmp(now->value, text, strlen(text)) == 0;
}

tt_status tt_run_config_differences(const char *before, const char *now, tt_str *out, bool *rescore) {
    static const char unset[] = "(unset)";
    *rescore = false;
    for (int turn = 0; turn < 2; ++turn) { // keys of `now`; then those that only `before` has
        tt_config_line one = {.rest = turn == 0 ? now : before}, other;
        while (tt_config_line_next(&one)) {
            const bool known = tt_config_line_find(turn == 0 ? before : now, one.key, &other);
            if (!known)
                other = (tt_config_line){.value = unset, .length = (int)strlen(unset)};
            else if (turn == 1 ||
                     (one.length == other.length && memcmp(one.value, other.value, (size_t)one.length) == 0))
                continue;
            const tt_config_line *line_before = turn == 0 ? &other : &one,
                                 *line_now = turn == 0 ? &one : &other;
            if (is_place(one.key) || tt_config_removed(one.key) || is_auto_precision(one.key, line_now))
                continue;
            if (is_scoring(one.key))
                *rescore = true;
            else
                tt_str_format(out, "\n  %s: %.*s -> %.*s", one.key, line_before->length, line_before->value,
                    line_now->length, line_now->value);
        }
    }
    return tt_str_status(out);
}

// ---- the folder

// Removes the files of `path` that a run writes there: those whose names contain `mark`.
static tt_status remove_files(const char *path, const char *mark) {
    DIR *folder = opendir(path);
    if (!folder) return TT_OK;
    tt_status status = TT_OK;
    for (struct dirent *entry; status == TT_OK && (entry = readdir(folder));) {
        if (!strstr(entry->d_name, mark)) continue; // temporary files contain it, too
        if (unlinkat(dirfd(folder), entry->d_name, 0) != 0)
            status = tt_fail(TT_ERR_IO, "%s/%s: cannot remove: %s", path, entry->d_name, strerror(errno));
    }
    closedir(folder);
    return status;
}

static tt_status remove_reflections(const tt_run_directory *dir) {
    DIR *folder = opendir(dir->path);
    if (!folder) return TT_OK;
    tt_status status = TT_OK;
    for (struct dirent *entry; status == TT_OK && (entry = readdir(folder));) {
        char path[TT_PATH_MAX];
        int number;
        if (sscanf(entry->d_name, "reflection_%d", &number) != 1) continue;
        status = tt_path_join(path, sizeof path, dir->path, entry->d_name);
        if (status == TT_OK) status = remove_files(path, "pairs.h5");
        if (status == TT_OK) status = remove_files(path, "_runs.jsonl");
        if (status == TT_OK) rmdir(path); // fails if a person keeps something in it
    }
    closedir(folder);
    return status;
}

// Removes the files that a run writes and nothing else: the directory may contain a person's notes.
static tt_status remove_run(const tt_run_directory *dir) {
    const char *const files[] = {dir->config, dir->environment, dir->corpus, dir->metrics, dir->predictions,
        dir->result, dir->table, dir->best};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
        if (unlink(files[i]) != 0 && errno != ENOENT)
            return tt_fail(TT_ERR_IO, "%s: cannot remove: %s", files[i], strerror(errno));
    TT_TRY(remove_files(dir->checkpoints, ".h5"));
    TT_TRY(remove_files(dir->path, "predictions_acquisition.jsonl"));
    TT_TRY(remove_files(dir->path, "predictions_reflection_"));
    return remove_reflections(dir);
}

// Whether there is anything to resume: a run that failed at its first step leaves only a configuration, which
// may be corrected.
static bool has_progress(const tt_run_directory *dir) {
    bool any = tt_file_exists(dir->best) || tt_file_exists(dir->result);
    DIR *folder = opendir(dir->checkpoints);
    for (struct dirent *entry; folder && !any && (entry = readdir(folder));)
        any = tt_ends_with(entry->d_name, ".h5");
    if (folder) closedir(folder);
    return any;
}

tt_status tt_run_directory_kept(const tt_run_directory *dir, const char *key, char *out, size_t size) {
    char *text;
    size_t n;
    tt_config_line line;
    *out = '\0';
    if (!tt_file_exists(dir->config) || !has_progress(dir)) return TT_OK;
    TT_TRY(tt_read_file(dir->config, 1 << 20, &text, &n));
    if (tt_config_line_find(text, key, &line)) tt_config_line_text(&line, out, size);
    free(text);
    return TT_OK;
}

static tt_status compare_with_existing(const tt_run_directory *dir, const char *now) {
    char *before;
    size_t n;
    tt_str differences = {0};
    bool rescore;
    TT_TRY(tt_read_file(dir->config, 1 << 20, &before, &n));
    tt_status status = tt_run_config_differences(before, now, &differences, &rescore);
    if (status == TT_OK && differences.length > 0)
        status = tt_fail(TT_ERR_CONFIG,
            "%s contains a run with another configuration:%s\nGive this run another name (--set "
            "name=...), or start over with --fresh",
            dir->path, tt_str_text(&differences));
    // Other settings of the evaluation: the trained student is kept and scored again.
    if (status == TT_OK && rescore) {
        unlink(dir->result);
        status = tt_write_file(dir->config, now, strlen(now));
    }
    tt_str_close(&differences);
    free(before);
    return status;
}

tt_status tt_run_directory_prepare(const tt_run_directory *dir, const tt_config *config, bool fresh) {
    tt_str yaml = {0};
    tt_status status = tt_make_dirs(dir->checkpoints);
    if (status == TT_OK && (fresh || !has_progress(dir))) status = remove_run(dir);
    if (status == TT_OK) status = tt_config_write(config, &yaml);
    if (status == TT_OK)
        status = tt_file_exists(dir->config) ? compare_with_existing(dir, tt_str_text(&yaml))
                                             : tt_write_file(dir->config, tt_str_text(&yaml), yaml.length);
    if (status == TT_OK && (access(dir->path, W_OK) != 0 || access(dir->checkpoints, W_OK) != 0))
        status = tt_fail(TT_ERR_IO, "%s: cannot be written: %s", dir->path, strerror(errno));
    tt_str_close(&yaml);
    return status == TT_ERR_IO ? tt_context(status, "run directory") : status;
}
