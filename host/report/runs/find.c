// Finds run directories below the given paths.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/report/runs/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 3 };

typedef struct found {
    tt_report_run *runs;
    char **real; // [n]: the runs' paths behind all links; NULL: not known
    size_t n, capacity, real_capacity;
    size_t met; // including those that were found before
} found;

static bool contains_entry(const char *dir, const char *name, bool folder) {
    char path[TT_PATH_MAX];
    if (tt_path_join(path, sizeof path, dir, name) != TT_OK) return false;
    return folder ? tt_dir_exists(path) : tt_file_exists(path);
}

// A run that has only started contains its configuration and an empty folder of checkpoints; one of a sweep that failed before
// that, the reason.
static bool is_run(const char *dir) {
    return contains_entry(dir, "result.json", false) || contains_entry(dir, "metrics.jsonl", false) ||
           (contains_entry(dir, "sweep.json", false) && contains_entry(dir, "failed.txt", false)) ||
           (contains_entry(dir, "config.yaml", false) && contains_entry(dir, "checkpoints", true));
}

static bool is_known(const found *all, const char *real) {
    for (size_t i = 0; i < all->n; ++i)
        if (all->real[i] && strcmp(real, all->real[i]) == 0) return true;
    return false;
}

static tt_status add_found(found *all, const char *path) {
    all->met++;
    char *real = realpath(path, NULL);
    tt_status status = TT_OK;
    if (real && is_known(all, real)) goto release;
    TT_TRY_GOTO(status,
        tt_grow(&all->runs, &all->capacity, all->n + 1, sizeof *all->runs, "runs of a report"), release);
    TT_TRY_GOTO(status,
        tt_grow(&all->real, &all->real_capacity, all->n + 1, sizeof *all->real, "runs of a report"), release);
    TT_TRY_GOTO(status, tt_path_join(all->runs[all->n].path, TT_PATH_MAX, "", path), release);
    all->real[all->n++] = real;
    return TT_OK;
release:
    free(real);
    return status;
}

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static tt_status search_folder(found *all, const char *path, int depth) {
    struct dirent **entries;
    if (is_run(path)) return add_found(all, path);
    if (depth == 0) return TT_OK;
    const int n = scandir(path, &entries, is_visible, versionsort);
    if (n < 0 && depth == DEPTH) return tt_fail(TT_ERR_IO, "%s: cannot be listed: %s", path, strerror(errno));
    if (n < 0) {
        tt_warn("%s: ignored, since it cannot be listed: %s", path, strerror(errno));
        return TT_OK;
    }
    tt_status status = TT_OK;
    for (int i = 0; i < n; ++i) {
        char below[TT_PATH_MAX];
        if (status == TT_OK) status = tt_path_join(below, sizeof below, path, entries[i]->d_name);
        if (status == TT_OK && tt_dir_exists(below)) status = search_folder(all, below, depth - 1);
        free(entries[i]);
    }
    free(entries);
    return status;
}

tt_status tt_report_find(const char *const *paths, int n, tt_report_run **out, size_t *n_runs) {
    found all = {0};
    tt_status status = TT_OK;
    *out = NULL;
    for (int i = 0; i < n && status == TT_OK; ++i) {
        char path[TT_PATH_MAX];
        status = tt_path_join(path, sizeof path, "", paths[i]);
        if (status != TT_OK) break;
        for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; --end) path[end - 1] = '\0';
        const size_t before = all.met;
        if (!tt_dir_exists(path))
            status = tt_fail(TT_ERR_IO,
                "%s: no such folder; expected a run directory, which `tinythinker run` writes, or a folder "
                "that contains some",
                path);
        if (status == TT_OK) status = search_folder(&all, path, DEPTH);
        if (status == TT_OK && all.met == before)
            status = tt_fail(TT_ERR_IO,
                "%s: no run directory in it or up to %d levels below it (looked for result.json, "
                "metrics.jsonl, failed.txt beside sweep.json, or config.yaml beside checkpoints/); "
                "`tinythinker run CONFIG` makes one",
                path, DEPTH);
    }
    for (size_t i = 0; i < all.n; ++i) free(all.real[i]);
    free(all.real);
    if (status != TT_OK) {
        free(all.runs);
        return status;
    }
    *out = all.runs;
    *n_runs = all.n;
    return TT_OK;
}
