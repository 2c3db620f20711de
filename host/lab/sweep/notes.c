#include "host/lab/sweep/notes.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/lab/run_directory.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

void tt_sweep_note_failure(const tt_sweep_run *run) {
    char reason[1024];
    tt_warn("%s: %s failed: %s", run->sweep->name, run->name, tt_error_message());
    snprintf(reason, sizeof reason, "%s\n", tt_error_message());
    if (tt_sweep_write_note(run, "failed.txt", reason) != TT_OK) tt_warn("%s", tt_error_message());
}

bool tt_sweep_failure_noted(const tt_sweep_run *run) {
    return tt_run_directory_has(run->path, "failed.txt", NULL);
}

void tt_sweep_forget_failure(const tt_sweep_run *run) {
    char path[TT_PATH_MAX];
    if (tt_run_directory_has(run->path, "failed.txt", path)) unlink(path);
}
