#include "host/lab/shared_phases.h"

#include "host/base/json.h"
#include "host/base/output.h"
#include "host/base/versions.h"
#include "host/data/hdf5_seal.h"
#include "host/model/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- phases.json

static bool read_notes(const char *run, json_t **out) {
    char path[TT_PATH_MAX];
    *out = NULL;
    return tt_run_directory_has(run, "phases.json", path) && tt_json_read(out, path, 1 << 22) == TT_OK &&
           json_is_object(*out);
}

static tt_status write_notes(const tt_run_directory *dir, const json_t *root) {
    char *text = json_dumps(root, JSON_INDENT(2));
    if (!text) return tt_fail(TT_ERR_NOMEM, "%s: no memory to write it", dir->phases);
    const tt_status status = tt_write_file(dir->phases, text, strlen(text));
    free(text);
    return status;
}

// The path as it is seen from the run directory, if it lies in it.
static const char *within(const char *run, const char *path) {
    const size_t n = strlen(run);
    return tt_starts_with(path, run) && path[n] == '/' ? path + n + 1 : path;
}

tt_status tt_phase_note(const tt_run_directory *dir, const tt_phase_entry *entry) {
    json_t *root, *phase = json_pack("{s:s, s:s, s:I, s:b}", "identity", entry->identity, "best",
                      within(dir->path, entry->best), "metrics_bytes", (json_int_t)entry->metrics_bytes,
                      "done", entry->done);
    if (!read_notes(dir->path, &root)) {
        json_decref(root);
        root = json_object();
    }
    if (entry->from && phase) json_object_set_new(phase, "from", json_string(entry->from));
    const bool set = phase && json_object_set_new(root, entry->name, phase) == 0;
    const tt_status status =
        set ? write_notes(dir, root) : tt_fail(TT_ERR_NOMEM, "%s: no memory", dir->phases);
    json_decref(root);
    return status;
}

tt_status tt_phase_forget(const tt_run_directory *dir, const char *phase) {
    json_t *root;
    tt_status status = TT_OK;
    if (read_notes(dir->path, &root) && json_object_del(root, phase) == 0) status = write_notes(dir, root);
    json_decref(root);
    return status;
}

// ---- generations

static const char generation_key[] = "generation"; // of phases.json, beside the phases

tt_status tt_phase_note_generation(const tt_run_directory *dir, const char *generation) {
    json_t *root;
    if (!read_notes(dir->path, &root)) {
        json_decref(root);
        root = json_object();
    }
    const bool set = json_object_set_new(root, generation_key, json_string(generation)) == 0;
    const tt_status status =
        set ? write_notes(dir, root) : tt_fail(TT_ERR_NOMEM, "%s: no memory", dir->phases);
    json_decref(root);
    return status;
}

static void generation_of(const json_t *root, char out[TT_PHASE_GENERATION]) {
    const char *text = json_string_value(json_object_get(root, generation_key));
    snprintf(out, TT_PHASE_GENERATION, "%s", text ? text : "");
}

void tt_phase_generation(const char *run, char out[TT_PHASE_GENERATION]) {
    json_t *root;
    *out = '\0';
    if (read_notes(run, &root)) generation_of(root, out);
    json_decref(root);
}

// ---- finding one

static bool last_of(const char *run, const char *phase, char *out) {
    char name[64], folder[TT_PATH_MAX];
    snprintf(name, sizeof name, "%.40s.h5", phase);
    return tt_path_join(folder, sizeof folder, run, "checkpoints") == TT_OK &&
           tt_path_join(out, TT_PATH_MAX, folder, name) == TT_OK;
}

static bool has_files(const char *run, const char *phase, const char *best, tt_phase_found *out) {
    char last[TT_PATH_MAX], metrics[TT_PATH_MAX];
    snprintf(out->run, sizeof out->run, "%s", run);
    return last_of(run, phase, last) && tt_path_join(out->best, sizeof out->best, run, best) == TT_OK &&
           tt_path_join(metrics, sizeof metrics, run, "metrics.jsonl") == TT_OK && tt_file_exists(last) &&
           tt_file_exists(out->best) && tt_file_exists(metrics);
}

// What an entry of phases.json says; its identity, too, where it has one.
static bool is_done(const char *run, const char *phase, const json_t *entry, tt_phase_found *out) {
    const char *best = json_string_value(json_object_get(entry, "best"));
    const json_t *bytes = json_object_get(entry, "metrics_bytes");
    out->metrics_bytes = json_integer_value(bytes);
    out->taken = json_object_get(entry, "from") != NULL;
    return best && *best != '/' && !strstr(best, "..") && json_is_integer(bytes) && out->metrics_bytes >= 0 &&
           json_is_true(json_object_get(entry, "done")) && has_files(run, phase, best, out);
}

bool tt_phase_noted(const char *run, const char *phase, char hash[TT_PHASE_HASH]) {
    json_t *root;
    const json_t *entry = read_notes(run, &root) ? json_object_get(root, phase) : NULL;
    const char *known = json_string_value(json_object_get(entry, "identity"));
    if (known) tt_phase_hash(known, hash);
    json_decref(root);
    return known != NULL;
}

