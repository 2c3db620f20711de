#include "host/lab/sweep/fresh.h"

#include "host/base/json.h"
#include "host/base/lock.h"
#include "host/base/log.h"
#include "host/lab/run_directory.h"
#include "host/lab/shared_phases.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof((tt_sweep *)0)->generation == TT_PHASE_GENERATION, "one kind of name");

tt_status tt_sweep_fresh_path(const tt_sweep *sweep, char out[TT_PATH_MAX]) {
    char folder[TT_PATH_MAX];
    TT_TRY(tt_path_join(folder, sizeof folder, sweep->output, sweep->name));
    return tt_path_join(out, TT_PATH_MAX, folder, "fresh.json");
}

static bool lists(const json_t *names, const char *name) {
    const json_t *entry;
    size_t k;
    json_array_foreach(names, k, entry) if (strcmp(json_string_value(entry), name) == 0) return true;
    return false;
}

static bool is_valid(const json_t *root) {
    const json_t *id = json_object_get(root, "generation"), *from = json_object_get(root, "from"),
                 *names = json_object_get(root, "runs"), *entry;
    size_t k;
    bool good = json_is_string(id) && json_string_length(id) > 0 &&
                json_string_length(id) < TT_SWEEP_GENERATION && json_is_string(from) &&
                json_string_length(from) < sizeof((tt_sweep *)0)->over_from && json_is_array(names);
    json_array_foreach(names, k, entry) good = good && json_is_string(entry);
    return good;
}

static tt_status read_file(json_t **root, const char *path) {
    TT_TRY(tt_json_read(root, path, 1 << 24));
    if (is_valid(*root)) return TT_OK;
    json_decref(*root);
    return tt_fail(TT_ERR_FORMAT,
        "%s: does not say which runs start over; remove it, and begin with --fresh once more", path);
}

tt_status tt_sweep_fresh_read(tt_sweep *sweep) {
    char path[TT_PATH_MAX];
    json_t *root;
    *sweep->generation = *sweep->over_from = '\0';
    for (int i = 0; i < sweep->n; ++i) sweep->runs[i].over = false;
    TT_TRY(tt_sweep_fresh_path(sweep, path));
    if (!tt_file_exists(path)) return TT_OK;
    TT_TRY(read_file(&root, path));
    snprintf(sweep->generation, sizeof sweep->generation, "%s",
        json_string_value(json_object_get(root, "generation")));
    snprintf(
        sweep->over_from, sizeof sweep->over_from, "%s", json_string_value(json_object_get(root, "from")));
    for (int i = 0; i < sweep->n; ++i)
        sweep->runs[i].over = lists(json_object_get(root, "runs"), sweep->runs[i].name);
    json_decref(root);
    return TT_OK;
}

static tt_status write_one(const tt_sweep *sweep) {
    char path[TT_PATH_MAX];
    json_t *names = json_array();
    for (int i = 0; i < sweep->n; ++i)
        if (sweep->runs[i].over) json_array_append_new(names, json_string(sweep->runs[i].name));
    json_t *root = json_pack(
        "{s:s, s:s, s:o}", "generation", sweep->generation, "from", sweep->over_from, "runs", names);
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "%s: no memory to start over", sweep->name);
    tt_status status = tt_sweep_fresh_path(sweep, path);
    if (status == TT_OK) status = tt_write_file(path, text, strlen(text));
    free(text);
    return status;
}

static bool has_phase(const tt_config *config, const char *phase) {
    char name[TT_PHASE_NAME];
    int iteration;
    for (int i = 0; tt_phase_at(config, i, name, &iteration); ++i)
        if (strcmp(name, phase) == 0) return true;
    return false;
}

// Which runs are to start over: all, or number `only`; with `from`, those that have the phase. Errors: TT_ERR_USAGE where
// no run has it.
static tt_status choose_runs(const tt_sweeps *sweeps, int only, const char *from, bool *chosen) {
    bool any = false;
    for (int i = 0; i < sweeps->n; ++i) {
        const tt_sweep_run *run = sweeps->runs[i];
        tt_config config;
        chosen[i] = only < 0 || run->number == only;
        if (!from) continue;
        TT_TRY(tt_config_load(&config, run->sweep->base, run->overrides, run->n));
        const bool has = has_phase(&config, from);
        tt_config_close(&config);
        chosen[i] = chosen[i] && has;
        any = any || has;
    }
    if (any || !from) return TT_OK;
    return tt_fail(TT_ERR_USAGE, "sweep: --fresh-from %s: no run has a phase of this name", from);
}

