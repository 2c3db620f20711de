// Files of JSON lines, read past damage.
#define _GNU_SOURCE
#include "host/base/log.h"
#include "host/report/runs/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOLD = 5 }; // damaged lines of a file that are told one by one

// Where a member's value begins with one of C's words for what is no number, it becomes null.
static void no_numbers(char *line) {
    static const char *const words[] = {"-nan", "nan", "-inf", "inf"};
    for (char *at = line; (at = strstr(at, ": ")); at += 2)
        for (int w = 0; w < 4; ++w) {
            const size_t n = strlen(words[w]);
            if (strncmp(at + 2, words[w], n) != 0 || !strchr(",}", at[2 + n])) continue;
            // "null" is four bytes, and these words are three or four: the blank before takes the other.
            memcpy(n == 3 ? at + 1 : at + 2, "null", 4);
            break;
        }
}

static json_t *parse_line(char *line, json_error_t *error) {
    json_t *object = json_loads(line, 0, error);
    if (object) return object;
    no_numbers(line);
    return json_loads(line, 0, error);
}

static void cut_off(char *line, const char *mark, const char *cut) {
    char *at = mark && strstr(line, mark) ? strstr(line, cut) : NULL;
    if (at) memcpy(at, "}", 2);
}

tt_status tt_report_read_lines(tt_report_run *run, const char *name, const char *mark, const char *cut,
    tt_report_line take, void *context) {
    char path[TT_PATH_MAX], *line = NULL;
    size_t room = 0;
    int number = 0, damaged = 0;
    TT_TRY(tt_path_join(path, sizeof path, run->path, name));
    if (!tt_file_exists(path)) return TT_OK;
    FILE *file = fopen(path, "re");
    if (!file) return tt_fail(TT_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    tt_status status = TT_OK;
    while (status == TT_OK && getline(&line, &room, file) >= 0) {
        json_error_t error;
        number++;
        if (line[strspn(line, " \t\r\n")] == '\0') continue;
        cut_off(line, mark, cut);
        json_t *object = parse_line(line, &error);
        if (json_is_object(object))
            status = take(run, object, context);
        else if (++damaged <= TOLD)
            tt_warn("%s:%d: skipped: %s", path, number, object ? "no object" : error.text);
        json_decref(object);
    }
    if (status == TT_OK && ferror(file)) status = tt_fail(TT_ERR_IO, "%s: cannot be read", path);
    if (damaged > TOLD) tt_warn("%s: %d damaged lines were skipped in all", path, damaged);
    run->damaged_lines += damaged;
    free(line);
    fclose(file);
    return status;
}
