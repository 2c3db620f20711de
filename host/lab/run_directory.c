#include "host/lab/run_directory.h"

#include "host/base/log.h"
#include "host/base/target.h"
#include "host/base/versions.h"
#include "host/config/config.h"
#include "host/lab/config_lines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// What stands in the directory itself. Starting over removes it in this order, and config.yaml last of all: what is left by
// a kill in between still belongs to that configuration.
enum { OF_THE_SWEEP = 0 }; // or of the lock: starting over leaves it
#define MEMBER(field) offsetof(tt_run_directory, field)
static const struct {
    const char *name;
    size_t path; // in tt_run_directory
} run_files[] = {
    {"phases.json", MEMBER(phases)}, // first: no other run takes what is being removed
    {"result.json", MEMBER(result)},
    {"best.h5", MEMBER(best)},
    {"result.txt", MEMBER(table)},
    {"predictions.jsonl", MEMBER(predictions)},
    {"metrics.jsonl", MEMBER(metrics)},
    {"corpus.h5", MEMBER(corpus)},
    {"tokens.h5", MEMBER(tokens)},
    {"environment.json", MEMBER(environment)},
    {"config.yaml", MEMBER(config)},
    {"lock", OF_THE_SWEEP},
    {"failed.txt", OF_THE_SWEEP},
    {"sweep.json", OF_THE_SWEEP},
    {"log.txt", OF_THE_SWEEP},
};
enum { FILES = sizeof run_files / sizeof *run_files };
_Static_assert(offsetof(tt_run_directory, path) == OF_THE_SWEEP, "no file's path has the offset 0");

