// Configurations: defaults, YAML files with inheritance, overrides, writing, help.
#include "host/config/config.h"

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/config/config_keys.h"
#include "host/config/config_yaml.h"

#include <stdlib.h>
#include <string.h>

tt_status tt_config_open(tt_config *config) {
    int n;
    const tt_key *keys = tt_keys(&n);
    *config = (tt_config){0};
    for (int i = 0; i < n; ++i) TT_TRY(tt_key_set(config, &keys[i], keys[i].initial));
    return TT_OK;
}

void tt_config_close(tt_config *config) {
    int n;
    const tt_key *keys = tt_keys(&n);
    for (int i = 0; i < n; ++i) {
        if (keys[i].type == TT_KEY_LIST) tt_key_clear(config, &keys[i]);
        if (keys[i].type == TT_KEY_TEXT) free(*(char **)((char *)config + keys[i].offset));
    }
    *config = (tt_config){0};
}

tt_status tt_config_set(tt_config *config, const char *path, const char *value) {
    const tt_key *key = tt_key_find(path);
    if (key) return tt_key_set(config, key, value);
    if (tt_key_removed(path))
        return tt_fail(TT_ERR_CONFIG, "%s: this key was removed: %s", path, tt_key_removed(path));
    const char *nearest = tt_key_nearest(path);
    return tt_fail(
        TT_ERR_CONFIG, "%s: no such key%s%s", path, nearest ? "; did you mean " : "", nearest ? nearest : "");
}

static tt_status override(tt_config *config, const char *text) {
    const char *equals = strchr(text, '=');
    char path[128];
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof path)
        return tt_fail(TT_ERR_USAGE, "--set %s: expected key=value, e.g. acquisition.steps=100", text);
    memcpy(path, text, (size_t)(equals - text));
    path[equals - text] = '\0';
    tt_status status = tt_config_set(config, path, equals + 1);
    return status == TT_OK ? TT_OK : tt_context(status, "--set");
}

bool tt_config_removed(const char *key) {
    return tt_key_removed(key) != NULL;
}

// Checks that involve more than one key.
static tt_status check(const tt_config *c) {
    if (c->name[0] == '\0' || strchr(c->name, '/') || c->name[0] == '.')
        return tt_fail(TT_ERR_CONFIG, "name: '%s' cannot name a directory", c->name);
    if (c->model.start[0] == '\0' && c->model.tokenizer[0] == '\0')
        return tt_fail(
            TT_ERR_CONFIG, "model: give start (a checkpoint), or tokenizer and shape for random weights");
    if (c->pretraining.train.enabled && c->pretraining.text.n == 0 && c->pretraining.pairs.n == 0)
        return tt_fail(TT_ERR_CONFIG, "pretraining: enabled, but neither text nor pairs name a file");
    if ((c->acquisition.enabled || !c->pretraining.train.enabled) && c->corpus[0] == '\0')
        return tt_fail(TT_ERR_CONFIG, "corpus: is empty; name a corpus .h5 or a world .yaml");
    return TT_OK;
}

tt_status tt_config_read(tt_config *config, const char *path) {
    tt_status status = tt_config_open(config);
    if (status == TT_OK) status = tt_config_read_yaml(config, path, 0, false);
    if (status != TT_OK) tt_config_close(config);
    return status;
}

tt_status tt_config_load_written(tt_config *config, const char *path) {
    tt_status status = tt_config_open(config);
    if (status == TT_OK) status = tt_config_read_yaml(config, path, 0, true);
    if (status == TT_OK) status = check(config);
    if (status != TT_OK) tt_config_close(config);
    return status;
}

tt_status tt_config_load(tt_config *config, const char *path, const char *const *overrides, int n_overrides) {
    tt_status status = tt_config_open(config);
    if (status == TT_OK) status = tt_config_read_yaml(config, path, 0, false);
    for (int i = 0; i < n_overrides && status == TT_OK; ++i) status = override(config, overrides[i]);
    if (status == TT_OK) {
        status = check(config);
        if (status != TT_OK) tt_context(status, "%s", path);
    }
    if (status != TT_OK) tt_config_close(config);
    return status;
}

static void append_quoted(tt_str *out, const char *text) {
    tt_str_append(out, "\"");
    for (; *text; ++text) {
        if (*text == '"' || *text == '\\') tt_str_append(out, "\\");
        if (*text == '\n')
            tt_str_append(out, "\\n");
        else
            tt_str_append_n(out, text, 1);
    }
    tt_str_append(out, "\"");
}

static void append_real(tt_str *out, double value) {
    char text[32];
    for (int digits = 6; digits <= 17; ++digits) { // the shortest that reads back the same
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    tt_str_append(out, text);
}

static void append_value(tt_str *out, const tt_config *config, const tt_key *key) {
    const void *slot = (const char *)config + key->offset;
    const tt_text_list *list = slot;
    switch (key->type) {
    case TT_KEY_TEXT:
        append_quoted(out, *(char *const *)slot);
        break;
    case TT_KEY_INTEGER:
        tt_str_format(out, "%lld", (long long)*(const int64_t *)slot);
        break;
    case TT_KEY_REAL:
        append_real(out, *(const double *)slot);
        break;
    case TT_KEY_BOOL:
        tt_str_append(out, *(const bool *)slot ? "true" : "false");
        break;
    case TT_KEY_LIST:
        tt_str_append(out, "[");
        for (int i = 0; i < list->n; ++i) {
            if (i) tt_str_append(out, ", ");
            append_quoted(out, list->items[i]);
        }
        tt_str_append(out, "]");
        break;
    }
}

tt_status tt_config_write(const tt_config *config, tt_str *out) {
    int n;
    const tt_key *keys = tt_keys(&n);
    char section[64] = "";
    for (int i = 0; i < n; ++i) {
        const char *dot = strchr(keys[i].path, '.');
        const size_t length = dot ? (size_t)(dot - keys[i].path) : 0;
        if (dot && (strlen(section) != length || strncmp(section, keys[i].path, length) != 0)) {
            memcpy(section, keys[i].path, length);
            section[length] = '\0';
            tt_str_format(out, "%s:\n", section);
        }
        tt_str_format(out, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : keys[i].path);
        append_value(out, config, &keys[i]);
        tt_str_append(out, "\n");
    }
    return tt_str_status(out);
}

bool tt_config_key_at(int i, tt_config_key *out) {
    static const char *const types[] = {"text", "whole number", "number", "true|false", "list"};
    int n;
    const tt_key *key = tt_keys(&n) + i;
    if (i < 0 || i >= n) return false;
    *out = (tt_config_key){.path = key->path,
        .allowed = key->words ? key->words : types[key->type],
        .initial = key->initial,
        .help = key->help};
    return true;
}

void tt_config_help(FILE *out) {
    tt_config_key key;
    fprintf(out, "Keys of a configuration; a.b is key b in section a. `base: FILE` takes over another file "
                 "first.\n\n");
    for (int i = 0; tt_config_key_at(i, &key); ++i)
        fprintf(out, "%s  (%s, default %s)\n    %s\n", key.path, key.allowed,
            key.initial[0] ? key.initial : "empty", key.help);
}