tt_phase_standing tt_phase_look(
    const char *run, const char *phase, const char *identity, tt_phase_found *out) {
    json_t *root;
    tt_phase_found found;
    const json_t *entry = read_notes(run, &root) ? json_object_get(root, phase) : NULL;
    const char *known = json_string_value(json_object_get(entry, "identity"));
    generation_of(root, found.generation);
    tt_phase_standing standing = TT_PHASE_NEW;
    if (entry) standing = known && strcmp(known, identity) == 0 ? TT_PHASE_BEGUN : TT_PHASE_OTHER;
    if (standing == TT_PHASE_BEGUN && is_done(run, phase, entry, &found)) standing = TT_PHASE_DONE;
    if (standing == TT_PHASE_DONE && out) *out = found;
    json_decref(root);
    return standing;
}

bool tt_phases_visit(const char *run, tt_phase_visit *visit, void *self) {
    json_t *root, *entry;
    const char *phase;
    bool stop = false;
    if (read_notes(run, &root)) json_object_foreach(root, phase, entry) {
            tt_phase_found found;
            generation_of(root, found.generation);
            const char *identity = json_string_value(json_object_get(entry, "identity"));
            stop = stop ||
                   (identity && is_done(run, phase, entry, &found) && visit(self, phase, identity, &found));
        }
    json_decref(root);
    return stop;
}

static bool walk(const char *root, int depth, tt_phase_visit *visit, void *self) {
    DIR *folder = opendir(root);
    bool stop = false;
    for (struct dirent *entry; folder && !stop && (entry = readdir(folder));) {
        char path[TT_PATH_MAX];
        if (*entry->d_name == '.' || tt_path_join(path, sizeof path, root, entry->d_name) != TT_OK) continue;
        if (tt_dir_exists(path))
            stop = tt_phases_visit(path, visit, self) || (depth > 1 && walk(path, depth - 1, visit, self));
    }
    if (folder) closedir(folder);
    return stop;
}

bool tt_phases_walk(const char *root, tt_phase_visit *visit, void *self) {
    return walk(root, 2, visit, self);
}

// ---- taking one

static tt_status copy_file(const char *from, int64_t bytes, const char *to) {
    tt_output out;
    TT_TRY(tt_output_open(&out, to));
    return tt_output_close(&out, tt_copy_bytes(from, bytes, out.file, to));
}

// A second name for the file, or a copy of it.
static tt_status link_file(const char *from, const char *to) {
    if (unlink(to) != 0 && errno != ENOENT)
        return tt_fail(TT_ERR_IO, "%s: cannot remove: %s", to, strerror(errno));
    return link(from, to) == 0 ? TT_OK : copy_file(from, -1, to);
}

static tt_status link_text(const char *from, const char *to, const char *phase, const char *name) {
    char source[TT_PATH_MAX], target[TT_PATH_MAX], place[TT_PATH_MAX];
    TT_TRY(tt_path_join(place, sizeof place, from, phase));
    TT_TRY(tt_path_join(source, sizeof source, place, name));
    if (!tt_file_exists(source)) return TT_OK;
    TT_TRY(tt_path_join(place, sizeof place, to, phase));
    TT_TRY(tt_make_dirs(place));
    TT_TRY(tt_path_join(target, sizeof target, place, name));
    return link_file(source, target);
}

// Whether the checkpoints are what was written, and the log is as long as it was.
static tt_status check_found(const char *phase, const tt_phase_found *found, const char *metrics) {
    char last[TT_PATH_MAX];
    uint64_t bytes;
    struct stat st;
    if (!last_of(found->run, phase, last)) return tt_fail(TT_ERR_IO, "%s: path too long", found->run);
    TT_TRY(tt_seal_check(found->best, &bytes));
    TT_TRY(tt_seal_check(last, &bytes));
    if (stat(metrics, &st) != 0) return tt_fail(TT_ERR_IO, "%s: %s", metrics, strerror(errno));
    if (st.st_size >= found->metrics_bytes) return TT_OK;
    return tt_fail(TT_ERR_FORMAT, "%s: has %lld bytes, but %s ends after %lld", metrics,
        (long long)st.st_size, phase, (long long)found->metrics_bytes);
}

// The run that takes a phase.
typedef struct taker {
    const tt_run_directory *dir;
    const tt_phase_found *found;
    const char *start;      // its model.start
    char base[TT_PATH_MAX]; // of adapters on that; "": not looked for yet
} taker;

// The start itself, or, where it has adapters, the base that they are found to have.
static tt_status find_start_base(taker *t) {
    tt_device *device;
    tt_checkpoint start;
    if (*t->base) return TT_OK;
    TT_TRY(tt_adapted_base_of(t->base, t->start));
    if (!*t->base) return tt_adapted_base_path(t->base, t->start);
    TT_TRY(tt_device_open(&device, "cpu", TT_FP32, omp_get_max_threads())); // which stay as many
    const tt_status status = tt_checkpoint_outline(&start, t->start, device);
    if (status == TT_OK) {
        snprintf(t->base, sizeof t->base, "%s", start.adapted->base);
        tt_checkpoint_close(&start);
    }
    tt_device_close(device);
    return status;
}

