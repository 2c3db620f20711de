// Configurations: defaults, YAML files with inheritance, overrides, checks, writing, help.
#include "host/config/config.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/config/config_keys.h"
#include "host/config/config_yaml.h"
#include "host/config/words.h"

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
    for (int i = 0; i < config->files.n; ++i) free(config->files.items[i]);
    *config = (tt_config){0};
}

tt_status tt_config_set(tt_config *config, const char *path, const char *value) {
    const tt_key *key = tt_key_find(path);
    if (key) return tt_key_set(config, key, value);
    if (tt_key_removed(path))
        return tt_fail(TT_ERR_CONFIG, "%s: this key was removed: %s", path, tt_key_removed(path));
    if (tt_key_is_section(path))
        return tt_fail(TT_ERR_CONFIG, "%s: is a section; expected one of its keys, %s.KEY", path, path);
    const char *nearest = tt_key_nearest(path);
    return tt_fail(
        TT_ERR_CONFIG, "%s: unknown key%s%s", path, nearest ? "; did you mean " : "", nearest ? nearest : "");
}

static tt_status apply_override(tt_config *config, const char *text) {
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

tt_config_role tt_config_role_of(const char *key) {
    const tt_key *known = tt_key_find(key);
    return known ? known->role : TT_ROLE_TRAINING;
}

tt_status tt_config_canonical(const char *path, const char *value, tt_str *out) {
    const tt_key *key = tt_key_find(path);
    tt_config config = {0};
    tt_status status = tt_config_set(&config, path, value);
    if (status == TT_OK && key) tt_key_write(out, &config, key);
    tt_config_close(&config);
    return status == TT_OK ? tt_str_status(out) : status;
}

tt_status tt_config_default(const char *path, tt_str *out) {
    const tt_key *key = tt_key_find(path);
    return key ? tt_config_canonical(path, key->initial, out) : TT_OK;
}

bool tt_config_has(const char *path) {
    return tt_key_find(path) != NULL;
}

tt_status tt_config_value(const tt_config *config, const char *path, tt_str *out) {
    const tt_key *key = tt_key_find(path);
    if (key && key->type == TT_KEY_TEXT)
        tt_str_append(out, *(char *const *)((const char *)config + key->offset));
    else if (key)
        tt_key_write(out, config, key);
    return tt_str_status(out);
}

static void warn_of_adapters(const tt_config *c) {
    const bool set = c->model.adapters.alpha > 0;
    if (c->model.adapters.rank == 0 && set)
        tt_warn("model.adapters.alpha is %g, but model.adapters.rank is 0: there are no adapters",
            c->model.adapters.alpha);
    if (c->model.adapters.rank > 0 && !c->acquisition.enabled && c->reflection.iterations == 0)
        tt_warn("model.adapters.rank is %lld, but the run has neither acquisition nor reflection: "
                "pretraining trains all "
                "weights",
            (long long)c->model.adapters.rank);
}

void tt_config_warn(const tt_config *config) {
    tt_str others = {0};
    warn_of_adapters(config);
    bool smooths = true;
#define LOSS(code, word, formula, smoothed, at_zero, smoothing, normalised)                                  \
    if (smoothing) tt_str_format(&others, "%s%s", others.length ? ", " : "", word);                          \
    if (strcmp(config->reflection.loss, word) == 0) smooths = smoothing;
    TT_LOSS_MAP(LOSS)
#undef LOSS
    if (config->reflection.iterations > 0 && config->reflection.label_smoothing > 0 && !smooths)
        tt_warn("reflection.label_smoothing is %g, but reflection.loss is %s, which ignores it; losses that "
                "use it: "
                "%s",
            config->reflection.label_smoothing, config->reflection.loss, tt_str_text(&others));
    tt_str_close(&others);
}

static tt_status check_adapters(const tt_config *c) {
    if (c->model.adapters.rank == 0) return TT_OK;
    if (c->model.adapters.targets.n == 0)
        return tt_fail(TT_ERR_CONFIG,
            "model.adapters.targets: is empty, but model.adapters.rank is %lld; name the weights that have "
            "adapters, e.g. "
            "[q, v]",
            (long long)c->model.adapters.rank);
    if (c->model.start[0] || c->pretraining.train.enabled) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "model.adapters.rank: is %lld, but the student begins with random weights, which adapters cannot "
        "make up for; set "
        "model.start to a trained checkpoint, or rank to 0",
        (long long)c->model.adapters.rank);
}

// Checks that involve more than one key.
static tt_status check_together(const tt_config *c) {
    const char *fault = tt_name_fault(c->name);
    if (fault)
        return tt_fail(
            TT_ERR_CONFIG, "name: '%.60s' %s; expected the name of a folder within output", c->name, fault);
    if (c->model.start[0] == '\0' && c->model.tokenizer[0] == '\0')
        return tt_fail(
            TT_ERR_CONFIG, "model: set start to a checkpoint, or tokenizer and shape for random weights");
    if (c->pretraining.train.enabled && c->pretraining.text.n == 0 && c->pretraining.pairs.n == 0)
        return tt_fail(TT_ERR_CONFIG, "pretraining: is enabled, but neither text nor pairs names a file");
    if ((c->acquisition.enabled || !c->pretraining.train.enabled) && c->corpus[0] == '\0')
        return tt_fail(TT_ERR_CONFIG, "corpus: is empty; set it to a corpus .h5 or a world .yaml");
    return check_adapters(c);
}

