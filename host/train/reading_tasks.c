#include "host/train/reading_tasks.h"

#include "host/base/fs.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static tt_status add_task(
    tt_dataset *dataset, json_t *root, const tt_tokenizer *tokenizer, int max_input, int max_target) {
    const char *input = NULL, *target = NULL;
    if (json_unpack(root, "{s:s, s:s}", "input", &input, "target", &target) != 0 || !*input || !*target)
        return tt_fail(TT_ERR_INPUT, "expected an object with non-empty strings \"input\" and \"target\"");
    return tt_dataset_add(dataset,
        &(tt_dataset_encoding){.tokenizer = tokenizer, .max_input = max_input, .max_target = max_target},
        input, target);
}

tt_status tt_reading_tasks_add_file(
    tt_dataset *dataset, const char *path, const tt_tokenizer *tokenizer, int max_input, int max_target) {
    char *text;
    size_t bytes;
    TT_TRY(tt_read_file(path, 0, &text, &bytes));
    tt_status status = TT_OK;
    int number = 1;
    for (char *line = text, *stop = text + bytes; line < stop && status == TT_OK; ++number) {
        char *end = memchr(line, '\n', (size_t)(stop - line));
        if (!end) end = stop;
        const size_t length = (size_t)(end - line);
        if (strspn(line, " \t\r") < length) {
            json_error_t error;
            json_t *root = json_loadb(line, length, 0, &error);
            status = root ? add_task(dataset, root, tokenizer, max_input, max_target)
                          : tt_fail(TT_ERR_INPUT, "not JSON: %s", error.text);
            json_decref(root);
            if (status != TT_OK) status = tt_context(status, "%s:%d", path, number);
        }
        line = end + 1;
    }
    free(text);
    return status;
}
