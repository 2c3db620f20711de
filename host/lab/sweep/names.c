#include "host/lab/sweep/names.h"

#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/number.h"
#include "host/lab/config_lines.h"
#include "host/lab/run_directory.h"

#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void tt_sweep_plain(const char *text, tt_str *out) {
    for (const char *p = text; *p; ++p) {
        const bool plain = isalnum((unsigned char)*p) || strchr("._=,+-", *p);
        tt_str_append_n(out, plain ? p : "_", 1);
    }
}

static bool is_number(const char *value) {
    char *end;
    (void)tt_parse_double(value, &end);
    return end != value && *end == '\0';
}

// Words as they are; of a path, the name of the file without the endings of files that runs read.
static void append_word(tt_str *out, const char *text, size_t n) {
    static const char *const endings[] = {".h5", ".yaml", ".yml", ".model", ".jsonl", ".txt"};
    for (size_t i = 0; i < n; ++i)
        if (text[i] == '/') {
            text += i + 1;
            n -= i + 1;
            i = (size_t)-1;
        }
    for (size_t e = 0; e < sizeof endings / sizeof *endings; ++e) {
        const size_t k = strlen(endings[e]);
        if (n > k && strncmp(text + n - k, endings[e], k) == 0) n -= k;
    }
    for (size_t i = 0; i < n; ++i)
        tt_str_append_n(out, isalnum((unsigned char)text[i]) || strchr("._+-", text[i]) ? text + i : "_", 1);
}

static void append_list(tt_str *out, const char *list) {
    const char *entry = list + 1;
    for (size_t n; *entry && *entry != ']'; entry += n + (entry[n] == ',')) {
        entry += strspn(entry, " ");
        n = strcspn(entry, ",]");
        if (entry > list + 1 && out->length && out->data[out->length - 1] != '-') tt_str_append(out, "+");
        append_word(out, entry, n);
    }
}

void tt_sweep_short_value(const char *word, const char *value, tt_str *out) {
    if (*value == '\0' || strcmp(value, "[]") == 0 || strcmp(value, "false") == 0)
        tt_str_format(out, "no_%s", word);
    else if (strcmp(value, "true") == 0)
        tt_str_append(out, word);
    else if (is_number(value)) {
        tt_str_append(out, word);
        append_word(out, value, strlen(value));
    } else if (*value == '[')
        append_list(out, value);
    else
        append_word(out, value, strlen(value));
}

// ---- numbers

// Whether the folder is called as its run was when it began: a copy by hand and a folder that was renamed are not.
static bool has_own_name(const char *path, const char *folder, const char *name) {
    char *yaml = tt_run_directory_config(path), own[256] = "";
    tt_config_line line;
    if (!yaml) return true; // it has not begun
    if (tt_config_line_find(yaml, "name", &line)) tt_config_line_text(&line, own, sizeof own);
    free(yaml);
    if (!*own || strcmp(own, name) == 0) return true;
    tt_warn("%s/%s: this folder is not counted, since the run in it is called %s; if it is not a copy, "
            "rename it back",
        folder, name, own);
    return false;
}

// Notes a run directory of this sweep: the number that its name begins with belongs to its run.
static void take_directory(tt_sweep *sweep, const char *folder, const char *name, bool *used) {
    char path[TT_PATH_MAX], file[TT_PATH_MAX];
    json_t *root = NULL;
    if (tt_path_join(path, sizeof path, folder, name) != TT_OK || !tt_dir_exists(path) ||
        !tt_run_directory_has(path, "sweep.json", file) || tt_json_read(&root, file, 1 << 16) != TT_OK)
        return;
    if (!has_own_name(path, folder, name)) {
        json_decref(root);
        return;
    }
    const char *variant = json_string_value(json_object_get(root, "variant"));
    const json_t *seed = json_object_get(root, "seed"), *number = json_object_get(root, "number");
    const long long n = json_is_integer(number) ? json_integer_value(number) : -1;
    for (int i = 0; variant && json_is_integer(seed) && i < sweep->n; ++i) {
        tt_sweep_run *run = &sweep->runs[i];
        if (run->seed != json_integer_value(seed) || *run->path ||
            (strcmp(run->variant, variant) != 0 && strcmp(run->earlier, variant) != 0))
            continue;
        run->name = tt_arena_strdup(&sweep->memory, name);
        if (run->name) memcpy(run->path, path, sizeof path);
        if (n >= 0 && n < TT_SWEEP_RUNS && !used[n]) run->number = (int)n;
        break;
    }
    if (n >= 0 && n < TT_SWEEP_RUNS)
        used[n] = true; // also that of a run which the file does not have any more
    json_decref(root);
}

static void take_directories(tt_sweep *sweep, const char *folder, bool *used) {
    struct dirent **names;
    const int n = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < n; ++i) {
        if (*names[i]->d_name != '.') take_directory(sweep, folder, names[i]->d_name, used);
        free(names[i]);
    }
    if (n >= 0) free(names);
}

// ---- names.json

