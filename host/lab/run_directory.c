#define _GNU_SOURCE
#include "host/lab/run_directory.h"

#include "host/base/memory.h"

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
    TT_TRY(tt_path_join(out->best, TT_PATH_MAX, out->path, "best.h5"));
    return tt_path_join(out->checkpoints, TT_PATH_MAX, out->path, "checkpoints");
}

tt_status tt_run_directory_checkpoint(const tt_run_directory *dir, const char *phase, bool best, char *out) {
    char name[128];
    snprintf(name, sizeof name, "%s%s.h5", phase, best ? "_best" : "");
    return tt_path_join(out, TT_PATH_MAX, dir->checkpoints, name);
}

// ---- configurations, compared key by key

// Keys that may differ between two starts of the same run.
static bool may_differ(const char *key) {
    static const char *const allowed[] = {"device", "threads", "output", "evaluation.splits",
        "evaluation.samples", "evaluation.temperature", "evaluation.top_k", "evaluation.top_p",
        "evaluation.slots"};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; ++i)
        if (strcmp(key, allowed[i]) == 0) return true;
    return false;
}

enum { MAX_KEYS = 256, MAX_DEPTH = 8 };

// A resolved configuration as flat keys: "a.b" and the text of its value (items of a list joined).
typedef struct flat {
    char *keys[MAX_KEYS], *values[MAX_KEYS];
    int n;
    tt_arena memory;
} flat;

static tt_status flat_add(flat *f, char *const *parents, int depth, const char *value) {
    tt_str key = {0};
    for (int i = 0; i <= depth; ++i) tt_str_format(&key, "%s%s", i ? "." : "", parents[i]);
    tt_status status = tt_str_status(&key);
    if (status == TT_OK && f->n == MAX_KEYS) status = tt_fail(TT_ERR_INTERNAL, "more than %d keys", MAX_KEYS);
    if (status == TT_OK) {
        f->keys[f->n] = tt_arena_strdup(&f->memory, tt_str_text(&key));
        f->values[f->n] = tt_arena_strdup(&f->memory, value);
        if (!f->keys[f->n] || !f->values[f->n])
            status = TT_ERR_NOMEM;
        else
            f->n++;
    }
    tt_str_close(&key);
    return status;
}

static tt_status flat_item(flat *f, const char *item) {
    char **last = &f->values[f->n - 1];
    tt_str joined = {0};
    tt_str_format(&joined, "%s%s%s", *last, **last ? ", " : "", item);
    tt_status status = tt_str_status(&joined);
    if (status == TT_OK && !(*last = tt_arena_strdup(&f->memory, tt_str_text(&joined))))
        status = TT_ERR_NOMEM;
    tt_str_close(&joined);
    return status;
}

// The writer's YAML alone is read here: one "key: value" a line, nesting by indentation, lists in brackets or
// as lines of "- item".
static tt_status flat_read(flat *f, const char *yaml) {
    char *copy = tt_arena_strdup(&f->memory, yaml), *rest = NULL;
    char *parents[MAX_DEPTH];
    int indents[MAX_DEPTH], depth = -1;
    if (!copy) return TT_ERR_NOMEM;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const int indent = (int)strspn(line, " ");
        char *at = line + indent, *colon = strstr(at, ":");
        if (*at == '#' || *at == '\0' || strcmp(at, "---") == 0) continue;
        if (at[0] == '-' && f->n > 0) {
            TT_TRY(flat_item(f, at + 1 + strspn(at + 1, " ")));
            continue;
        }
        if (!colon) continue;
        *colon = '\0';
        const char *value = colon + 1 + strspn(colon + 1, " ");
        while (depth >= 0 && indents[depth] >= indent) --depth;
        if (++depth == MAX_DEPTH) return tt_fail(TT_ERR_INTERNAL, "configuration nested too deeply");
        parents[depth] = at;
        indents[depth] = indent;
        TT_TRY(flat_add(f, parents, depth, value));
    }
    return TT_OK;
}

