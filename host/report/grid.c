#include "host/report/grid.h"

#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/lab/config_lines.h"
#include "host/report/runs/changes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tt_report_score_kind kinds[2] = {TT_REPORT_TEST, TT_REPORT_TEST_VOTED};

typedef struct maker {
    const tt_report *r;
    tt_grid *grid;
    int first[TT_GRID_COLUMNS]; // the first group of a column; -1: none yet
} maker;

static const tt_report_run *first_run(const tt_report *r, int group) {
    return &r->runs[r->groups[group].runs[0]];
}

static const char *sweep_of(const tt_report *r, int group) {
    const tt_report_run *run = first_run(r, group);
    return *run->variant ? run->sweep : "";
}

// ---- words

// Of a path the name of its file without ending.
static void stem(const char *path, char *out, size_t size) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    const bool file = dot && dot > name && (strcmp(dot, ".h5") == 0 || strcmp(dot, ".yaml") == 0);
    snprintf(out, size, "%.*s", (int)(file ? dot - name : (long)strlen(name)), name);
}

// What a row says of a key: "no_recall", "t5-small", "beta 0.1", "length_normalised", "no length_normalised".
static void value_words(const tt_config_line *line, char *out, size_t size) {
    char value[128], *end;
    const char *dot = strrchr(line->key, '.'), *word = dot ? dot + 1 : line->key;
    tt_config_line_text(line, value, sizeof value);
    (void)tt_parse_double(value, &end);
    if (strcmp(value, "true") == 0)
        snprintf(out, size, "%.60s", word);
    else if (strcmp(value, "false") == 0 || !*value)
        snprintf(out, size, "no %.60s", word);
    else if ((end != value && !*end) || *value == '[')
        snprintf(out, size, "%.60s %.60s", word, value);
    else
        stem(value, out, size);
}

// Whether groups of the sweep differ in the key.
static bool is_varied(const tt_report *r, const char *sweep, const tt_config_line *line) {
    if (strcmp(line->key, "corpus") == 0 || tt_report_key_ignored(line->key)) return false;
    for (int g = 0; g < r->n_groups; ++g) {
        const tt_report_run *run = first_run(r, g);
        tt_config_line other;
        if (strcmp(sweep_of(r, g), sweep) != 0 || !run->resolved) continue;
        if (!tt_config_line_find(run->resolved, line->key, &other) || other.length != line->length ||
            memcmp(other.value, line->value, (size_t)line->length) != 0)
            return true;
    }
    return false;
}

// `before`: of the students before reflection, whose settings say nothing then.
static void label_of(const tt_report *r, int group, bool before, char out[TT_GRID_LABEL]) {
    const tt_report_run *run = first_run(r, group);
    const char *sweep = sweep_of(r, group);
    tt_config_line line = {.rest = run->resolved ? run->resolved : ""};
    size_t n = 0;
    *out = '\0';
    while (*sweep && tt_config_line_next(&line)) {
        char words[128];
        if ((before && tt_starts_with(line.key, "reflection.")) || !is_varied(r, sweep, &line)) continue;
        value_words(&line, words, sizeof words);
        n += (size_t)snprintf(out + n, TT_GRID_LABEL - n, "%s%s", n ? ", " : "", words);
        if (n >= TT_GRID_LABEL) n = TT_GRID_LABEL - 1;
    }
    if (before) {
        snprintf(out + n, TT_GRID_LABEL - n, "%sbefore reflection", n ? ", " : "");
        return;
    }
    if (n == 0) snprintf(out, TT_GRID_LABEL, "%.150s", *sweep ? run->variant : r->groups[group].label);
}

static void corpus_of(const tt_report_run *run, char out[64]) {
    char path[TT_PATH_MAX];
    tt_config_line line;
    snprintf(out, 64, "test");
    if (!run->resolved || !tt_config_line_find(run->resolved, "corpus", &line)) return;
    tt_config_line_text(&line, path, sizeof path);
    if (*path) stem(path, out, 64);
}

