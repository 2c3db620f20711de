// JSONL files, read in spite of damaged lines.
#include "host/base/log.h"
#include "host/base/str.h"
#include "host/base/text_file.h"
#include "host/report/runs/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WARNINGS = 5 }; // about single lines of a file

// Replaces values that C or Python prints for NaN and infinities by null.
static void replace_non_finite(char *line) {
    static const char *const words[] = {"-nan", "nan", "NaN", "-inf", "inf", "-Infinity", "Infinity"};
    for (char *colon = line; (colon = strstr(colon, ": ")); colon += 2)
        for (size_t w = 0; w < sizeof words / sizeof *words; ++w) {
            const size_t n = strlen(words[w]);
            if (strncmp(colon + 2, words[w], n) != 0 || !strchr(",}", colon[2 + n])) continue;
            // "null" has four bytes; where the word has three, the blank before it is overwritten, too.
            memset(colon + 2, ' ', n);
            memcpy(n == 3 ? colon + 1 : colon + 2, "null", 4);
            break;
        }
}

static void cut_off(char *line, const char *mark, const char *cut) {
    char *end = mark && strstr(line, mark) ? strstr(line, cut) : NULL;
    if (end) memcpy(end, "}", 2);
}

// Errors: TT_ERR_INPUT for a line that is left out.
static tt_status take_line(tt_report_run *run, const tt_report_lines *lines, char *line, size_t length) {
    static const char mark[] = "\xef\xbb\xbf"; // of the byte order
    json_error_t error;
    if (memchr(line, '\0', length)) return tt_fail(TT_ERR_INPUT, "has a NUL byte");
    if (tt_starts_with(line, mark)) line += sizeof mark - 1;
    cut_off(line, lines->mark, lines->cut);
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (!object) {
        replace_non_finite(line);
        object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    }
    if (!object) return tt_fail(TT_ERR_INPUT, "%s", error.text);
    tt_status status = json_is_object(object) ? lines->take(run, object, lines->context)
                                              : tt_fail(TT_ERR_INPUT, "not an object");
    json_decref(object);
    return status;
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
    for (ssize_t length; status == TT_OK && (length = getline(&line, &capacity, file)) >= 0;) {
        number++;
        if (tt_text_blank(line, (size_t)length)) continue;
        status = take_line(run, lines, line, (size_t)length);
        if (status != TT_ERR_INPUT) continue;
        if (++damaged <= MOST_WARNINGS) tt_warn("%s:%d: skipped: %s", path, number, tt_error_message());
        status = TT_OK;
    }
    if (status == TT_OK && ferror(file)) status = tt_fail(TT_ERR_IO, "%s: cannot be read", path);
    if (damaged > MOST_WARNINGS) tt_warn("%s: %d damaged lines were skipped in total", path, damaged);
    run->damaged_lines += damaged;
    free(line);
    fclose(file);
    return status;
}
