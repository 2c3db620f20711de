#include "host/train/reading_tasks.h"

#include "host/base/fs.h"
#include "host/base/json.h"
#include "host/base/text_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tt_status add_task(
    tt_dataset *dataset, const json_t *task, const char *where, const tt_dataset_encoding *encoding) {
    static const char *const names[] = {"input", "target"};
    const char *texts[2];
    for (int i = 0; i < 2; ++i) {
        TT_TRY(tt_json_text(task, names[i], where, &texts[i]));
        if (tt_text_blank(texts[i], strlen(texts[i])))
            return tt_fail(TT_ERR_INPUT, "%s: \"%s\": expected a string, got an empty one", where, names[i]);
    }
    tt_status status = tt_dataset_add(dataset, encoding, texts[0], texts[1]);
    return status == TT_OK ? TT_OK : tt_context(status, "%s", where);
}

static tt_status add_lines(
    tt_dataset *dataset, tt_lines lines, const char *path, const tt_dataset_encoding *encoding) {
    while (tt_lines_next(&lines)) {
        char where[TT_PATH_MAX + 32];
        json_t *task;
        if (tt_text_blank(lines.line, lines.length)) continue;
        snprintf(where, sizeof where, "%s:%d", path, lines.number);
        TT_TRY(tt_json_parse(&task, path, lines.number, lines.line, lines.length));
        tt_status status =
            json_is_object(task)
                ? add_task(dataset, task, where, encoding)
                : tt_fail(TT_ERR_INPUT, "%s: expected an object {\"input\", \"target\"}, got %s", where,
                      tt_json_kind(task));
        json_decref(task);
        TT_TRY(status);
    }
    return TT_OK;
}

tt_status tt_reading_tasks_add_file(
    tt_dataset *dataset, const char *path, const tt_tokenizer *tokenizer, int max_input, int max_target) {
    const tt_dataset_encoding encoding = {
        .tokenizer = tokenizer, .max_input = max_input, .max_target = max_target};
    char *text;
    size_t bytes;
    TT_TRY(tt_text_read(path, 0, &text, &bytes));
    tt_status status = add_lines(dataset, (tt_lines){.at = text, .end = text + bytes}, path, &encoding);
    free(text);
    return status;
}