tt_status tt_run_directory_name(tt_run_directory *out, const tt_config *config) {
    TT_TRY(tt_path_join(out->path, sizeof out->path, config->output, config->name));
    for (int i = 0; i < FILES; ++i)
        if (run_files[i].path != OF_THE_SWEEP)
            TT_TRY(tt_path_join((char *)out + run_files[i].path, TT_PATH_MAX, out->path, run_files[i].name));
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

// A run keeps the precision that it began with.
static bool is_auto_precision(const char *key, const tt_config_line *now) {
    static const char text[] = "\"auto\"";
    return strcmp(key, "precision") == 0 && now->length == (int)strlen(text) &&
           strncmp(now->value, text, strlen(text)) == 0;
}

// The key's line in a configuration, or, where an earlier version wrote it without the key, a line with its default
// (whose text `initial` owns). A key that this version does not know has no default either.
static tt_status line_or_default(const char *yaml, const char *key, tt_str *initial, tt_config_line *out) {
    if (tt_config_line_find(yaml, key, out)) return TT_OK;
    tt_str_clear(initial);
    TT_TRY(tt_config_default(key, initial));
    if (initial->length == 0) tt_str_append(initial, "(not set)");
    *out = (tt_config_line){.value = tt_str_text(initial), .length = (int)initial->length};
    return tt_str_status(initial);
}

// Whether a run of this configuration uses the key: those of a phase that it does not have say nothing.
static bool is_used(const char *yaml, const char *key) {
    static const struct {
        const char *section, *key, *off;
    } phases[] = {{"reflection.", "reflection.iterations", "0"},
        {"pretraining.", "pretraining.enabled", "false"}, {"acquisition.", "acquisition.enabled", "false"}};
    for (size_t i = 0; i < sizeof phases / sizeof *phases; ++i) {
        tt_config_line line;
        if (!tt_starts_with(key, phases[i].section) || strcmp(key, phases[i].key) == 0) continue;
        if (strcmp(key, "acquisition.max_input") == 0) return true; // limits prompts in every phase
        return !tt_config_line_find(yaml, phases[i].key, &line) ||
               line.length != (int)strlen(phases[i].off) ||
               strncmp(line.value, phases[i].off, (size_t)line.length) != 0;
    }
    return true;
}

// Notes how the key `line`, of one of the two texts, differs between them.
static tt_status note_difference(
    const char *before, const char *now, const tt_config_line *line, tt_str *out, bool *rescore) {
    tt_str before_default = {0}, now_default = {0};
    tt_config_line first, second;
    tt_status status = line_or_default(before, line->key, &before_default, &first);
    if (status == TT_OK) status = line_or_default(now, line->key, &now_default, &second);
    if (status == TT_OK && (is_used(before, line->key) || is_used(now, line->key)) &&
        (first.length != second.length || memcmp(first.value, second.value, (size_t)first.length) != 0) &&
        !is_auto_precision(line->key, &second)) {
        switch (tt_config_role_of(line->key)) {
        case TT_ROLE_PLACE:
            break;
        case TT_ROLE_SCORING:
            *rescore = true;
            break;
        case TT_ROLE_TRAINING:
        case TT_ROLE_RUN:
            tt_str_format(out, "\n  %s: %.*s -> %.*s", line->key, first.length, first.value, second.length,
                second.value);
        }
    }
    tt_str_close(&before_default);
    tt_str_close(&now_default);
    return status;
}

static bool is_same_line(const tt_config_line *a, const tt_config_line *b) {
    return strcmp(a->key, b->key) == 0 && a->length == b->length &&
           memcmp(a->value, b->value, (size_t)a->length) == 0;
}

tt_status tt_run_config_differences(const char *before, const char *now, tt_str *out, bool *rescore) {
    tt_config_line line = {.rest = now}, other = {.rest = before};
    bool parallel =
        true; // one version wrote both: the same keys in the same order, none of which is looked for
    *rescore = false;
    while (tt_config_line_next(&line)) {
        parallel = parallel && tt_config_line_next(&other) && strcmp(other.key, line.key) == 0;
        if (!parallel || !is_same_line(&line, &other))
            TT_TRY(note_difference(before, now, &line, out, rescore));
    }
    if (parallel && !tt_config_line_next(&other)) return tt_str_status(out);
    line = (tt_config_line){.rest = before};
    while (tt_config_line_next(&line)) // keys that only `before` has
        if (!tt_config_removed(line.key) && !tt_config_line_find(now, line.key, &other))
            TT_TRY(note_difference(before, now, &line, out, rescore));
    return tt_str_status(out);
}

// ---- the folder

// What follows a number without leading zeros; `text` itself where there is none.
static const char *skip_number(const char *text) {
    if (*text < '1' || *text > '9') return text;
    while (*text >= '0' && *text <= '9') ++text;
    return text;
}

// What follows the name of a phase; NULL where `text` does not begin with one.
static const char *skip_phase(const char *text) {
    static const char *const words[] = {"pretraining", "acquisition", "reflection_"};
    for (int i = 0; i < 3; ++i) {
        if (!tt_starts_with(text, words[i])) continue;
        const char *rest = text + strlen(words[i]);
        if (i < 2) return rest;
        return skip_number(rest) == rest ? NULL : skip_number(rest);
    }
    return NULL;
}

// Whether `text` is `end`, or `end` with what makes a temporary file of it: .tmp or .<process>.tmp.
static bool is_end(const char *text, const char *end) {
    if (!text || !tt_starts_with(text, end)) return false;
    text += strlen(end);
    if (*text == '\0' || strcmp(text, ".tmp") == 0) return true;
    if (*text != '.') return false;
    const char *rest = skip_number(text + 1);
    return rest > text + 1 && strcmp(rest, ".tmp") == 0;
}

// What follows ".3" or ".damaged" of an earlier version (host/base/versions.h), or `text` itself.
static const char *skip_version(const char *text) {
    static const char damaged[] = ".damaged";
    if (*text == '.' && skip_number(text + 1) > text + 1) text = skip_number(text + 1);
    return tt_starts_with(text, damaged) ? text + strlen(damaged) : text;
}

// Names of files that a run writes into its folders; a person may keep others beside them.
static bool is_checkpoint(const char *name) {
    const char *rest = skip_phase(name);
    return rest && (is_end(skip_version(rest), ".h5") || is_end(rest, "_best.h5"));
}

static bool is_prediction(const char *name) {
    static const char before[] = "predictions_";
    return tt_starts_with(name, before) && is_end(skip_phase(name + strlen(before)), ".jsonl");
}

static bool is_reflection_file(const char *name) {
    return is_end(name, "pairs.h5") || is_end(name, "recall_runs.jsonl") ||
           is_end(name, "analyze_runs.jsonl");
}

static bool is_file(const char *name) {
    for (int i = 0; i < FILES; ++i)
        if (is_end(name, run_files[i].name)) return true;
    return is_prediction(name);
}

// What processes that were killed left behind.
static bool is_temporary(const char *name) {
    return tt_ends_with(name, ".tmp") && (is_file(name) || is_checkpoint(name) || is_reflection_file(name));
}

// What starting over removes of the directory itself, but for config.yaml.
static bool is_removed(const char *name) {
    for (int i = 0; i < FILES; ++i)
        if (strcmp(name, run_files[i].name) == 0)
            return run_files[i].path != OF_THE_SWEEP && run_files[i].path != MEMBER(config);
    return is_prediction(name);
}

// Removes the regular files of a folder whose names the run writes.
static tt_status remove_files(const char *path, bool (*is_written)(const char *name)) {
    DIR *folder = opendir(path);
    if (!folder) return TT_OK;
    tt_status status = TT_OK;
    for (struct dirent *entry; status == TT_OK && (entry = readdir(folder));) {
        char file[TT_PATH_MAX];
        if (!is_written(entry->d_name)) continue;
        status = tt_path_join(file, sizeof file, path, entry->d_name);
        if (status == TT_OK && tt_file_exists(file) && unlink(file) != 0)
            status = tt_fail(TT_ERR_IO, "%s: cannot remove: %s", file, strerror(errno));
    }
    closedir(folder);
    return status;
}

// In the folders reflection_<k>, and these where they are empty then.
static tt_status remove_reflections(const tt_run_directory *dir, bool (*is_written)(const char *name)) {
    DIR *folder = opendir(dir->path);
    if (!folder) return TT_OK;
    tt_status status = TT_OK;
    for (struct dirent *entry; status == TT_OK && (entry = readdir(folder));) {
        char path[TT_PATH_MAX];
        const char *rest = skip_phase(entry->d_name);
        if (!rest || *rest || !tt_starts_with(entry->d_name, "reflection_")) continue;
        status = tt_path_join(path, sizeof path, dir->path, entry->d_name);
        if (status == TT_OK) status = remove_files(path, is_written);
        if (status == TT_OK) rmdir(path); // fails if a person keeps something in it
    }
    closedir(folder);
    return status;
}

static tt_status remove_file(const char *path) {
    if (unlink(path) == 0 || errno == ENOENT) return TT_OK;
    return tt_fail(TT_ERR_IO, "%s: cannot remove: %s", path, strerror(errno));
}

// Removes the files that a run writes and nothing else: the directory may contain a person's notes.
static tt_status remove_run(const tt_run_directory *dir) {
    for (int i = 0; i < 3; ++i)
        TT_TRY(remove_file((const char *)dir + run_files[i].path)); // no progress without
    TT_TRY(remove_files(dir->checkpoints, is_checkpoint));
    TT_TRY(remove_reflections(dir, is_reflection_file));
    TT_TRY(remove_files(dir->path, is_removed));
    for (int i = 0; i < FILES; ++i)
        if (run_files[i].path != OF_THE_SWEEP) TT_TRY(remove_file((const char *)dir + run_files[i].path));
    return TT_OK;
}

tt_status tt_run_directory_remove_phase(const tt_run_directory *dir, const char *phase) {
    char path[TT_PATH_MAX];
    const char *const result[] = {dir->result, dir->best, dir->table, dir->predictions};
    for (int i = 0; i < 4; ++i) TT_TRY(remove_file(result[i]));
    TT_TRY(tt_run_directory_predictions(dir->path, phase, path));
    TT_TRY(remove_file(path));
    TT_TRY(tt_run_directory_checkpoint(dir, phase, true, path));
    TT_TRY(remove_file(path));
    TT_TRY(tt_run_directory_checkpoint(dir, phase, false, path));
    TT_TRY(tt_versions_remove(path, 0));
    TT_TRY(remove_file(path));
    TT_TRY(tt_path_join(path, sizeof path, dir->path, phase));
    TT_TRY(remove_files(path, is_reflection_file));
    rmdir(path); // fails if there is none, or a person keeps something in it
    return TT_OK;
}

static tt_status remove_temporaries(const tt_run_directory *dir) {
    TT_TRY(remove_files(dir->path, is_temporary));
    TT_TRY(remove_files(dir->checkpoints, is_temporary));
    return remove_reflections(dir, is_temporary);
}

// Whether there is anything to resume: a run that failed at its first step leaves only a configuration, which
// may be corrected.
static bool has_file(const char *path, bool (*is_written)(const char *name)) {
    bool any = false;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && !any && (entry = readdir(folder));)
        any = is_written(entry->d_name) && !is_temporary(entry->d_name);
    if (folder) closedir(folder);
    return any;
}