static tt_status names_path(const tt_sweep *sweep, char *out) {
    char folder[TT_PATH_MAX];
    TT_TRY(tt_path_join(folder, sizeof folder, sweep->output, sweep->name));
    return tt_path_join(out, TT_PATH_MAX, folder, "names.json");
}

// An array of {"number", "name", "seed", "settings"}; empty where there is none, or it cannot be read.
static json_t *read_names(const tt_sweep *sweep) {
    char path[TT_PATH_MAX];
    json_t *root = NULL;
    if (names_path(sweep, path) == TT_OK && tt_file_exists(path) &&
        tt_json_read(&root, path, 1 << 26) != TT_OK)
        tt_warn("%s; runs that have not begun may get other numbers", tt_error_message());
    if (json_is_array(root)) return root;
    json_decref(root);
    return json_array();
}

static bool is_entry(const json_t *entry, const tt_sweep_run *run) {
    const char *settings = json_string_value(json_object_get(entry, "settings"));
    const json_t *seed = json_object_get(entry, "seed");
    return settings && strcmp(settings, run->key) == 0 && json_is_integer(seed) &&
           json_integer_value(seed) == run->seed;
}

static void take_names(tt_sweep *sweep, const char *folder, bool *used) {
    json_t *root = read_names(sweep), *entry;
    size_t k;
    json_array_foreach(root, k, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        const json_int_t number = json_integer_value(json_object_get(entry, "number"));
        if (!name || tt_name_fault(name) || number < 0 || number >= TT_SWEEP_RUNS || used[number]) continue;
        used[number] = true; // also that of a run which the file does not have any more
        for (int i = 0; i < sweep->n; ++i) {
            tt_sweep_run *run = &sweep->runs[i];
            if (*run->path || !is_entry(entry, run)) continue;
            run->name = tt_arena_strdup(&sweep->memory, name);
            run->number = (int)number;
            if (!run->name || tt_path_join(run->path, sizeof run->path, folder, name) != TT_OK)
                *run->path = '\0';
            break;
        }
    }
    json_decref(root);
}

tt_status tt_sweep_remember(const tt_sweep *sweep) {
    char path[TT_PATH_MAX], folder[TT_PATH_MAX];
    json_t *root = read_names(sweep), *entry;
    bool changed = false;
    for (int i = 0; root && i < sweep->n; ++i) {
        const tt_sweep_run *run = &sweep->runs[i];
        bool known = false;
        size_t k;
        json_array_foreach(root, k, entry) known = known || is_entry(entry, run);
        if (known) continue;
        changed = true;
        json_array_append_new(root, json_pack("{s:i, s:s, s:I, s:s}", "number", run->number, "name",
                                        run->name, "seed", (json_int_t)run->seed, "settings", run->key));
    }
    tt_status status = names_path(sweep, path);
    if (status == TT_OK) status = tt_path_dir(folder, sizeof folder, path);
    if (status == TT_OK && changed) status = tt_make_dirs(folder);
    char *text = status == TT_OK && changed ? json_dumps(root, JSON_INDENT(1)) : NULL;
    if (status == TT_OK && changed)
        status =
            text ? tt_write_file(path, text, strlen(text)) : tt_fail(TT_ERR_NOMEM, "%s: no memory", path);
    free(text);
    json_decref(root);
    return status;
}

static tt_status name_run(tt_sweep *sweep, tt_sweep_run *run, const char *folder) {
    tt_str name = {0};
    tt_str_format(&name, "%02d-", run->number);
    tt_sweep_plain(run->variant, &name);
    tt_str_format(&name, "-s%lld", (long long)run->seed);
    tt_status status = tt_str_status(&name);
    if (status == TT_OK && !(run->name = tt_arena_strdup(&sweep->memory, tt_str_text(&name))))
        status = TT_ERR_NOMEM;
    tt_str_close(&name);
    TT_TRY(status);
    const char *fault = tt_name_fault(run->name);
    if (fault)
        return tt_fail(TT_ERR_CONFIG,
            "%s:%d: the name '%.60s' of a run's folder %s; give the variant another name, or use named "
            "variants instead of axes",
            sweep->file, run->line, run->name, fault);
    return tt_path_join(run->path, sizeof run->path, folder, run->name);
}

tt_status tt_sweep_number(tt_sweep *sweep) {
    char folder[TT_PATH_MAX];
    bool *used;
    int next = 0;
    TT_TRY(tt_path_join(folder, sizeof folder, sweep->output, sweep->name));
    TT_TRY(tt_alloc(&used, TT_SWEEP_RUNS, sizeof *used, "runs"));
    for (int i = 0; i < sweep->n; ++i) sweep->runs[i].number = -1;
    take_names(sweep, folder, used);
    take_directories(sweep, folder, used);
    tt_status status = TT_OK;
    for (int i = 0; i < sweep->n && status == TT_OK; ++i) {
        tt_sweep_run *run = &sweep->runs[i];
        if (run->number >= 0) continue;
        while (next < TT_SWEEP_RUNS && used[next]) ++next;
        run->number = next++;
        if (!*run->path) status = name_run(sweep, run, folder);
    }
    free(used);
    return status;
}