static const char *flat_find(const flat *f, const char *key) {
    for (int i = 0; i < f->n; ++i)
        if (strcmp(f->keys[i], key) == 0) return f->values[i];
    return NULL;
}

static void note_difference(
    const char *key, const char *before, const char *now, tt_str *out, bool *harmless) {
    if (before && now && strcmp(before, now) == 0) return;
    if (may_differ(key))
        *harmless = true;
    else
        tt_str_format(out, "\n  %s: %s -> %s", key, before ? before : "(unset)", now ? now : "(unset)");
}

tt_status tt_run_config_differences(const char *before, const char *now, tt_str *out, bool *harmless) {
    static const flat empty;
    flat a = empty, b = empty;
    *harmless = false;
    tt_status status = flat_read(&a, before);
    if (status == TT_OK) status = flat_read(&b, now);
    for (int i = 0; i < b.n && status == TT_OK; ++i)
        note_difference(b.keys[i], flat_find(&a, b.keys[i]), b.values[i], out, harmless);
    for (int i = 0; i < a.n && status == TT_OK; ++i)
        if (!flat_find(&b, a.keys[i])) note_difference(a.keys[i], a.values[i], NULL, out, harmless);
    tt_arena_close(&a.memory);
    tt_arena_close(&b.memory);
    return status == TT_OK ? tt_str_status(out) : status;
}

// ---- the folder

// Removes what a run writes and nothing else: the folder may hold a person's notes.
static tt_status remove_run(const tt_run_directory *dir) {
    const char *const files[] = {
        dir->config, dir->environment, dir->corpus, dir->metrics, dir->predictions, dir->result, dir->best};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
        if (unlink(files[i]) != 0 && errno != ENOENT)
            return tt_fail(TT_ERR_IO, "%s: cannot remove: %s", files[i], strerror(errno));
    DIR *folder = opendir(dir->checkpoints);
    if (!folder) return TT_OK;
    tt_status status = TT_OK;
    for (struct dirent *entry; status == TT_OK && (entry = readdir(folder));) {
        if (!strstr(entry->d_name, ".h5")) continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) != 0)
            status = tt_fail(
                TT_ERR_IO, "%s/%s: cannot remove: %s", dir->checkpoints, entry->d_name, strerror(errno));
    }
    closedir(folder);
    return status;
}

static tt_status compare_with_existing(const tt_run_directory *dir, const char *now) {
    char *before;
    size_t n;
    tt_str differences = {0};
    bool harmless;
    TT_TRY(tt_read_file(dir->config, 1 << 20, &before, &n));
    tt_status status = tt_run_config_differences(before, now, &differences, &harmless);
    if (status == TT_OK && differences.length > 0)
        status = tt_fail(TT_ERR_CONFIG,
            "%s holds a run of another configuration:%s\nGive this one another name (--set "
            "name=...), or start it over with --fresh",
            dir->path, tt_str_text(&differences));
    // Other ways to evaluate: what was trained stands, the result is made again.
    if (status == TT_OK && harmless) {
        unlink(dir->result);
        status = tt_write_file(dir->config, now, strlen(now));
    }
    tt_str_close(&differences);
    free(before);
    return status;
}

tt_status tt_run_directory_prepare(
    const tt_run_directory *dir, const tt_config *config, bool fresh, bool *started) {
    tt_str yaml = {0};
    tt_status status = tt_make_dirs(dir->checkpoints);
    if (status == TT_OK && fresh) status = remove_run(dir);
    if (status == TT_OK) status = tt_config_write(config, &yaml);
    *started = tt_file_exists(dir->config);
    if (status == TT_OK)
        status = *started ? compare_with_existing(dir, tt_str_text(&yaml))
                          : tt_write_file(dir->config, tt_str_text(&yaml), yaml.length);
    if (status == TT_OK && (access(dir->path, W_OK) != 0 || access(dir->checkpoints, W_OK) != 0))
        status = tt_fail(TT_ERR_IO, "%s: cannot be written: %s", dir->path, strerror(errno));
    tt_str_close(&yaml);
    return status == TT_ERR_IO ? tt_context(status, "run directory") : status;
}
