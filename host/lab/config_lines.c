#include "host/lab/config_lines.h"

#include <stdio.h>
#include <string.h>

// "section:", then "  key: value" for each key of it, or "key: value" outside of sections.
bool tt_config_line_next(tt_config_line *r) {
    while (*r->at) {
        const int indent = (int)strspn(r->at, " "), line = (int)strcspn(r->at, "\n");
        const char *name = r->at + indent;
        const int n = (int)strcspn(name, ":\n");
        const char *value = name + n + (name[n] == ':');
        value += strspn(value, " ");
        r->length = (int)(r->at + line - value);
        r->value = value;
        r->at += line + (r->at[line] == '\n');
        if (indent == 0) r->section[0] = '\0';
        if (r->length <= 0) {
            snprintf(r->section, sizeof r->section, "%.*s.", n, name);
            continue;
        }
        snprintf(r->key, sizeof r->key, "%s%.*s", indent ? r->section : "", n, name);
        return true;
    }
    return false;
}

bool tt_config_line_find(const char *yaml, const char *key, tt_config_line *out) {
    *out = (tt_config_line){.at = yaml};
    while (tt_config_line_next(out))
        if (strcmp(out->key, key) == 0) return true;
    return false;
}
