#include "host/cli/args.h"

#include "host/base/number.h"
#include "host/base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const char *synopsis, const tt_arg *args, int n) {
    printf("%s\n", synopsis);
    if (n) printf("\noptions:\n");
    for (int i = 0; i < n; ++i) {
        char left[64];
        snprintf(left, sizeof left, "%s%s %s", args[i].name[1] ? "--" : "-", args[i].name,
            args[i].value ? args[i].value : "");
        printf("  %-24s %s\n", left, args[i].help);
    }
}

static tt_status set(const tt_arg *arg, const char *command, const char *text) {
    char *end;
    if (arg->type == TT_ARG_TEXT) {
        *(const char **)arg->out = text;
        return TT_OK;
    }
    if (arg->type == TT_ARG_TEXTS) {
        tt_texts *texts = arg->out;
        if (texts->n == (int)(sizeof texts->items / sizeof *texts->items))
            return tt_fail(TT_ERR_USAGE, "%s: --%s is given too often", command, arg->name);
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

static const tt_arg *find(const tt_arg *args, int n, const char *name, size_t length) {
    for (int i = 0; i < n; ++i)
        if (strlen(args[i].name) == length && strncmp(args[i].name, name, length) == 0) return &args[i];
    return NULL;
}

static tt_status unknown(const char *command, const tt_arg *args, int n, const char *name) {
    const char *names[64];
    for (int i = 0; i < n && i < 64; ++i) names[i] = args[i].name;
    const char *nearest = tt_nearest(name, names, n < 64 ? n : 64);
    return tt_fail(TT_ERR_USAGE, "%s: there is no option --%s%s%s; see tinythinker %s --help", command, name,
        nearest ? "; did you mean --" : "", nearest ? nearest : "", command);
}

tt_status tt_args_parse(int argc, char **argv, const char *synopsis, const tt_arg *args, int n,
    tt_texts *rest, int least, int most, bool *help) {
    const char *command = argv[0];
    bool options_end = false;
    *help = false;
    rest->n = 0;
    for (int i = 1; i < argc; ++i) {
        const char *text = argv[i];
        if (options_end || text[0] != '-' || text[1] == '\0') {
            if (rest->n == most)
                return tt_fail(TT_ERR_USAGE, "%s: unexpected argument '%s'; see --help", command, text);
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
            print_help(synopsis, args, n);
            *help = true;
            return TT_OK;
        }
        const tt_arg *arg = find(args, n, name, length);
        if (!arg) return unknown(command, args, n, name);
        if (arg->type == TT_ARG_FLAG) {
            *(bool *)arg->out = true;
            continue;
        }
        if (!equals && i + 1 == argc)
            return tt_fail(TT_ERR_USAGE, "%s: --%s lacks its value", command, arg->name);
        TT_TRY(set(arg, command, equals ? equals + 1 : argv[++i]));
    }
    if (rest->n < least) return tt_fail(TT_ERR_USAGE, "%s: too few arguments; %s", command, synopsis);
    return TT_OK;
}

tt_status tt_args_precision(tt_precision *out, const char *command, const char *word) {
    const tt_status status = tt_precision_parse(out, word);
    return status == TT_OK ? TT_OK : tt_context(status, "%s: --precision", command);
}