// Texts of a reflection that no phase comes before.
static bool has_texts(const tt_run_directory *dir) {
    char path[TT_PATH_MAX];
    return tt_path_join(path, sizeof path, dir->path, "reflection_1") == TT_OK &&
           has_file(path, is_reflection_file);
}

static bool has_progress(const tt_run_directory *dir) {
    return tt_file_exists(dir->best) || tt_file_exists(dir->result) ||
           has_file(dir->checkpoints, is_checkpoint) || has_texts(dir);
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

static tt_status compare_with_existing(const tt_run_directory *dir, const char *now, bool *rescore) {
    char *before;
    size_t n;
    tt_str differences = {0};
    TT_TRY(tt_read_file(dir->config, 1 << 20, &before, &n));
    tt_status status = tt_run_config_differences(before, now, &differences, rescore);
    if (status == TT_OK && differences.length > 0)
        status = tt_fail(TT_ERR_CONFIG,
            "%s contains a run with another configuration:%s\nGive this run another name (--set "
            "name=...), or start over with --fresh",
            dir->path, tt_str_text(&differences));
    tt_str_close(&differences);
    free(before);
    return status;
}

bool tt_run_directory_has(const char *run, const char *name, char *path) {
    char own[TT_PATH_MAX];
    if (!path) path = own;
    return tt_path_join(path, TT_PATH_MAX, run, name) == TT_OK && tt_file_exists(path);
}

char *tt_run_directory_config(const char *run) {
    char path[TT_PATH_MAX], *yaml;
    size_t n;
    const bool read =
        tt_run_directory_has(run, "config.yaml", path) && tt_read_file(path, 1 << 20, &yaml, &n) == TT_OK;
    return read ? yaml : NULL;
}

static bool is_run(const char *folder) {
    return tt_run_directory_has(folder, "config.yaml", NULL) &&
           tt_run_directory_has(folder, "environment.json", NULL);
}

bool tt_run_directory_owns(const char *path) {
    char folder[TT_PATH_MAX], outer[TT_PATH_MAX];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (tt_path_dir(folder, sizeof folder, path) != TT_OK) return false;
    if (is_run(folder)) return is_file(name);
    if (!is_checkpoint(name) && !is_reflection_file(name)) return false;
    return tt_path_join(outer, sizeof outer, folder, "..") == TT_OK && is_run(outer);
}

// Whether the file lies in the folder, or in a folder in it.
static bool lies_below(const char *path, const char *folder) {
    char place[TT_PATH_MAX], outer[TT_PATH_MAX];
    struct stat wanted, st;
    if (stat(folder, &wanted) != 0 || tt_path_dir(place, sizeof place, path) != TT_OK ||
        tt_path_join(outer, sizeof outer, place, "..") != TT_OK)
        return false;
    return (stat(place, &st) == 0 && st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino) ||
           (stat(outer, &st) == 0 && st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino);
}

static tt_status check_input(const tt_run_directory *dir, const char *key, const char *path) {
    tt_target target;
    bool own = tt_file_exists(path) && tt_target_find(&target, path) == TT_OK &&
               tt_run_directory_owns(target.path) && lies_below(target.path, dir->path);
    for (int i = 0; i < FILES && !own; ++i)
        own = run_files[i].path != OF_THE_SWEEP && tt_file_exists(path) &&
              tt_target_same(path, (const char *)dir + run_files[i].path);
    if (!own) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "%s: %s is a file of the run directory, which starting would remove; give the run another "
        "name, or move the file",
        key, path);
}

