#include "host/lab/sweep/notes.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/lab/run_directory.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

tt_status tt_sweep_write_note(const tt_sweep_run *run, const char *name, const char *text) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, run->path, name));
    return tt_write_file(path, text, strlen(text));
}

tt_status tt_sweep_begin_run(const tt_sweep_run *run) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, run->path, "failed.txt"));
    unlink(path);
    json_t *root = json_pack("{s:s, s:s, s:I, s:i}", "sweep", run->sweep->name, "variant", run->variant,
        "seed", (json_int_t)run->seed, "number", run->number);
    if (root && *run->named) json_object_set_new(root, "variant_name", json_string(run->named));
    char *text = root ? json_dumps(root, 0) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "%s: no memory to describe it", run->name);
    tt_status status = tt_sweep_write_note(run, "sweep.json", text);
    free(text);
    return status;
}

#define OF_START_OVER "start-over " // begins the last line of failed.txt

void tt_sweep_note_failure(const tt_sweep_run *run) {
    char reason[1024];
    snprintf(reason, sizeof reason, "%s", tt_error_message());
    tt_warn("%s: %s failed: %s", run->sweep->name, run->name, reason);
    if (tt_sweep_write_failure(run, reason) != TT_OK) tt_warn("%s", tt_error_message());
}

tt_status tt_sweep_write_failure(const tt_sweep_run *run, const char *reason) {
    char text[1200];
    const char *generation = run->over ? run->sweep->generation : "";
    snprintf(
        text, sizeof text, *generation ? "%.1024s\n" OF_START_OVER "%s\n" : "%.1024s\n", reason, generation);
    return tt_sweep_write_note(run, "failed.txt", text);
}

// Cuts the last line off, and says where it begins.
static const char *cut_last_line(char *text) {
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '\n') text[--n] = '\0';
    char *end = strrchr(text, '\n');
    if (!end) return "";
    *end = '\0';
    return end + 1;
}

bool tt_sweep_failure_read(const char *directory, tt_sweep_failure *out) {
    char path[TT_PATH_MAX], *text = NULL;
    size_t bytes;
    if (!tt_run_directory_has(directory, "failed.txt", path)) return false;
    if (!out) return true;
    *out = (tt_sweep_failure){.reason = "?"};
    if (tt_read_file(path, 1 << 16, &text, &bytes) != TT_OK) return true;
    const char *last = cut_last_line(text);
    const size_t mark = strlen(OF_START_OVER);
    const bool of_start_over = strncmp(last, OF_START_OVER, mark) == 0;
    if (of_start_over) snprintf(out->generation, sizeof out->generation, "%s", last + mark);
    snprintf(out->reason, sizeof out->reason, of_start_over || !*last ? "%s" : "%s\n%s", text, last);
    for (char *p = out->reason; *p; ++p)
        if (*p == '\n') *p = ' ';
    free(text);
    return true;
}

uint64_t tt_sweep_failure_stamp(const tt_sweep_run *run) {
    char path[TT_PATH_MAX];
    struct stat info;
    if (tt_path_join(path, sizeof path, run->path, "failed.txt") != TT_OK || stat(path, &info) != 0) return 0;
    const uint64_t stamp = (uint64_t)info.st_mtim.tv_sec * 1000000000u + (uint64_t)info.st_mtim.tv_nsec;
    return (stamp ^ (uint64_t)info.st_ino << 40) | 1;
}

void tt_sweep_forget_failure(const tt_sweep_run *run) {
    char path[TT_PATH_MAX];
    if (tt_run_directory_has(run->path, "failed.txt", path)) unlink(path);
}
