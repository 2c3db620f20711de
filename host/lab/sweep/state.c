#include "host/lab/sweep/state.h"

#include "host/config/config.h"
#include "host/lab/run_directory.h"
#include "host/lab/sweep/fresh.h"
#include "host/lab/sweep/notes.h"

#include <stdlib.h>
#include <string.h>

tt_status tt_sweep_differences(const tt_sweep_run *run, tt_str *out, bool *rescore) {
    char path[TT_PATH_MAX], *before;
    size_t bytes;
    tt_config config;
    tt_str now = {0};
    *rescore = false;
    TT_TRY(tt_path_join(path, sizeof path, run->path, "config.yaml"));
    TT_TRY(tt_config_load(&config, run->sweep->base, run->overrides, run->n));
    tt_status status = tt_config_write(&config, &now);
    tt_config_close(&config);
    if (status == TT_OK) status = tt_read_file(path, 1 << 20, &before, &bytes);
    if (status == TT_OK) {
        status = tt_run_config_differences(before, now.data, out, rescore);
        free(before);
    }
    tt_str_close(&now);
    return status;
}

static tt_sweep_state state_of_result(const tt_sweep_run *run) {
    tt_str differences = {0};
    bool rescore;
    tt_sweep_state state = TT_SWEEP_FINISHED;
    if (tt_sweep_differences(run, &differences, &rescore) != TT_OK)
        state = TT_SWEEP_BEGUN; // the run will report what is wrong
    else if (differences.length > 0)
        state = TT_SWEEP_OTHER;
    else if (rescore)
        state = TT_SWEEP_BEGUN;
    tt_str_close(&differences);
    return state;
}

// Whether the last attempt was one of the start-over that the run belongs to.
static bool failed_in_start_over(const tt_sweep_run *run) {
    tt_sweep_failure failure;
    return tt_sweep_failure_read(run->path, &failure) &&
           strcmp(failure.generation, run->sweep->generation) == 0;
}

tt_sweep_state tt_sweep_state_of(const tt_sweep_run *run) {
    const bool result = tt_run_directory_has(run->path, "result.json", NULL),
               failed = tt_run_directory_has(run->path, "failed.txt", NULL),
               begun = tt_run_directory_has(run->path, "config.yaml", NULL);
    if ((result || failed || begun) && tt_sweep_fresh_waits(run))
        return failed && failed_in_start_over(run) ? TT_SWEEP_FAILED : TT_SWEEP_OVER;
    const tt_sweep_state state = result ? state_of_result(run) : begun ? TT_SWEEP_BEGUN : TT_SWEEP_NEW;
    return failed && (!result || state == TT_SWEEP_BEGUN) ? TT_SWEEP_FAILED : state;
}

const char *tt_sweep_state_name(tt_sweep_state state) {
    static const char *const names[] = {
        "new", "resumable", "failed", "finished", "other settings", "to start over"};
    return names[state];
}
