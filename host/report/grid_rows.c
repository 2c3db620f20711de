#include "host/report/grid_rows.h"

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/lab/config_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tt_grid_is_own(const tt_grid_rows *rows, int group) {
    const tt_report_run *run = tt_report_first_run(rows->r, group);
    return run->sweep_number == rows->sweep && !tt_report_is_silent(run);
}

void tt_grid_corpus(const tt_report *r, int group, char out[TT_PATH_MAX]) {
    const tt_report_run *run = tt_report_first_run(r, group);
    tt_config_line line;
    *out = '\0';
    if (run->resolved && tt_config_line_find(run->resolved, "corpus", &line))
        tt_config_line_text(&line, out, TT_PATH_MAX);
}

// ---- what differs

static bool same_value(const tt_config_line *a, const tt_config_line *b) {
    return a->length == b->length && memcmp(a->value, b->value, (size_t)a->length) == 0;
}

// Whether groups of the sweep differ in the key; `name`: those of this name, NULL: all.
static bool is_varied(const tt_grid_rows *rows, const char *key, const char *name) {
    tt_config_line first = {.value = NULL}, other;
    for (int g = 0; g < rows->r->n_groups; ++g) {
        const tt_report_run *run = tt_report_first_run(rows->r, g);
        if (!tt_grid_is_own(rows, g) || !run->resolved || (name && strcmp(run->variant_name, name) != 0))
            continue;
        if (!tt_config_line_find(run->resolved, key, &other)) other = (tt_config_line){.value = ""};
        if (!first.value)
            first = other;
        else if (!same_value(&first, &other))
            return true;
    }
    return false;
}

bool tt_grid_varies(const tt_grid_rows *rows, const char *key) {
    return is_varied(rows, key, NULL);
}

static tt_status find_keys(tt_grid_rows *rows) {
    const tt_report *r = rows->r;
    int g = 0;
    size_t capacity = 0;
    while (g < r->n_groups && (!tt_grid_is_own(rows, g) || !tt_report_first_run(r, g)->resolved)) ++g;
    if (g == r->n_groups || rows->sweep < 0) return TT_OK;
    tt_config_line line = {.rest = tt_report_first_run(r, g)->resolved};
    while (tt_config_line_next(&line)) {
        if (strcmp(line.key, "corpus") == 0 || tt_report_key_ignored(line.key) ||
            !tt_grid_varies(rows, line.key))
            continue;
        TT_TRY(tt_grow(
            &rows->keys, &capacity, (size_t)rows->n_keys + 1, sizeof *rows->keys, "settings of a table"));
        memcpy(rows->keys[rows->n_keys++], line.key, sizeof *rows->keys);
    }
    return TT_OK;
}

// Setting number k of a run's row, or, with `before`, of its students before reflection, which those of reflection do not
// tell apart.
static bool find_setting(
    const tt_grid_rows *rows, const tt_report_run *run, int k, bool before, tt_config_line *out) {
    return run->resolved && !(before && tt_starts_with(rows->keys[k], "reflection.")) &&
           tt_config_line_find(run->resolved, rows->keys[k], out);
}

void tt_grid_row_key(const tt_grid_rows *rows, int group, bool before, tt_str *out) {
    const tt_report_run *run = tt_report_first_run(rows->r, group);
    tt_config_line line;
    for (int k = 0; k < rows->n_keys; ++k)
        if (find_setting(rows, run, k, before, &line))
            tt_str_format(out, "%s: %.*s\n", rows->keys[k], line.length, line.value);
    if (before ? rows->named_before : rows->named) tt_str_format(out, "named %s\n", run->variant_name);
    if (rows->sweep < 0 || !run->resolved || (rows->apart && !before))
        tt_str_format(out, "group %s\n", rows->r->groups[group].label);
}

// What a group is told apart by, without names.
typedef struct identity {
    char *row, *before, *corpus;
    const char *name;
} identity;

static tt_status identify(const tt_grid_rows *rows, int group, identity *out) {
    char corpus[TT_PATH_MAX];
    tt_str row = {0}, before = {0};
    tt_grid_corpus(rows->r, group, corpus);
    tt_grid_row_key(rows, group, false, &row);
    tt_grid_row_key(rows, group, true, &before);
    out->name = tt_report_first_run(rows->r, group)->variant_name;
    tt_status status = tt_strdup(&out->corpus, corpus);
    if (status == TT_OK) status = tt_strdup(&out->row, tt_str_text(&row));
    if (status == TT_OK) status = tt_strdup(&out->before, tt_str_text(&before));
    tt_str_close(&row);
    tt_str_close(&before);
    return status;
}

// Names of variants tell rows apart, unless they tell nothing but the corpus: then groups of one row have several.
static void choose_names(tt_grid_rows *rows, const identity *all, int n) {
    bool any = false, one = true, one_before = true, needed = false;
    for (int b = 0; b < n; ++b) {
        any = any || *all[b].name;
        for (int a = 0; a < b; ++a) {
            if (strcmp(all[a].name, all[b].name) == 0) continue;
            const bool same = strcmp(all[a].row, all[b].row) == 0;
            one = one && !same;
            one_before = one_before && strcmp(all[a].before, all[b].before) != 0;
            needed = needed || (same && strcmp(all[a].corpus, all[b].corpus) == 0);
        }
    }
    rows->named = any && (one || needed);
    rows->named_before = any && one_before;
}

static void choose_apart(tt_grid_rows *rows, const identity *all, int n) {
    for (int b = 0; b < n && !rows->apart; ++b)
        for (int a = 0; a < b && !rows->apart; ++a)
            rows->apart = strcmp(all[a].row, all[b].row) == 0 && strcmp(all[a].corpus, all[b].corpus) == 0 &&
                          (!rows->named || strcmp(all[a].name, all[b].name) == 0);
}

