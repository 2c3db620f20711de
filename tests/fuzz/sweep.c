// A sweep with its base: no two runs of it share a directory, none lies outside its folder, each has a configuration.
#include "tests/fuzz/fuzz.h"

#include "host/lab/sweep/sweep.h"

#include <string.h>

static const char *const names[] = {"sweep.yaml", "base.yaml"};
enum { MOST_RUNS = 40 }; // whose pairs are compared

static void check_runs(const tt_sweep *sweep) {
    for (int i = 0; i < sweep->n && i < MOST_RUNS; ++i) {
        const tt_sweep_run *run = &sweep->runs[i];
        tt_config config;
        fuzz_require(*run->name && !strchr(run->name, '/') && strcmp(run->name, "..") != 0 &&
                         strcmp(run->name, ".") != 0,
            "a run has a name that no folder can have");
        fuzz_require(strcmp(sweep->name, "..") != 0 && !strchr(sweep->name, '/'),
            "a sweep has a name that no folder can have");
        fuzz_must(
            tt_config_load(&config, sweep->base, run->overrides, run->n), "a run's settings are refused");
        fuzz_require(
            config.seed == run->seed && strcmp(config.name, run->name) == 0, "a run with other settings");
        tt_config_close(&config);
        for (int k = 0; k < i; ++k)
            fuzz_require(strcmp(run->path, sweep->runs[k].path) != 0, "two runs in one folder");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_sweep sweep;
    tt_str out = {0};
    fuzz_begin(data, size);
    fuzz_write_files(data, size, names, 2);
    if (fuzz_accepted(tt_sweep_open(&sweep, "sweep.yaml", NULL, 0))) {
        check_runs(&sweep);
        (void)fuzz_accepted(tt_sweep_slurm(&sweep, &(tt_sweep_options){.only = -1}, &out));
        (void)fuzz_accepted(tt_sweep_table(&sweep, &out));
        tt_sweep_close(&sweep);
    }
    tt_str_close(&out);
    return fuzz_end();
}