// ---- rows and columns

static int column_of(maker *m, const char *name) {
    tt_grid *grid = m->grid;
    for (int i = 0; i < grid->n_columns; ++i)
        if (strcmp(grid->columns[i], name) == 0) return i;
    if (grid->n_columns == TT_GRID_COLUMNS) return -1;
    memcpy(grid->columns[grid->n_columns], name, 64);
    m->first[grid->n_columns] = -1;
    return grid->n_columns++;
}

static tt_status row_of(maker *m, const char *label, bool before, int *out) {
    tt_grid *grid = m->grid;
    for (*out = 0; *out < grid->n; ++*out)
        if (grid->rows[*out].before == before && strcmp(grid->rows[*out].label, label) == 0) return TT_OK;
    TT_TRY(tt_grow(&grid->rows, &grid->capacity, (size_t)grid->n + 1, sizeof *grid->rows, "rows of a table"));
    tt_grid_row *row = &grid->rows[grid->n++];
    *row = (tt_grid_row){.before = before};
    snprintf(row->label, sizeof row->label, "%s", label);
    for (int i = 0; i < TT_GRID_COLUMNS; ++i) row->cells[i][0].score.mean = row->cells[i][1].score.mean = NAN;
    return TT_OK;
}

static void note_seeds(tt_grid *grid, const tt_report_mean *score) {
    if (!isfinite(score->mean)) return;
    if (grid->fewest == 0 || score->seeds < grid->fewest) grid->fewest = score->seeds;
    if (score->seeds > grid->most) grid->most = score->seeds;
}

// Whether the interval over questions excludes 0, and that over seeds, where there is one.
static tt_status is_sure(const tt_report *r, const tt_report_change *which, bool *out) {
    tt_report_change c;
    TT_TRY(tt_report_change_of_group(r, which, &c));
    *out = c.pairs > 0 && tt_report_sure(c.low, c.high) &&
           (c.pairs < 2 || !isfinite(c.seeds_low) || tt_report_sure(c.seeds_low, c.seeds_high));
    return TT_OK;
}

static tt_status fill_cell(maker *m, int group, int column, int kind, tt_grid_cell *out) {
    const tt_report_run *run = first_run(m->r, group);
    const tt_report_phase *before = tt_report_before(run), *after = tt_report_after(run);
    tt_report_change which = {.kind = TT_CHANGE_GROUP, .group = group, .answers = kinds[kind]};
    out->score = tt_report_group_score(m->r, &m->r->groups[group], kinds[kind]);
    note_seeds(m->grid, &out->score);
    m->grid->voted = m->grid->voted || (kind && isfinite(out->score.mean));
    if (m->grid->paired) {
        if (kind || !before || !after) return TT_OK;
        which.kind = TT_CHANGE_REFLECTION;
        which.phase = after->name;
        which.before = before->name;
        return is_sure(m->r, &which, &out->sure);
    }
    which.against = m->first[column];
    return which.against == group ? TT_OK : is_sure(m->r, &which, &out->sure);
}

static tt_status add_before(maker *m, int group, int column) {
    char label[TT_GRID_LABEL];
    const tt_report_phase *before = tt_report_before(first_run(m->r, group));
    int row;
    if (!before) return TT_OK;
    const tt_report_mean score = tt_report_group_phase(m->r, &m->r->groups[group], before->name, true);
    if (!isfinite(score.mean)) return TT_OK;
    label_of(m->r, group, true, label);
    TT_TRY(row_of(m, label, true, &row));
    m->grid->rows[row].cells[column][0].score = score;
    note_seeds(m->grid, &score);
    return TT_OK;
}