// The base that this run names in place of `base`, which the other one does: a file in its own directory, or that of its
// model.start, which has the same content as the other's.
static tt_status own_base(taker *t, const char *base, char out[TT_PATH_MAX]) {
    char folder[TT_PATH_MAX];
    TT_TRY(tt_adapted_base_path(folder, t->found->run));
    const char *rest = within(folder, base);
    if (rest != base) {
        TT_TRY(tt_adapted_base_path(folder, t->dir->path));
        return tt_path_join(out, TT_PATH_MAX, folder, rest);
    }
    if (*t->start) TT_TRY(find_start_base(t));
    snprintf(out, TT_PATH_MAX, "%s", *t->start ? t->base : base);
    return TT_OK;
}

// Small ones, of adapters, are copied where they name another base.
static tt_status place_checkpoint(taker *t, const char *from, const char *to) {
    char base[TT_PATH_MAX], own[TT_PATH_MAX];
    TT_TRY(tt_adapted_base_of(base, from));
    if (!*base) return link_file(from, to);
    TT_TRY(own_base(t, base, own));
    return strcmp(base, own) == 0 ? link_file(from, to) : tt_adapted_copy(from, to, own);
}

static tt_status place_files(taker *t, const tt_phase_entry *entry) {
    static const char *const texts[] = {"recall_runs.jsonl", "analyze_runs.jsonl", "pairs.h5"};
    const tt_phase_found *found = t->found;
    char last[TT_PATH_MAX], from[TT_PATH_MAX], metrics[TT_PATH_MAX];
    TT_TRY(tt_path_join(metrics, sizeof metrics, found->run, "metrics.jsonl"));
    TT_TRY(check_found(entry->name, found, metrics));
    TT_TRY(copy_file(metrics, found->metrics_bytes, t->dir->metrics));
    for (int i = 0; i < 3; ++i) TT_TRY(link_text(found->run, t->dir->path, entry->name, texts[i]));
    TT_TRY(place_checkpoint(t, found->best, entry->best));
    if (!last_of(found->run, entry->name, from)) return tt_fail(TT_ERR_IO, "%s: path too long", found->run);
    TT_TRY(tt_run_directory_checkpoint(t->dir, entry->name, false, last));
    TT_TRY(tt_make_dirs(t->dir->checkpoints));
    return place_checkpoint(t, from, last); // last: it says that the phase is finished
}

tt_status tt_phase_take(const tt_run_directory *dir, const tt_phase_entry *wanted,
    const tt_phase_found *found, const char *start) {
    char last[TT_PATH_MAX];
    tt_phase_entry entry = {
        .name = wanted->name, .identity = wanted->identity, .best = wanted->best, .from = found->run};
    TT_TRY(tt_phase_note(dir, &entry));
    TT_TRY(tt_run_directory_checkpoint(dir, entry.name, false, last));
    TT_TRY(tt_versions_remove(last, 0));
    if (unlink(last) != 0 && errno != ENOENT)
        return tt_fail(TT_ERR_IO, "%s: cannot remove: %s", last, strerror(errno));
    tt_status status = place_files(&(taker){.dir = dir, .found = found, .start = start}, &entry);
    // The other run may have started over meanwhile.
    if (status == TT_OK && tt_phase_look(found->run, entry.name, entry.identity, NULL) != TT_PHASE_DONE)
        status = tt_fail(TT_ERR_IO, "%s: %s is not there any more", found->run, entry.name);
    if (status != TT_OK) {
        unlink(last);
        unlink(entry.best);
        return status;
    }
    entry.metrics_bytes = found->metrics_bytes;
    entry.done = true;
    return tt_phase_note(dir, &entry);
}

static bool is_same_file(int file, const char *path) {
    struct stat open_one, named;
    return fstat(file, &open_one) != 0 || stat(path, &named) != 0
               ? false
               : open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

tt_status tt_phase_lock(const char *folder, const char *phase, const char *hash, tt_lock *out) {
    enum { TRIES = 5 };
    char name[80], path[TT_PATH_MAX];
    *out = (tt_lock){.file = -1};
    snprintf(name, sizeof name, "%.40s-%.16s.lock", phase, hash);
    TT_TRY(tt_path_join(path, sizeof path, folder, name));
    for (int i = 1;; ++i) {
        TT_TRY(tt_make_dirs(folder));
        const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
        const tt_status status = tt_lock_take(out, file, path, path);
        if (status == TT_OK && (is_same_file(file, path) || i == TRIES)) return TT_OK;
        if (status != TT_OK) {
            close(file);
            out->file = -1;
            return status;
        }
        tt_lock_release(out); // who had it before has removed the file on leaving
    }
}
