// When a variant has seen enough seeds.
#include "host/base/json.h"
#include "host/lab/run_directory.h"
#include "host/lab/statistics.h"
#include "host/lab/sweep/state.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { MOST = 1000 };

static double accuracy_of(const tt_sweep_run *run) {
    char path[TT_PATH_MAX];
    json_t *root = NULL;
    if (!tt_run_directory_has(run->path, "result.json", path) || tt_json_read(&root, path, 0) != TT_OK)
        return NAN;
    const json_t *score = json_object_get(json_object_get(root, "test"), "greedy"),
                 *accuracy = json_object_get(score, "accuracy");
    const double value = json_is_number(accuracy) ? json_number_value(accuracy) : NAN;
    json_decref(root);
    return value;
}

bool tt_sweep_enough(const tt_sweep_run *run) {
    const tt_sweep *sweep = run->sweep;
    double x[MOST];
    int n = 0;
    if (sweep->until_interval <= 0) return false;
    for (int i = 0; i < sweep->n && n < MOST; ++i) {
        const tt_sweep_run *other = &sweep->runs[i];
        if (strcmp(other->variant, run->variant) != 0) continue;
        if (tt_sweep_state_of(other) != TT_SWEEP_FINISHED) continue;
        const double value = accuracy_of(other);
        if (!isnan(value)) x[n++] = value;
    }
    if (n < TT_SWEEP_FEWEST_SEEDS) return false;
    const tt_estimate e = tt_estimate_mean(x, n);
    return e.high - e.mean <= sweep->until_interval;
}

bool tt_sweep_settled(const tt_sweep_run *run, tt_sweep_state state, bool always) {
    return state == TT_SWEEP_FINISHED || (state == TT_SWEEP_NEW && !always && tt_sweep_enough(run));
}

void tt_sweep_state_texts(const tt_sweep_run *const *runs, int n, const char **out) {
    const tt_sweep_run *asked = NULL; // whose variant was asked for last
    bool enough = false;
    for (int i = 0; i < n; ++i) {
        const tt_sweep_state state = tt_sweep_state_of(runs[i]);
        out[i] = tt_sweep_state_name(state);
        if (state != TT_SWEEP_NEW) continue;
        if (!asked || asked->sweep != runs[i]->sweep || strcmp(asked->variant, runs[i]->variant) != 0)
            enough = tt_sweep_enough(runs[i]);
        asked = runs[i];
        if (enough) out[i] = TT_SWEEP_NOT_NEEDED;
    }
}