static tt_status add_group(maker *m, int group) {
    char label[TT_GRID_LABEL], corpus[64];
    int row;
    corpus_of(first_run(m->r, group), corpus);
    const int column = column_of(m, corpus);
    if (column < 0) {
        tt_warn("%s: a table has %d data sets at most; %s is left out of it", m->r->groups[group].label,
            TT_GRID_COLUMNS, corpus);
        return TT_OK;
    }
    if (m->first[column] < 0) m->first[column] = group;
    label_of(m->r, group, false, label);
    if (m->grid->paired) TT_TRY(add_before(m, group, column));
    TT_TRY(row_of(m, label, false, &row));
    for (int k = 0; k < 2; ++k) TT_TRY(fill_cell(m, group, column, k, &m->grid->rows[row].cells[column][k]));
    return TT_OK;
}

// Whether rows before reflection say something that no other row does: some run reflects, and the sweep does not vary how
// often.
static bool has_before(const tt_report *r, const char *sweep) {
    bool any = false;
    for (int g = 0; g < r->n_groups; ++g) {
        const tt_report_run *run = first_run(r, g);
        tt_config_line line;
        if (strcmp(sweep_of(r, g), sweep) != 0 || !run->resolved) continue;
        any = any || tt_report_before(run);
        if (tt_config_line_find(run->resolved, "reflection.iterations", &line) && is_varied(r, sweep, &line))
            return false;
    }
    return any;
}

static tt_status make_grid(const tt_report *r, tt_grid *grid) {
    maker m = {.r = r, .grid = grid};
    grid->paired = has_before(r, grid->sweep);
    for (int g = 0; g < r->n_groups; ++g)
        if (strcmp(sweep_of(r, g), grid->sweep) == 0) TT_TRY(add_group(&m, g));
    return TT_OK;
}

tt_status tt_grids_open(const tt_report *r, tt_grid **out, int *n) {
    tt_status status = tt_alloc(out, (size_t)r->n_groups + 1, sizeof **out, "tables");
    *n = 0;
    for (int g = 0; g < r->n_groups && status == TT_OK; ++g) {
        bool known = false;
        for (int k = 0; k < g && !known; ++k) known = strcmp(sweep_of(r, k), sweep_of(r, g)) == 0;
        if (known) continue;
        tt_grid *grid = &(*out)[(*n)++];
        grid->sweep = sweep_of(r, g);
        status = make_grid(r, grid);
        if (status == TT_OK && grid->most > 0) continue;
        free(grid->rows);
        *grid = (tt_grid){0};
        --*n;
    }
    if (status != TT_OK) tt_grids_close(*out, *n);
    return status;
}

void tt_grids_close(tt_grid *grids, int n) {
    for (int i = 0; i < n; ++i) free(grids[i].rows);
    free(grids);
}

// ---- text

bool tt_grid_single(const tt_grid *grid) {
    return grid->most < 2;
}

void tt_grid_number(tt_str *out, const tt_grid_cell *cell, const char *sign) {
    char number[32];
    if (!isfinite(cell->score.mean)) return;
    tt_format(number, sizeof number, "%.1f", 100 * cell->score.mean);
    tt_str_append(out, number);
    if (!isfinite(cell->score.deviation)) return;
    tt_format(number, sizeof number, "%.1f", 100 * cell->score.deviation);
    tt_str_format(out, "%s%s", sign, number);
}

void tt_grid_caption(tt_str *out, const tt_grid *grid) {
    tt_str_append(out, "Accuracy on the test questions in per cent");
    if (tt_grid_single(grid))
        tt_str_append(out, " of one seed");
    else if (grid->fewest == grid->most)
        tt_str_format(out, ": mean and standard deviation over %d seeds", grid->most);
    else
        tt_str_format(out, ": mean and standard deviation over %d to %d seeds", grid->fewest, grid->most);
    tt_str_format(out,
        ". * differs from %s beyond chance: the 95 %% intervals of the difference on the same questions, "
        "over "
        "questions%s, exclude 0.",
        grid->paired ? "the same students before reflection" : "the first row",
        tt_grid_single(grid) ? "" : " and over seeds");
}