// What would be told no earlier than the final evaluation. Not of a written configuration, so that a run that has it can be read.
static tt_status check_evaluation(const tt_config *c) {
    const int64_t beams = c->evaluation.beams, slots = c->evaluation.slots;
    if (c->evaluation.splits.n == 0) return TT_OK;
    if (c->evaluation.min_length > c->evaluation.max_length)
        return tt_fail(TT_ERR_CONFIG,
            "evaluation.min_length: is %lld, above evaluation.max_length, %lld, so that no text could end",
            (long long)c->evaluation.min_length, (long long)c->evaluation.max_length);
    if (beams <= slots) return TT_OK;
    return tt_fail(TT_ERR_CONFIG,
        "evaluation.beams: is %lld, but evaluation.slots, the texts decoded at the same time, is %lld; set "
        "evaluation.slots to %lld or more, or lower the beams",
        (long long)beams, (long long)slots, (long long)beams);
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
    if (status == TT_OK) status = check_together(config);
    if (status != TT_OK) tt_config_close(config);
    return status;
}

tt_status tt_config_load(tt_config *config, const char *path, const char *const *overrides, int n_overrides) {
    tt_status status = tt_config_open(config);
    if (status == TT_OK) status = tt_config_read_yaml(config, path, 0, false);
    for (int i = 0; i < n_overrides && status == TT_OK; ++i) status = apply_override(config, overrides[i]);
    if (status == TT_OK) {
        status = check_together(config);
        if (status == TT_OK) status = check_evaluation(config);
        if (status != TT_OK) tt_context(status, "%s", path);
    }
    if (status != TT_OK) tt_config_close(config);
    return status;
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
        tt_key_write(out, config, &keys[i]);
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

// Prints words after column `column`, broken before column 80, further lines indented by `indent`.
static void print_wrapped(FILE *out, const char *text, int *column, int indent) {
    while (*text) {
        const int n = (int)strcspn(text, " ");
        if (*column > indent && *column + 1 + n > 79) {
            fputc('\n', out);
            *column = 0;
        }
        if (*column == 0)
            fprintf(out, "%*s", indent, "");
        else
            fputc(' ', out);
        *column = *column == 0 ? indent + n : *column + 1 + n;
        fwrite(text, 1, (size_t)n, out);
        text += n + (text[n] == ' ');
    }
}

static void print_key(FILE *out, const tt_key *k) {
    static const char *const types[] = {[TT_KEY_TEXT] = "text",
        [TT_KEY_INTEGER] = "whole number",
        [TT_KEY_REAL] = "number",
        [TT_KEY_BOOL] = "true or false",
        [TT_KEY_LIST] = "list"};
    fprintf(out, "%s  (%s, default %s)\n", k->path,
        k->words && k->type == TT_KEY_TEXT ? "word" : types[k->type], k->initial[0] ? k->initial : "empty");
    int column = 0;
    print_wrapped(out, k->help, &column, 4);
    if (k->words) {
        tt_str words = {0};
        tt_str_append(&words, k->type == TT_KEY_LIST ? "Any of " : "One of ");
        for (const char *p = k->words; *p; ++p)
            tt_str_append_n(&words, *p == '|' ? ", " : p, *p == '|' ? 2 : 1);
        tt_str_append(&words, ".");
        print_wrapped(out, tt_str_text(&words), &column, 4);
        tt_str_close(&words);
    }
    fputc('\n', out);
}

void tt_config_help(FILE *out) {
    int n;
    const tt_key *keys = tt_keys(&n);
    fputs("Keys of a configuration (YAML). a.b is key b of section a. `base: FILE` reads\n"
          "another file first, its path relative to the file that names it.\n\n",
        out);
    for (int i = 0; i < n; ++i) print_key(out, &keys[i]);
}

const char *tt_config_input(const tt_config *config, int i, const char **key) {
    const struct {
        const char *key, *path;
    } single[] = {{"corpus", config->corpus}, {"model.start", config->model.start},
        {"model.tokenizer", config->model.tokenizer}};
    const struct {
        const char *key;
        const tt_text_list *paths;
    } lists[] = {
        {"pretraining.text", &config->pretraining.text}, {"pretraining.pairs", &config->pretraining.pairs}};
    const int n = (int)(sizeof single / sizeof *single);
    if (i < n) {
        *key = single[i].key;
        return single[i].path;
    }
    i -= n;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; i -= lists[l++].paths->n) {
        *key = lists[l].key;
        if (i < lists[l].paths->n) return lists[l].paths->items[i];
    }
    return NULL;
}
