// A sweep as a table for people, and as a script for a cluster.
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/number.h"
#include "host/lab/config_lines.h"
#include "host/lab/run_directory.h"
#include "host/lab/statistics.h"
#include "host/lab/sweep/notes.h"
#include "host/lab/sweep/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    const char *variant;
    int runs, finished;
    double test[1024], voted[1024], before[1024]; // accuracies; NaN where a run has none
    char precision[16];                           // of the first finished run
    bool mixed;                                   // another run has another precision
} row;

static double accuracy_of(const json_t *score) {
    const json_t *value = json_object_get(score, "accuracy");
    return json_is_number(value) ? json_number_value(value) : NAN;
}

// The test split after acquisition, where reflection followed.
static double before_reflection(const json_t *root) {
    const json_t *phases = json_object_get(root, "phases");
    for (size_t i = 0; i + 1 < json_array_size(phases); ++i) {
        const json_t *phase = json_array_get(phases, i);
        const char *name = json_string_value(json_object_get(phase, "name"));
        if (name && strcmp(name, "acquisition") == 0) return accuracy_of(json_object_get(phase, "test"));
    }
    return NAN;
}

// The precision that `auto` became in a run, by its config.yaml.
static void note_precision(row *r, const char *run_path) {
    char *yaml = tt_run_directory_config(run_path), found[sizeof r->precision] = "";
    tt_config_line line;
    if (!yaml) return;
    if (tt_config_line_find(yaml, "precision", &line)) tt_config_line_text(&line, found, sizeof found);
    free(yaml);
    if (!*r->precision) memcpy(r->precision, found, sizeof found);
    r->mixed = r->mixed || strcmp(r->precision, found) != 0;
}

static void take_run(row *r, const tt_sweep_run *run) {
    char path[TT_PATH_MAX];
    r->runs++;
    if (tt_sweep_state_of(run) != TT_SWEEP_FINISHED || r->finished == 1024) return;
    if (tt_path_join(path, sizeof path, run->path, "result.json") != TT_OK) return;
    json_t *root;
    if (tt_json_read(&root, path, 0) != TT_OK) tt_warn("%s; its numbers are left out", tt_error_message());
    const json_t *test = json_object_get(root, "test");
    const int i = r->finished++;
    r->test[i] = accuracy_of(json_object_get(test, "greedy"));
    r->voted[i] = accuracy_of(json_object_get(test, "self_consistency"));
    r->before[i] = before_reflection(root);
    json_decref(root);
    note_precision(r, run->path);
}

static void append_estimate(tt_str *out, const double *x, int n) {
    char text[64] = "-";
    const tt_estimate e = tt_estimate_mean(x, n);
    if (!isnan(e.mean) && !isnan(e.low))
        tt_format(text, sizeof text, "%.1f %% [%.1f, %.1f]", 100 * e.mean, 100 * fmax(e.low, 0),
            100 * fmin(e.high, 1));
    else if (!isnan(e.mean))
        tt_format(text, sizeof text, "%.1f %%", 100 * e.mean);
    tt_str_format(out, "  %-24s", text);
}

static void append_row(tt_str *out, const row *r) {
    char runs[32];
    snprintf(runs, sizeof runs, "%d of %d", r->finished, r->runs);
    tt_str_format(out, "%-36s %8s", r->variant, runs);
    append_estimate(out, r->before, r->finished);
    append_estimate(out, r->test, r->finished);
    append_estimate(out, r->voted, r->finished);
    while (out->length && out->data[out->length - 1] == ' ') out->data[--out->length] = '\0';
    tt_str_append(out, "\n");
}

static void append_other(tt_str *out, const tt_sweep_run *run) {
    tt_str differences = {0};
    bool rescore;
    if (tt_sweep_differences(run, &differences, &rescore) == TT_OK)
        tt_str_format(out,
            "failed: %s: contains a run with other settings; give the sweep another name or output:%s\n",
            run->path, tt_str_text(&differences));
    tt_str_close(&differences);
}

