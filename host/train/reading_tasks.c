#include "host/train/reading_tasks.h"

#include "host/base/fs.h"
#include "host/base/memory.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static tt_status add_line(tt_dataset *dataset, const char *line, size_t length, const tt_tokenizer *tokenizer,
    int max_input, int max_target) {
    json_error_t error;
    json_t *root = json_loadb(line, length, 0, &error);
    const char *input = NULL, *target = NULL;
    tt_status status;
    if (!root)
        status = tt_fail(TT_ERR_INPUT, "not JSON: %s", error.text);
    else if (json_unpack(root, "{s:s, s:s}", "input", &input, "target", &target) != 0 || !*input || !*target)
        status = tt_fail(TT_ERR_INPUT, "expected an object with non-empty texts \"input\" and \"target\"");
    else
        status = tt_dataset_add(dataset,
            &(tt_dataset_encoding){.tokenizer = tokenizer, .max_input = max_input, .max_target = max_target},
            input, target);
    json_decref(root);
    return status;
}

tt_status tt_pairs_add_file(
    tt_dataset *dataset, const char *path, const tt_tokenizer *tokenizer, int max_input, int max_target) {
    char *text;
    size_t bytes;
    TT_TRY(tt_read_file(path, 0, &text, &bytes));
    tt_status status = TT_OK;
    int line = 1;
    for (char *at = text, *stop = text + bytes; at < stop && status == TT_OK; ++line) {
        char *end = memchr(at, '\n', (size_t)(stop - at));
        if (!end) end = stop;
        size_t length = (size_t)(end - at);
        if (strspn(at, " \t\r") < length) {
            status = add_line(dataset, at, length, tokenizer, max_input, max_target);
            if (status != TT_OK) status = tt_context(status, "%s:%d", path, line);
        }
        at = end + 1;
    }
    free(text);
    return status;
}

tt_status tt_pairs_add_ids(
    tt_dataset *d, const int32_t *input, int n_input, const int32_t *target, int n_target) {
    const size_t used = d->n ? (size_t)d->offsets[2 * (size_t)d->n] : 0;
    TT_TRY(tt_grow(&d->ids, &d->ids_capacity, used + (size_t)(n_input + n_target), sizeof *d->ids, "tokens"));
    TT_TRY(tt_grow(&d->offsets, &d->offsets_capacity, 2 * (size_t)d->n + 3, sizeof *d->offsets, "pairs"));
    memcpy(d->ids + used, input, (size_t)n_input * sizeof *input);
    memcpy(d->ids + used + n_input, target, (size_t)n_target * sizeof *target);
    int64_t *at = d->offsets + 2 * (size_t)d->n;
    at[0] = (int64_t)used;
    at[1] = at[0] + n_input;
    at[2] = d->tokens = at[1] + n_target;
    d->n++;
    return TT_OK;
}