// A file that the run reads must not be one that starting over removes.
static tt_status check_inputs(const tt_run_directory *dir, const tt_config *config) {
    const char *path, *key;
    for (int i = 0; (path = tt_config_input(config, i, &key)); ++i) TT_TRY(check_input(dir, key, path));
    return TT_OK;
}

// A config.yaml with nearly all keys was written by a run; a person writes a few.
static tt_status check_owner(const tt_run_directory *dir) {
    enum { KEYS_OF_A_RUN = 60 };
    char *text;
    size_t n;
    int keys = 0;
    if (!tt_file_exists(dir->config)) return TT_OK;
    TT_TRY(tt_read_file(dir->config, 1 << 20, &text, &n));
    tt_config_line line = {.rest = text};
    while (tt_config_line_next(&line)) ++keys;
    free(text);
    if (keys >= KEYS_OF_A_RUN) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "%s was not written by a run, and the run directory would replace it; give the run another name or "
        "output",
        dir->config);
}

static tt_status lock_note(const char *folder, char *out) {
    return tt_path_join(out, TT_PATH_MAX, folder, "lock");
}

// Opens the folder to be locked; its descriptor, or -1.
static int open_folder(const char *path, char *note) {
    return lock_note(path, note) == TT_OK ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

tt_status tt_run_directory_lock(const char *path, tt_lock *lock) {
    char note[TT_PATH_MAX];
    *lock = (tt_lock){.file = -1};
    const tt_status made = tt_make_dirs(path);
    if (made != TT_OK) return tt_context(made, "run directory");
    const int file = open_folder(path, note);
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (tt_lock_take(lock, file, note, path) == TT_OK) return TT_OK;
    const tt_status status = tt_fail(TT_ERR_BUSY,
        "%s: another process is running in this directory%s; wait for it to end, or give this run another "
        "name",
        path, lock->owner);
    tt_lock_release(lock);
    return status;
}

tt_status tt_run_directory_claim(const char *path, tt_lock *lock) {
    char note[TT_PATH_MAX];
    *lock = (tt_lock){.file = -1};
    TT_TRY(tt_make_dirs(path));
    const int file = open_folder(path, note);
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    const tt_status status = tt_lock_try(lock, file, note, path);
    if (status == TT_OK) return TT_OK;
    close(file);
    lock->file = -1;
    return status;
}

bool tt_run_directory_noted(const char *path) {
    char note[TT_PATH_MAX];
    return lock_note(path, note) == TT_OK && tt_lock_noted(path, note);
}

bool tt_run_directory_busy(const char *path, char *owner) {
    char note[TT_PATH_MAX];
    return lock_note(path, note) == TT_OK && tt_lock_held(path, note, owner);
}

tt_status tt_run_directory_rescored(const tt_run_directory *dir, const tt_config *config) {
    tt_str yaml = {0};
    tt_status status = tt_config_write(config, &yaml);
    if (status == TT_OK) status = tt_write_file(dir->config, tt_str_text(&yaml), yaml.length);
    tt_str_close(&yaml);
    return status;
}

tt_status tt_run_directory_prepare(
    const tt_run_directory *dir, const tt_config *config, bool fresh, bool *rescore) {
    tt_str yaml = {0};
    *rescore = false;
    tt_status status = tt_make_dirs(dir->checkpoints);
    if (status == TT_OK) status = remove_temporaries(dir);
    const bool anew = fresh || !has_progress(dir);
    if (status == TT_OK && !anew && !tt_file_exists(dir->config))
        status = tt_fail(TT_ERR_CONFIG,
            "%s: its checkpoints or results have no config.yaml, so that nobody knows what they were made "
            "by; put it back, give this run another name, or start over with --fresh",
            dir->path);
    if (status == TT_OK && anew) status = check_inputs(dir, config);
    if (status == TT_OK && anew) status = check_owner(dir);
    if (status == TT_OK && anew) status = remove_run(dir);
    if (status == TT_OK) status = tt_config_write(config, &yaml);
    if (status == TT_OK)
        status = tt_file_exists(dir->config) ? compare_with_existing(dir, tt_str_text(&yaml), rescore)
                                             : tt_write_file(dir->config, tt_str_text(&yaml), yaml.length);
    if (status == TT_OK && (access(dir->path, W_OK) != 0 || access(dir->checkpoints, W_OK) != 0))
        status = tt_fail(TT_ERR_IO, "%s: cannot be written: %s", dir->path, strerror(errno));
    tt_str_close(&yaml);
    return status == TT_ERR_IO ? tt_context(status, "run directory") : status;
}
