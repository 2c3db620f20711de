#include "host/cli/paths.h"

#include "host/base/output.h"
#include "host/base/target.h"
#include "host/data/world/world.h"
#include "host/lab/run_directory.h"

#include <stdio.h>
#include <string.h>

enum { MOST_USES = 600 };
static const char standard_input[] = "/dev/stdin";

static bool is_output(tt_path_role role) {
    return role == TT_OUTPUT_STREAM || role == TT_OUTPUT_FILE || role == TT_OUTPUT_FOLDER;
}

// Whether the output can be written there at all.
static tt_status check_output(const char *where, const tt_path_use *use) {
    tt_target target;
    if (strcmp(use->path, "-") == 0 && use->role != TT_OUTPUT_STREAM)
        return tt_fail(TT_ERR_USAGE,
            "%s: %s -: standard output cannot take this result; expected the name of a %s", where, use->name,
            use->role == TT_OUTPUT_FOLDER ? "folder" : "file");
    TT_TRY(tt_target_find(&target, use->path));
    if (use->role == TT_OUTPUT_FOLDER) {
        if (target.exists && !S_ISDIR(target.st.st_mode))
            return tt_fail(TT_ERR_IO, "%s: is %s; expected a folder", use->path, tt_file_kind(&target.st));
        return TT_OK;
    }
    const tt_status status = tt_target_check(&target, use->path, use->role == TT_OUTPUT_FILE);
    if (status != TT_OK) return tt_context(status, "%s: %s", where, use->name);
    if (target.exists && tt_run_directory_owns(target.path))
        return tt_fail(TT_ERR_USAGE,
            "%s: %s %s: belongs to the run in this folder, which alone writes it; name "
            "another file",
            where, use->name, use->path);
    return TT_OK;
}

// Devices may be shared: nothing is lost in them.
static bool can_be_lost(const char *path) {
    tt_target target;
    return tt_target_find(&target, path) == TT_OK &&
           (!target.exists || S_ISREG(target.st.st_mode) || S_ISDIR(target.st.st_mode));
}

static tt_status check_pair(const char *where, const tt_path_use *output, const tt_path_use *other) {
    const bool two = is_output(other->role);
    const bool standard = two && tt_target_is_stdout(output->path) && tt_target_is_stdout(other->path);
    if (!standard && (!tt_target_same(output->path, other->path) || !can_be_lost(output->path))) return TT_OK;
    if (two)
        return tt_fail(TT_ERR_USAGE, "%s: %s and %s lead to the same place, %s; name two", where, other->name,
            output->name, tt_output_name(output->path));
    const char *open = other->name ? " (" : "", *name = other->name ? other->name : "",
               *close = other->name ? ")" : "";
    if (strcmp(output->path, other->path) == 0)
        return tt_fail(TT_ERR_USAGE, "%s: %s %s: this file is read, too%s%s%s; write to another one", where,
            output->name, output->path, open, name, close);
    return tt_fail(TT_ERR_USAGE,
        "%s: %s %s: is the same file as %s, which is read%s%s%s; write to another one", where, output->name,
        output->path, other->path, open, name, close);
}

tt_status tt_paths_check(const char *where, const tt_path_use *uses, int n) {
    for (int i = 0; i < n; ++i) {
        if (!is_output(uses[i].role) || !uses[i].path || !*uses[i].path) continue;
        TT_TRY(check_output(where, &uses[i]));
        for (int k = 0; k < n; ++k)
            if (uses[k].role != TT_NO_PATH && uses[k].path && *uses[k].path &&
                (k < i || !is_output(uses[k].role)))
                TT_TRY(check_pair(where, &uses[i], &uses[k]));
    }
    return TT_OK;
}

static tt_status check_input(
    const char *where, const tt_path_use *outputs, int n, const char *key, const char *path) {
    for (int k = 0; k < n; ++k)
        if (*path && outputs[k].path && *outputs[k].path)
            TT_TRY(check_pair(where, &outputs[k], &(tt_path_use){key, path, TT_INPUT}));
    return TT_OK;
}

tt_status tt_paths_check_world(const char *where, const tt_path_use *outputs, int n, const char *world_yaml) {
    tt_world_input inputs[TT_WORLD_INPUTS];
    int n_inputs;
    TT_TRY(tt_world_inputs(world_yaml, inputs, &n_inputs));
    for (int i = 0; i < n_inputs; ++i) TT_TRY(check_input(where, outputs, n, inputs[i].key, inputs[i].path));
    return TT_OK;
}

tt_status tt_paths_check_config(
    const char *where, const tt_path_use *outputs, int n, const tt_config *config) {
    const char *path, *key;
    for (int i = 0; (path = tt_config_input(config, i, &key)); ++i)
        TT_TRY(check_input(where, outputs, n, key, path));
    for (int i = 0; i < config->files.n; ++i)
        TT_TRY(check_input(where, outputs, n, i ? "base" : NULL, config->files.items[i]));
    if (!tt_ends_with(config->corpus, ".yaml") || !tt_file_exists(config->corpus)) return TT_OK;
    return tt_paths_check_world(where, outputs, n, config->corpus);
}

// What is used, and the names of the options that name it.
typedef struct use_list {
    tt_path_use items[MOST_USES];
    char names[64][40];
    int n;
} use_list;

static void add_use(use_list *list, const char *name, const char **path, tt_path_role role) {
    if (role == TT_INPUT && *path && strcmp(*path, "-") == 0) *path = standard_input;
    if (*path && list->n < MOST_USES)
        list->items[list->n++] = (tt_path_use){.name = name, .path = *path, .role = role};
}

static void add_options(use_list *list, const tt_args *args) {
    for (int i = 0; i < args->n; ++i) {
        const tt_arg *arg = &args->options[i];
        if (arg->role == TT_NO_PATH) continue;
        snprintf(list->names[i], sizeof list->names[i], "%s%s", arg->name[1] ? "--" : "-", arg->name);
        if (arg->type == TT_ARG_TEXT) {
            add_use(list, list->names[i], arg->out, arg->role);
            continue;
        }
        tt_texts *texts = arg->out;
        for (int k = 0; k < texts->n; ++k) add_use(list, list->names[i], &texts->items[k], arg->role);
    }
}

tt_status tt_paths_check_args(const char *command, const tt_args *args, tt_texts *rest) {
    use_list list = {.n = 0};
    add_options(&list, args);
    for (int i = args->first_input; i < rest->n && i < args->first_input + args->inputs; ++i)
        add_use(&list, NULL, &rest->items[i], TT_INPUT);
    TT_TRY(tt_paths_check(command, list.items, list.n));
    for (int i = 0; i < list.n; ++i)
        if (list.items[i].role == TT_OUTPUT_STREAM && tt_target_is_stdout(list.items[i].path))
            return tt_output_claim_stdout();
    return TT_OK;
}