// That of a sweep which is starting over, so that all share phases, or a new one.
static void choose_generation(const tt_sweeps *sweeps, char out[TT_SWEEP_GENERATION]) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(out, TT_SWEEP_GENERATION, "%08llx%08lx%05x", (unsigned long long)now.tv_sec & 0xffffffff,
        (unsigned long)now.tv_nsec, (unsigned)getpid() & 0xfffff);
    for (int i = sweeps->n_items - 1; i >= 0; --i)
        if (*sweeps->items[i].generation) memcpy(out, sweeps->items[i].generation, TT_SWEEP_GENERATION);
}

static tt_status check_from(const tt_sweep *sweep, const char *from) {
    char path[TT_PATH_MAX];
    if (!*sweep->generation || strcmp(sweep->over_from, from) == 0) return TT_OK;
    TT_TRY(tt_sweep_fresh_path(sweep, path));
    return tt_fail(TT_ERR_USAGE,
        "sweep: %s is starting over from %s and that is not finished; run it to its end first, or remove "
        "%s to "
        "leave the other runs as they are",
        sweep->name, *sweep->over_from ? sweep->over_from : "the beginning", path);
}

// Joins what others began meanwhile, and adds the chosen runs to it; `write`: with the lock, notes what is new.
static tt_status add_runs(tt_sweeps *sweeps, const bool *chosen, const char *from, bool write) {
    char generation[TT_SWEEP_GENERATION];
    for (int i = 0; i < sweeps->n_items; ++i) TT_TRY(tt_sweep_fresh_read(&sweeps->items[i]));
    for (int i = 0; i < sweeps->n_items; ++i) TT_TRY(check_from(&sweeps->items[i], from));
    choose_generation(sweeps, generation);
    for (int i = 0, k = 0; i < sweeps->n_items; ++i) {
        tt_sweep *sweep = &sweeps->items[i];
        bool changed = false;
        for (int r = 0; r < sweep->n; ++r, ++k) {
            if (!chosen[k] || sweep->runs[r].over) continue;
            sweep->runs[r].over = true;
            changed = true;
        }
        if (!changed) continue;
        if (!*sweep->generation) memcpy(sweep->generation, generation, sizeof generation);
        snprintf(sweep->over_from, sizeof sweep->over_from, "%s", from);
        if (write) TT_TRY(write_one(sweep));
    }
    return TT_OK;
}

// Locks the output's folder: sweeps that begin together are one start-over of one generation.
tt_status tt_sweep_fresh_lock(const char *output, tt_lock *lock) {
    char note[TT_PATH_MAX];
    TT_TRY(tt_make_dirs(output));
    TT_TRY(tt_path_join(note, sizeof note, output, ".starting-over"));
    const int file = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", output, strerror(errno));
    const tt_status status = tt_lock_take(lock, file, note, output);
    if (status != TT_OK) close(file);
    return status;
}

// Says of the only run that it need not be started over once more, where that is so.
static void tell_begun(const tt_sweeps *sweeps, int only) {
    char path[TT_PATH_MAX];
    for (int i = 0; i < sweeps->n; ++i) {
        const tt_sweep_run *run = sweeps->runs[i];
        if (run->number != only || !run->over || tt_sweep_fresh_waits(run)) continue;
        if (tt_sweep_fresh_path(run->sweep, path) == TT_OK)
            tt_info("%s: run %d has already started over: it goes on, or stays if it is finished; to begin "
                    "it once more, remove %s first",
                run->sweep->name, only, path);
    }
}

