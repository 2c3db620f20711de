#include "host/lab/resume.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/versions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// The youngest version of at least this age that rank 0 finds, -1 where there is none; the same on all ranks.
static tt_status find(const tt_resume *from, int age, int *out) {
    char path[TT_PATH_MAX];
    *out = -1;
    for (; from->comm->rank == 0 && *out < 0 && age <= from->keep; ++age)
        if (tt_version_name(from->path, age, path) == TT_OK && tt_file_exists(path)) *out = age;
    return tt_comm_broadcast(from->comm, out, sizeof *out, 0);
}

static tt_status load(const tt_resume *from, int age, tt_checkpoint *out, tt_phase_state *state) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_version_name(from->path, age, path));
    TT_TRY(tt_checkpoint_load(out, path, from->device));
    const tt_status status = tt_phase_read(state, out->state, from->phase);
    if (status == TT_OK) return TT_OK;
    tt_checkpoint_close(out);
    return tt_context(status, "%s", path);
}

// Versions younger than `age` could not be read: saved ones must not push out those that can.
static void put_aside(const tt_resume *from, int age) {
    char bad[TT_PATH_MAX], aside[TT_PATH_MAX];
    for (int i = 0; from->comm->rank == 0 && i < age; ++i) {
        if (tt_version_name(from->path, i, bad) != TT_OK || !tt_file_exists(bad)) continue;
        if (tt_version_damaged_name(from->path, i, aside) == TT_OK && rename(bad, aside) == 0)
            tt_info("%s: is %s now", bad, aside);
        else
            tt_warn("%s: cannot be renamed to %s: %s", bad, aside, strerror(errno));
    }
}

tt_status tt_resume_open(const tt_resume *from, tt_checkpoint *out, tt_phase_state *state, bool *found) {
    char first[1024] = "";
    tt_status failed = TT_OK;
    int age = 0;
    *found = false;
    for (;; ++age) {
        TT_TRY(find(from, age, &age));
        if (age < 0) break;
        tt_checkpoint_close(out); // before another one takes memory
        const tt_status status = tt_comm_agree(from->comm, load(from, age, out, state));
        if (status == TT_OK) {
            *found = true;
            put_aside(from, age);
            return TT_OK;
        }
        if (status != TT_ERR_FORMAT) return status; // what cannot be opened may be sound
        tt_comm_go_on(from->comm);
        if (failed == TT_OK) {
            failed = status;
            snprintf(first, sizeof first, "%s", tt_error_message());
        }
        tt_warn("%s; the checkpoint before it is tried", tt_error_message());
    }
    if (failed == TT_OK) return TT_OK;
    return tt_comm_agree(
        from->comm, tt_fail(failed,
                        "%s; no earlier checkpoint can be read; without these files the phase "
                        "starts over",
                        first));
}
