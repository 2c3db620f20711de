// What a sweep file says, before runs are made of it. Private to host/lab/sweep; plan.h describes the file.
#ifndef TT_LAB_SWEEP_FILE_H
#define TT_LAB_SWEEP_FILE_H

#include "host/lab/sweep/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_SWEEP_AXES = 16, TT_SWEEP_VALUES = 64, TT_SWEEP_EXCLUDED = 256, TT_SWEEP_SEEDS = 1000 };

typedef struct tt_sweep_setting {
    const char *key, *value;
    const char *canonical; // the same text for all ways to write the value: 0.5 and 0.50
} tt_sweep_setting;

typedef struct tt_sweep_settings {
    tt_sweep_setting items[TT_SWEEP_SETTINGS];
    int n;
} tt_sweep_settings;

typedef struct tt_sweep_axis {
    const char *key;
    int line;
    tt_sweep_setting values[TT_SWEEP_VALUES];
    int n;
} tt_sweep_axis;

typedef struct tt_sweep_variant {
    const char *name;
    int line;
    tt_sweep_settings settings;
} tt_sweep_variant;

typedef struct tt_sweep_file {
    tt_sweep_settings common;
    int64_t seeds[TT_SWEEP_SEEDS];
    int n_seeds, n_axes, n_variants, n_excluded;
    tt_sweep_axis axes[TT_SWEEP_AXES];
    tt_sweep_variant *variants; // [n_variants]
    size_t variants_capacity;
    tt_sweep_settings *excluded; // [n_excluded]
    int excluded_lines[TT_SWEEP_EXCLUDED];
} tt_sweep_file;

// Reads the file sweep->file, and with it name, base, output, ranks_per_run and until of *sweep, whose memory has all
// texts. tt_sweep_file_close is to be called in any case. Errors: those of tt_sweep_open for what the file says.
tt_status tt_sweep_file_read(tt_sweep_file *out, tt_sweep *sweep) TT_MUST_CHECK;
void tt_sweep_file_close(tt_sweep_file *file);
// Whether key[n] is one that the sweep itself sets for each run: seed, name, output.
bool tt_sweep_own_key(const char *key, size_t n);

#ifdef __cplusplus
}
#endif

#endif