static tt_status start_over(tt_sweeps *sweeps, int only, const char *from, bool write) {
    bool *chosen;
    tt_lock lock = {.file = -1};
    TT_TRY(tt_alloc(&chosen, (size_t)sweeps->n, sizeof *chosen, "runs"));
    tt_status status = choose_runs(sweeps, only, from, chosen);
    if (status == TT_OK && write) status = tt_sweep_fresh_lock(sweeps->output, &lock);
    if (status == TT_OK) status = add_runs(sweeps, chosen, from ? from : "", write);
    tt_lock_release(&lock);
    if (status == TT_OK && only >= 0) tell_begun(sweeps, only);
    free(chosen);
    return status;
}

tt_status tt_sweep_fresh_check(const tt_sweeps *sweeps, int only, const char *from) {
    bool *chosen;
    TT_TRY(tt_alloc(&chosen, (size_t)sweeps->n, sizeof *chosen, "runs"));
    tt_status status = choose_runs(sweeps, only, from, chosen);
    free(chosen);
    for (int i = 0; i < sweeps->n_items && status == TT_OK; ++i)
        status = check_from(&sweeps->items[i], from ? from : "");
    return status;
}

tt_status tt_sweep_fresh_begin(tt_sweeps *sweeps, int only, const char *from) {
    return start_over(sweeps, only, from, true);
}

tt_status tt_sweep_fresh_pretend(tt_sweeps *sweeps, int only, const char *from) {
    return start_over(sweeps, only, from, false);
}

void tt_sweep_fresh_text(const tt_sweep *sweep, char *out, size_t size) {
    snprintf(out, size, "%s:%s", sweep->generation, sweep->over_from);
}

void tt_sweep_fresh_join(tt_sweep *sweep, int number, const char *text) {
    const char *colon = strchr(text, ':');
    const int n = colon ? (int)(colon - text) : (int)strlen(text);
    snprintf(sweep->generation, sizeof sweep->generation, "%.*s", n, text);
    snprintf(sweep->over_from, sizeof sweep->over_from, "%s", colon ? colon + 1 : "");
    for (int i = 0; i < sweep->n; ++i)
        if (sweep->runs[i].number == number) sweep->runs[i].over = true;
}

tt_status tt_sweep_fresh_share(tt_sweeps *sweeps, tt_comm *comm) {
    for (int i = 0; i < sweeps->n_items; ++i) {
        tt_sweep *sweep = &sweeps->items[i];
        bool *over;
        TT_TRY(tt_alloc(&over, (size_t)sweep->n, sizeof *over, "runs"));
        for (int r = 0; r < sweep->n; ++r) over[r] = sweep->runs[r].over;
        tt_status status = tt_comm_broadcast(comm, over, (size_t)sweep->n * sizeof *over, 0);
        if (status == TT_OK) status = tt_comm_broadcast(comm, sweep->generation, sizeof sweep->generation, 0);
        if (status == TT_OK) status = tt_comm_broadcast(comm, sweep->over_from, sizeof sweep->over_from, 0);
        for (int r = 0; r < sweep->n; ++r) sweep->runs[r].over = over[r];
        free(over);
        TT_TRY(status);
    }
    return TT_OK;
}

bool tt_sweep_fresh_waits(const tt_sweep_run *run) {
    char generation[TT_PHASE_GENERATION];
    if (!run->over) return false;
    tt_phase_generation(run->path, generation);
    return strcmp(generation, run->sweep->generation) != 0;
}

// Whether the file lists the run, and names another generation than the run's directory.
static tt_status is_listed(const char *file, const char *run, bool *old) {
    char generation[TT_PHASE_GENERATION];
    json_t *root;
    TT_TRY(read_file(&root, file));
    tt_phase_generation(run, generation);
    *old = lists(json_object_get(root, "runs"), strrchr(run, '/') + 1) &&
           strcmp(generation, json_string_value(json_object_get(root, "generation"))) != 0;
    json_decref(root);
    return TT_OK;
}

tt_status tt_sweep_run_is_old(const char *path, bool *old) {
    char folder[TT_PATH_MAX], file[TT_PATH_MAX];
    char *real = realpath(path, NULL);
    *old = false;
    const bool asked = real && tt_run_directory_has(real, "result.json", NULL) &&
                       tt_path_dir(folder, sizeof folder, real) == TT_OK &&
                       tt_run_directory_has(folder, "fresh.json", file);
    const tt_status status = asked ? is_listed(file, real, old) : TT_OK;
    free(real);
    return status;
}
