// JSONL files, read in spite of damaged lines.
#include "host/base/log.h"
#include "host/report/runs/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WARNINGS = 5 }; // about single lines of a file

// Replaces values that C prints for NaN and infinities by null.
static void replace_non_finite(char *line) {
    static const char *const words[] = {"-nan", "nan", "-inf", "inf"};
    for (char *colon = line; (colon = strstr(colon, ": ")); colon += 2)
        for (int w = 0; w < 4; ++w) {
            const size_t n = strlen(words[w]);
            if (strncmp(colon + 2, words[w], n) != 0 || !strchr(",}", colon[2 + n])) continue;
            // "null" has four bytes; where the word has three, the blank before it is overwritten, too.
            memcpy(n == 3 ? colon + 1 : colon + 2, "null", 4);
            break;
        }
}

static json_t *parse_line(char *line, json_error_t *error) {
    json_t *object = json_loads(line, 0, error);
    if (object) return object;
    replace_non_finite(line);
    return json_loads(line, 0, error);
}

static void cut_off(char *line, const char *mark, const char *cut) {
    char *end = mark && strstr(line, mark) ? strstr(line, cut) : NULL;
    if (end) memcpy(end, "}", 2);
}

tt_status tt_report_read_lines(tt_report_run *run, const tt_report_lines *lines) {
    char path[TT_PATH_MAX], *line = NULL;
    size_t capacity = 0;
    int number = 0, damaged = 0;
    TT_TRY(tt_path_join(path, sizeof path, run->path, lines->file));
    if (!tt_file_exists(path)) return TT_OK;
    FILE *file = fopen(path, "re");
    if (!file) return tt_fail(TT_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    tt_status status = TT_OK;
    while (status == TT_OK && getline(&line, &capacity, file) >= 0) {
        json_error_t error;
        number++;
        if (line[strspn(line, " \t\r\n")] == '\0') continue;
        cut_off(line, lines->mark, lines->cut);
        json_t *object = parse_line(line, &error);
        if (json_is_object(object))
            status = lines->take(run, object, lines->context);
        else if (++damaged <= MOST_WARNINGS)
            tt_warn("%s:%d: skipped: %s", path, number, object ? "not an object" : error.text);
        json_decref(object);
    }
    if (status == TT_OK && ferror(file)) status = tt_fail(TT_ERR_IO, "%s: cannot be read", path);
    if (damaged > MOST_WARNINGS) tt_warn("%s: %d damaged lines were skipped in total", path, damaged);
    run->damaged_lines += damaged;
    free(line);
    fclose(file);
    return status;
}
