#include "host/lab/sweep/state.h"

#include "host/config/config.h"
#include "host/lab/run_directory.h"

#include <stdlib.h>
#include <string.h>

static bool has_file(const tt_sweep_run *run, const char *name) {
    char path[TT_PATH_MAX];
    return tt_path_join(path, sizeof path, run->path, name) == TT_OK && tt_file_exists(path);
}

tt_status tt_sweep_differences(const tt_sweep *sweep, const tt_sweep_run *run, tt_str *out, bool *rescore) {
    char path[TT_PATH_MAX], *before;
    size_t bytes;
    tt_config config;
    tt_str now = {0};
    *rescore = false;
    TT_TRY(tt_path_join(path, sizeof path, run->path, "config.yaml"));
    TT_TRY(tt_config_load(&config, sweep->base, run->overrides, run->n));
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

static tt_sweep_state state_of_result(const tt_sweep *sweep, const tt_sweep_run *run) {
    tt_str differences = {0};
    bool rescore;
    tt_sweep_state state = TT_SWEEP_FINISHED;
    if (tt_sweep_differences(sweep, run, &differences, &rescore) != TT_OK)
        state = TT_SWEEP_BEGUN; // the run will report what is wrong
    else if (differences.length > 0)
        state = TT_SWEEP_OTHER;
    else if (rescore)
        state = TT_SWEEP_BEGUN;
    tt_str_close(&differences);
    return state;
}

tt_sweep_state tt_sweep_state_of(const tt_sweep *sweep, const tt_sweep_run *run) {
    if (has_file(run, "result.json")) return state_of_result(sweep, run);
    if (has_file(run, "failed.txt")) return TT_SWEEP_FAILED;
    return has_file(run, "config.yaml") ? TT_SWEEP_BEGUN : TT_SWEEP_NEW;
}

const char *tt_sweep_state_name(tt_sweep_state state) {
    static const char *const names[] = {"new", "resumable", "failed", "finished", "other settings"};
    return names[state];
}