static tt_status tell_apart(tt_grid_rows *rows) {
    identity *all;
    int n = 0;
    TT_TRY(tt_alloc(&all, (size_t)rows->r->n_groups, sizeof *all, "rows of a table"));
    tt_status status = TT_OK;
    for (int g = 0; g < rows->r->n_groups && status == TT_OK; ++g)
        if (tt_grid_is_own(rows, g)) status = identify(rows, g, &all[n++]);
    if (status == TT_OK) {
        choose_names(rows, all, n);
        choose_apart(rows, all, n);
    }
    for (int i = 0; i < n; ++i) {
        free(all[i].row);
        free(all[i].before);
        free(all[i].corpus);
    }
    free(all);
    return status;
}

tt_status tt_grid_rows_open(tt_grid_rows *out, const tt_report *r, int sweep) {
    *out = (tt_grid_rows){.r = r, .sweep = sweep};
    tt_status status = find_keys(out);
    if (status == TT_OK && sweep >= 0) status = tell_apart(out);
    if (status != TT_OK) tt_grid_rows_close(out);
    return status;
}

void tt_grid_rows_close(tt_grid_rows *rows) {
    free(rows->keys);
    *rows = (tt_grid_rows){0};
}

// ---- words

// Of a path the name of its file without ending.
static void stem(const char *path, char *out, size_t size) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    const bool file = dot && dot > name && (strcmp(dot, ".h5") == 0 || strcmp(dot, ".yaml") == 0);
    snprintf(out, size, "%.*s", (int)(file ? dot - name : (long)strlen(name)), name);
}

// How much a label says, where a shorter one is that of another row, too.
enum { SHORT, WHOLE_VALUES, GROUP };

// What a row says of a key: "no_recall", "t5-small", "beta 0.1", "length_normalised", "no length_normalised".
static void append_value(tt_str *out, const tt_config_line *line, int level) {
    char value[TT_PATH_MAX], name[TT_PATH_MAX], *end;
    const char *dot = strrchr(line->key, '.'), *word = dot ? dot + 1 : line->key;
    tt_config_line_text(line, value, sizeof value);
    (void)tt_parse_double(value, &end);
    if (out->length) tt_str_append(out, ", ");
    if (strcmp(value, "true") == 0)
        tt_str_append(out, word);
    else if (strcmp(value, "false") == 0 || !*value)
        tt_str_format(out, "no %s", word);
    else if ((end != value && !*end) || *value == '[')
        tt_str_format(out, "%s %s", word, value);
    else {
        stem(value, name, sizeof name);
        tt_str_append(out, level == SHORT ? name : value);
    }
}

static void append_settings(const tt_grid_rows *rows, const tt_grid_row *row, int level, tt_str *out) {
    const tt_report_run *run = tt_report_first_run(rows->r, row->group);
    const bool named = row->before ? rows->named_before : rows->named;
    tt_config_line line;
    if (named) tt_str_append(out, run->variant_name);
    for (int k = 0; k < rows->n_keys; ++k)
        if (find_setting(rows, run, k, row->before, &line) &&
            (!named || is_varied(rows, rows->keys[k], run->variant_name)))
            append_value(out, &line, level);
}

// A row that differs from no other in its settings is called as its variant, or, of several data sets, as the sweep.
static void label_row(const tt_grid_rows *rows, const tt_grid *grid, tt_grid_row *row, int level) {
    tt_str text = {0};
    const char *group = rows->r->groups[row->group].label;
    if (level == GROUP || rows->sweep < 0)
        tt_str_append(&text, group);
    else
        append_settings(rows, row, level, &text);
    if (!text.length && !row->before)
        tt_str_append(
            &text, grid->n_columns > 1 ? grid->sweep : tt_report_first_run(rows->r, row->group)->variant);
    if (row->before) tt_str_append(&text, text.length ? ", before reflection" : "before reflection");
    snprintf(row->label, sizeof row->label, "%s", tt_str_text(&text));
    tt_str_close(&text);
}

static bool is_shared(const tt_grid *grid, int row) {
    for (int i = 0; i < grid->n; ++i)
        if (i != row && strcmp(grid->rows[i].label, grid->rows[row].label) == 0) return true;
    return false;
}

static void name_columns(tt_grid *grid) {
    char names[TT_GRID_COLUMNS][TT_PATH_MAX];
    for (int i = 0; i < grid->n_columns; ++i) {
        stem(grid->columns[i], names[i], sizeof names[i]);
        if (!*names[i]) snprintf(names[i], sizeof names[i], "test");
    }
    for (int i = 0; i < grid->n_columns; ++i) {
        bool alone = true;
        for (int k = 0; k < grid->n_columns; ++k)
            alone = alone && (k == i || strcmp(names[i], names[k]) != 0);
        if (alone || !*grid->columns[i]) memcpy(grid->columns[i], names[i], sizeof names[i]);
    }
}

void tt_grid_name(const tt_grid_rows *rows, tt_grid *grid) {
    bool again = grid->n > 0;
    for (int i = 0; i < grid->n; ++i) label_row(rows, grid, &grid->rows[i], SHORT);
    while (again) {
        bool shared[grid->n + 1];
        again = false;
        for (int i = 0; i < grid->n; ++i) shared[i] = is_shared(grid, i) && grid->rows[i].level < GROUP;
        for (int i = 0; i < grid->n; ++i) {
            if (!shared[i]) continue;
            label_row(rows, grid, &grid->rows[i], ++grid->rows[i].level);
            again = true;
        }
    }
    name_columns(grid);
}
