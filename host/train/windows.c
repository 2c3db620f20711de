#include "host/train/windows.h"

#include "host/base/memory.h"
#include "host/base/text_file.h"

#include <stdlib.h>
#include <string.h>

// Tokens of the window that is being filled: those after the last finished window.
static int64_t open_tokens(const tt_windows *w, int64_t used) {
    return used - (w->offsets ? w->offsets[w->n] : 0);
}

static tt_status finish_window(tt_windows *w, int64_t *used) {
    if (open_tokens(w, *used) < 2) {
        *used = w->offsets ? w->offsets[w->n] : 0;
        return TT_OK;
    }
    TT_TRY(
        tt_grow(&w->offsets, &w->offsets_capacity, (size_t)w->n + 2, sizeof *w->offsets, "windows of text"));
    w->offsets[++w->n] = *used;
    return TT_OK;
}

static tt_status add_document(tt_windows *w, const int32_t *ids, int n, int size, int64_t *used) {
    if (open_tokens(w, *used) + n > size) TT_TRY(finish_window(w, used));
    // A long document is cut into equal parts, so that none of them is a single token.
    const int parts = (n + size - 1) / size;
    for (int k = 0; k < parts; ++k) {
        const int64_t from = (int64_t)n * k / parts, to = (int64_t)n * (k + 1) / parts;
        TT_TRY(tt_grow(
            &w->ids, &w->ids_capacity, (size_t)(*used + to - from), sizeof *w->ids, "tokens of a text"));
        memcpy(w->ids + *used, ids + from, (size_t)(to - from) * sizeof *ids);
        *used += to - from;
        if (k + 1 < parts) TT_TRY(finish_window(w, used));
    }
    for (int i = 0; i < n; ++i) w->unknown += ids[i] == TT_UNK;
    w->tokens += n;
    return TT_OK;
}

static tt_status add_lines(
    tt_windows *w, char *text, size_t bytes, const char *path, const tt_tokenizer *tokenizer, int size) {
    tt_ids ids = {0};
    int64_t used = w->offsets ? w->offsets[w->n] : 0;
    tt_status status = TT_OK;
    for (tt_lines lines = {.at = text, .end = text + bytes}; status == TT_OK && tt_lines_next(&lines);) {
        char *line = text + (lines.line - text);
        line[lines.length] = '\0';
        status = tt_tokenizer_encode(tokenizer, line, false, &ids);
        if (status != TT_OK)
            status = tt_context(status, "%s:%d", path, lines.number);
        else if (ids.n > 0)
            status = add_document(w, ids.items, ids.n, size, &used);
    }
    if (status == TT_OK) status = finish_window(w, &used);
    free(ids.items);
    return status;
}

tt_status tt_windows_add_file(
    tt_windows *windows, const char *path, const tt_tokenizer *tokenizer, int size) {
    char *text;
    size_t bytes;
    const int before = windows->n;
    if (size < 3)
        return tt_fail(TT_ERR_INPUT, "windows of %d tokens are too short; expected at least 3", size);
    TT_TRY(tt_text_read(path, 0, &text, &bytes));
    tt_status status = add_lines(windows, text, bytes, path, tokenizer, size);
    free(text);
    if (status == TT_OK && windows->n == before)
        status = tt_fail(TT_ERR_INPUT, "%s: contains no text; expected one document per line", path);
    return status;
}

void tt_windows_close(tt_windows *windows) {
    free(windows->ids);
    free(windows->offsets);
    *windows = (tt_windows){0};
}
