// What is left of a start-over.
#include "host/base/log.h"
#include "host/lab/sweep/fresh.h"
#include "host/lab/sweep/state.h"

#include <unistd.h>

// How many runs of the start-over are not finished in it, and how many of these failed in it.
static int count_left(const tt_sweep *sweep, int *all, int *failed) {
    int left = 0;
    *all = *failed = 0;
    for (int i = 0; i < sweep->n; ++i) {
        const tt_sweep_run *run = &sweep->runs[i];
        if (!run->over) continue;
        ++*all;
        const tt_sweep_state state = tt_sweep_state_of(run);
        left += !tt_sweep_settled(run, state, false);
        *failed += state == TT_SWEEP_FAILED;
    }
    return left;
}

void tt_sweep_fresh_tell(const tt_sweeps *sweeps) {
    for (int i = 0; i < sweeps->n_items; ++i) {
        const tt_sweep *sweep = &sweeps->items[i];
        char path[TT_PATH_MAX];
        int all, failed;
        if (!*sweep->generation || tt_sweep_fresh_path(sweep, path) != TT_OK) continue;
        const int left = count_left(sweep, &all, &failed);
        tt_info("%s: a start-over is not finished and goes on: %d of %d runs are left, %d of them failed; to "
                "begin once more, remove %s first",
            sweep->name, left, all, failed, path);
    }
}

// Others may have added runs to the start-over meanwhile: what counts is in the file.
void tt_sweep_fresh_end(tt_sweeps *sweeps) {
    tt_lock lock = {.file = -1};
    bool any = false;
    for (int i = 0; i < sweeps->n_items; ++i) any = any || *sweeps->items[i].generation;
    if (!any || tt_sweep_fresh_lock(sweeps->output, &lock) != TT_OK) return; // the next command removes it
    for (int i = 0; i < sweeps->n_items; ++i) {
        tt_sweep *sweep = &sweeps->items[i];
        char path[TT_PATH_MAX];
        int all, failed;
        if (tt_sweep_fresh_read(sweep) == TT_OK && *sweep->generation &&
            count_left(sweep, &all, &failed) == 0 && tt_sweep_fresh_path(sweep, path) == TT_OK)
            unlink(path);
    }
    tt_lock_release(&lock);
}