static void append_failures(tt_str *out, const tt_sweep *sweep) {
    for (int i = 0; i < sweep->n; ++i) {
        tt_sweep_failure failure;
        const tt_sweep_run *run = &sweep->runs[i];
        const tt_sweep_state state = tt_sweep_state_of(run);
        if (state == TT_SWEEP_OTHER) append_other(out, run);
        if ((state == TT_SWEEP_FAILED || state == TT_SWEEP_OVER) &&
            tt_sweep_failure_read(run->path, &failure))
            tt_str_format(out, "failed: %s: %s\n", run->path, failure.reason);
    }
}

tt_status tt_sweep_table(const tt_sweep *sweep, tt_str *out) {
    static const char *const headings[] = {
        "test, before reflection", "test, greedy", "test, self-consistency"};
    row *r;
    tt_str mixed = {0};
    TT_TRY(tt_alloc(&r, 1, sizeof *r, "table"));
    tt_str_format(
        out, "%-36s %8s  %-24s  %-24s  %s\n", sweep->name, "runs", headings[0], headings[1], headings[2]);
    for (int i = 0; i < sweep->n;) {
        *r = (row){.variant = sweep->runs[i].variant};
        for (; i < sweep->n && strcmp(sweep->runs[i].variant, r->variant) == 0; ++i)
            take_run(r, &sweep->runs[i]);
        append_row(out, r);
        if (r->mixed) tt_str_format(&mixed, "%s ", *r->variant ? r->variant : sweep->name);
    }
    tt_str_append(out,
        "Means over seeds; in brackets Student's t over the seeds (95 %): what other seeds may\n"
        "change, not what other questions may change (tinythinker compare shows both).\n");
    if (mixed.length)
        tt_str_format(out,
            "note: runs of different precision are averaged in: %s\n"
            "(precision: auto met different machines; set fp32 or bf16)\n",
            tt_str_text(&mixed));
    out->failed |= mixed.failed;
    tt_str_close(&mixed);
    append_failures(out, sweep);
    free(r);
    return tt_str_status(out);
}

// Appends the text in single quotes, as a shell reads it.
static void append_quoted(tt_str *out, const char *text) {
    tt_str_append(out, " '");
    for (; *text; ++text) tt_str_append_n(out, *text == '\'' ? "'\\''" : text, *text == '\'' ? 4 : 1);
    tt_str_append(out, "'");
}

// The numbers of the runs as Slurm reads them: 0-35, or 0-3,7,9-12.
static void append_numbers(const tt_sweep *sweep, tt_str *out) {
    bool has[TT_SWEEP_RUNS] = {false};
    for (int i = 0; i < sweep->n; ++i) has[sweep->runs[i].number] = true;
    const char *comma = "";
    for (int i = 0; i < TT_SWEEP_RUNS; ++i) {
        if (!has[i]) continue;
        int last = i;
        while (last + 1 < TT_SWEEP_RUNS && has[last + 1]) ++last;
        tt_str_format(out, last > i ? "%s%d-%d" : "%s%d", comma, i, last);
        comma = ",";
        i = last;
    }
}

tt_status tt_sweep_slurm(const tt_sweep *sweep, const tt_sweep_options *options, tt_str *out) {
    const int ranks = options->ranks_per_run ? options->ranks_per_run : sweep->ranks_per_run;
    tt_str_format(out,
        "#!/bin/bash\n# %s: %d runs, one task of the array each. Submit with: sbatch THIS_FILE\n"
        "# To see the state of each run: tinythinker sweep %s --dry-run\n"
        "#SBATCH --job-name=%s\n#SBATCH --array=",
        sweep->name, sweep->n, sweep->file, sweep->name);
    append_numbers(sweep, out);
    tt_str_format(out,
        "\n#SBATCH --ntasks=%d\n#SBATCH --output=%s-%%A_%%a.log\n"
        "# Set --time, --partition and --gres as your cluster needs. Tasks that share a phase wait for each "
        "other.\n\n"
        "srun tinythinker sweep",
        ranks > 0 ? ranks : 1, sweep->name);
    append_quoted(out, sweep->file);
    tt_str_append(out, " --only \"$SLURM_ARRAY_TASK_ID\"");
    for (int i = 0; i < options->n_overrides; ++i) {
        tt_str_append(out, " --set");
        append_quoted(out, options->overrides[i]);
    }
    tt_str_append(out, "\n");
    return tt_str_status(out);
}
