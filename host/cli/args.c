#include "host/cli/args.h"

#include "host/base/number.h"
#include "host/base/str.h"
#include "host/cli/help.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tt_status set_option(const tt_arg *arg, const char *command, const char *text) {
    char *end;
    if (arg->type == TT_ARG_TEXT) {
        *(const char **)arg->out = text;
        return TT_OK;
    }
    if (arg->type == TT_ARG_TEXTS) {
        tt_texts *texts = arg->out;
        if (texts->n == (int)(sizeof texts->items / sizeof *texts->items))
            return tt_fail(TT_ERR_USAGE, "%s: --%s is given more than %zu times", command, arg->name,
                sizeof texts->items / sizeof *texts->items);
        texts->items[texts->n++] = text;
        return TT_OK;
    }
    const double value = tt_parse_double(text, &end);
    const bool integer = arg->type == TT_ARG_INTEGER;
    if (end == text || *end || !(value >= arg->low && value <= arg->high) ||
        (integer && value != floor(value)))
        return tt_fail(TT_ERR_USAGE, "%s: --%s %s: expected a %snumber from %.10g to %.10g", command,
            arg->name, text, integer ? "whole " : "", arg->low, arg->high);
    if (integer)
        *(int64_t *)arg->out = (int64_t)value;
    else
        *(double *)arg->out = value;
    return TT_OK;
}

static const tt_arg *find_option(const tt_arg *args, int n, const char *name, size_t length) {
    for (int i = 0; i < n; ++i)
        if (strlen(args[i].name) == length && strncmp(args[i].name, name, length) == 0) return &args[i];
    return NULL;
}

static tt_status unknown_option(const char *command, const tt_arg *args, int n, const char *name) {
    const char *names[64];
    for (int i = 0; i < n && i < 64; ++i) names[i] = args[i].name;
    const char *nearest = tt_nearest(name, names, n < 64 ? n : 64);
    return tt_fail(TT_ERR_USAGE, "%s: unknown option --%s%s%s; see tinythinker %s --help", command, name,
        nearest ? "; did you mean --" : "", nearest ? nearest : "", command);
}

tt_status tt_args_parse(int argc, char **argv, const tt_args *args, tt_texts *rest, bool *help) {
    const char *command = argv[0];
    bool options_end = false;
    *help = false;
    rest->n = 0;
    for (int i = 1; i < argc; ++i) {
        const char *text = argv[i];
        if (options_end || text[0] != '-' || text[1] == '\0') {
            if (rest->n == args->most)
                return tt_fail(TT_ERR_USAGE, "%s: unexpected argument '%s'; see tinythinker %s --help",
                    command, text, command);
            rest->items[rest->n++] = text;
            continue;
        }
        if (strcmp(text, "--") == 0) {
            options_end = true;
            continue;
        }
        const char *name = text + 1 + (text[1] == '-'), *equals = strchr(name, '=');
        const size_t length = equals ? (size_t)(equals - name) : strlen(name);
        if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0) {
            tt_help_show(&(tt_help_page){.name = command, .args = args});
            *help = true;
            return TT_OK;
        }
        const tt_arg *arg = find_option(args->options, args->n, name, length);
        if (!arg) return unknown_option(command, args->options, args->n, name);
        if (arg->type == TT_ARG_FLAG) {
            const bool off = equals && strcmp(equals, "=false") == 0;
            if (equals && !off && strcmp(equals, "=true") != 0)
                return tt_fail(TT_ERR_USAGE, "%s: --%s takes no value but true or false, got '%s'", command,
                    arg->name, equals + 1);
            *(bool *)arg->out = !off;
            continue;
        }
        if (!equals && i + 1 == argc)
            return tt_fail(TT_ERR_USAGE, "%s: --%s: a value is missing", command, arg->name);
        TT_TRY(set_option(arg, command, equals ? equals + 1 : argv[++i]));
    }
    if (rest->n < args->least)
        return tt_fail(TT_ERR_USAGE, "%s: too few arguments; usage: %s", command, args->usage);
    return TT_OK;
}

tt_status tt_args_precision(tt_precision *out, const char *command, const char *word) {
    const tt_status status = tt_precision_parse(out, word);
    return status == TT_OK ? TT_OK : tt_context(status, "%s: --precision", command);
}
