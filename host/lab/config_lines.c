#include "host/lab/config_lines.h"

#include <stdio.h>
#include <string.h>

// The text has a line "section:" followed by "  key: value" for each of its keys, or "key: value" outside
// sections.
bool tt_config_line_next(tt_config_line *line) {
    while (*line->rest) {
        const char *start = line->rest;
        const int indent = (int)strspn(start, " "), bytes = (int)strcspn(start, "\n");
        const char *name = start + indent;
        const int n = (int)strcspn(name, ":\n");
        const char *value = name + n + (name[n] == ':');
        value += strspn(value, " ");
        line->length = (int)(start + bytes - value);
        line->value = value;
        line->rest = start + bytes + (start[bytes] == '\n');
        if (indent == 0) line->section[0] = '\0';
        if (line->length <= 0) {
            snprintf(line->section, sizeof line->section, "%.*s.", n, name);
            continue;
        }
        snprintf(line->key, sizeof line->key, "%s%.*s", indent ? line->section : "", n, name);
        return true;
    }
    return false;
}

bool tt_config_line_find(const char *yaml, const char *key, tt_config_line *out) {
    *out = (tt_config_line){.rest = yaml};
    while (tt_config_line_next(out))
        if (strcmp(out->key, key) == 0) return true;
    return false;
}

void tt_config_line_text(const tt_config_line *line, char *out, size_t size) {
    const int quotes = line->length >= 2 && line->value[0] == '"' ? 1 : 0;
    snprintf(out, size, "%.*s", line->length - 2 * quotes, line->value + quotes);
}
