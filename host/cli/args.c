#include "host/cli/args.h"

#include "host/base/log.h"
#include "host/base/number.h"
#include "host/base/str.h"
#include "host/cli/help.h"
#include "host/cli/paths.h"
#include "host/config/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OPTIONS = 64 };

// What is being read.
typedef struct reader {
    const char *command;
    const tt_args *args;
    bool given[MOST_OPTIONS]; // options
} reader;

// What stands before an option's name: -o, --corpus.
static const char *dashes(const tt_arg *arg) {
    return arg->name[1] ? "--" : "-";
}

static tt_status check_word(const reader *r, const tt_arg *arg, const char *text) {
    char where[128];
    snprintf(where, sizeof where, "%s: %s%s", r->command, dashes(arg), arg->name);
    return tt_word_check(TT_ERR_USAGE, where, arg->words, text);
}

static tt_status set_text(const reader *r, const tt_arg *arg, const char *text) {
    if (!*text)
        return tt_fail(TT_ERR_USAGE, "%s: %s%s: its value is empty", r->command, dashes(arg), arg->name);
    if (arg->words) TT_TRY(check_word(r, arg, text));
    if (arg->type == TT_ARG_TEXT) {
        *(const char **)arg->out = text;
        return TT_OK;
    }
    tt_texts *texts = arg->out;
    if (texts->n == (int)(sizeof texts->items / sizeof *texts->items))
        return tt_fail(TT_ERR_USAGE, "%s: %s%s is given more than %zu times", r->command, dashes(arg),
            arg->name, sizeof texts->items / sizeof *texts->items);
    texts->items[texts->n++] = text;
    return TT_OK;
}

// Decimal digits alone: strtod would also read 0x10, inf, nan and a number behind white space.
static bool read_number(const char *text, double *out) {
    char *end;
    if (strspn(text, "+-.0123456789eE") != strlen(text)) return false;
    *out = tt_parse_double(text, &end);
    return end != text && *end == '\0';
}

static tt_status set_number(const reader *r, const tt_arg *arg, const char *text) {
    double value;
    const bool integer = arg->type == TT_ARG_INTEGER;
    if (!read_number(text, &value) || !(value >= arg->low && value <= arg->high) ||
        (integer && value != floor(value)))
        return tt_fail(TT_ERR_USAGE, "%s: %s%s %s: expected a %snumber from %.10g to %.10g", r->command,
            dashes(arg), arg->name, text, integer ? "whole " : "", arg->low, arg->high);
    if (integer)
        *(int64_t *)arg->out = (int64_t)value;
    else
        *(double *)arg->out = value;
    return TT_OK;
}

static tt_status set_flag(const reader *r, const tt_arg *arg, const char *value) {
    const bool off = value && strcmp(value, "false") == 0;
    if (value && !off && strcmp(value, "true") != 0)
        return tt_fail(TT_ERR_USAGE, "%s: %s%s takes no value but true or false, got '%s'", r->command,
            dashes(arg), arg->name, value);
    *(bool *)arg->out = !off;
    return TT_OK;
}

// The option that a text such as --name, --name=value or -o names; NULL where it names none. *value receives what follows
// the first `=`, or NULL.
static const tt_arg *find_option(const tt_args *args, const char *text, const char **value) {
    const char *name = text + 1 + (text[1] == '-'), *equals = strchr(name, '=');
    const size_t length = equals ? (size_t)(equals - name) : strlen(name);
    if (value) *value = equals ? equals + 1 : NULL;
    for (int i = 0; i < args->n; ++i)
        if (strlen(args->options[i].name) == length && strncmp(args->options[i].name, name, length) == 0)
            return &args->options[i];
    return NULL;
}

// Suggests the option that begins so, or else the nearest.
static tt_status unknown_option(const reader *r, const char *text) {
    const char *names[MOST_OPTIONS], *begins = NULL;
    char name[128];
    const char *start = text + 1 + (text[1] == '-');
    snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "="), start);
    for (int i = 0; i < r->args->n; ++i) {
        names[i] = r->args->options[i].name;
        if (*name && tt_starts_with(names[i], name)) begins = names[i];
    }
    const char *near = begins ? begins : name[0] && name[1] ? tt_nearest(name, names, r->args->n) : NULL;
    return tt_fail(TT_ERR_USAGE, "%s: unknown option %.*s%s%s%s%s; see tinythinker %s --help", r->command,
        (int)(start - text) + (int)strlen(name), text, near ? "; did you mean " : "",
        !near     ? ""
        : near[1] ? "--"
                  : "-",
        near ? near : "", near ? "" : "; to give a value that begins with -, put -- before it", r->command);
}

// Takes the option of argv[*i], and its value, which may be the next one: *i is then moved on.
static tt_status take_option(reader *r, int argc, char **argv, int *i) {
    const char *value;
    const tt_arg *arg = find_option(r->args, argv[*i], &value);
    if (!arg) return unknown_option(r, argv[*i]);
    const size_t place = (size_t)(arg - r->args->options);
    if (r->given[place] && arg->type != TT_ARG_TEXTS)
        tt_warn("%s: %s%s is given more than once; the last one counts", r->command, dashes(arg), arg->name);
    r->given[place] = true;
    if (arg->type == TT_ARG_FLAG) return set_flag(r, arg, value);
    if (!value && *i + 1 == argc)
        return tt_fail(TT_ERR_USAGE, "%s: %s%s: a value is missing", r->command, dashes(arg), arg->name);
    if (!value) {
        value = argv[++*i];
        if (value[0] == '-' && value[1] && find_option(r->args, value, NULL))
            return tt_fail(TT_ERR_USAGE, "%s: %s%s: a value is missing before %s; %s%s=%s would be a value",
                r->command, dashes(arg), arg->name, value, dashes(arg), arg->name, value);
    }
    const bool text = arg->type == TT_ARG_TEXT || arg->type == TT_ARG_TEXTS;
    return text ? set_text(r, arg, value) : set_number(r, arg, value);
}

static bool is_help(const char *text) {
    return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0 || strcmp(text, "-help") == 0;
}

static tt_status read_all(reader *r, int argc, char **argv, tt_texts *rest, bool *help) {
    bool options_end = false;
    for (int i = 1; i < argc; ++i) {
        const char *text = argv[i];
        if (options_end || text[0] != '-' || text[1] == '\0') {
            if (rest->n == r->args->most)
                return tt_fail(TT_ERR_USAGE, "%s: unexpected argument '%s'; see tinythinker %s --help",
                    r->command, text, r->command);
            rest->items[rest->n++] = text;
        } else if (strcmp(text, "--") == 0) {
            options_end = true;
        } else if (is_help(text)) {
            tt_help_show(&(tt_help_page){.name = r->command, .args = r->args});
            *help = true;
            return TT_OK;
        } else {
            TT_TRY(take_option(r, argc, argv, &i));
        }
    }
    if (rest->n < r->args->least)
        return tt_fail(TT_ERR_USAGE, "%s: too few arguments; usage: %s", r->command, r->args->usage);
    return TT_OK;
}

tt_status tt_args_parse(int argc, char **argv, const tt_args *args, tt_texts *rest, bool *help) {
    reader r = {.command = argv[0], .args = args};
    *help = false;
    rest->n = 0;
    if (args->n > MOST_OPTIONS) return tt_fail(TT_ERR_INTERNAL, "%s: too many options", r.command);
    TT_TRY(read_all(&r, argc, argv, rest, help));
    return *help ? TT_OK : tt_paths_check_args(r.command, args, rest);
}
