// Plain text cut into windows of tokens, for span corruption.
#ifndef TT_TRAIN_WINDOWS_H
#define TT_TRAIN_WINDOWS_H

#include "host/text/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

// Zero-initialise; tt_windows_close releases it.
typedef struct tt_windows {
    int32_t *ids;     // all windows back to back, without </s>
    int64_t *offsets; // [n + 1]: window i is ids[offsets[i]..offsets[i + 1])
    int n;            // windows
    int64_t tokens;   // of all texts that were added
    int64_t unknown;  // <unk> among them
    size_t ids_capacity, offsets_capacity;
} tt_windows;

// Appends a text file, one document per line: documents are joined while they fit into `size` tokens (at least
// 3), and a longer one is cut into equal parts. A window of one token is dropped: there is nothing to
// corrupt. Errors: TT_ERR_IO, TT_ERR_NOMEM; TT_ERR_INPUT with file and line for what is not UTF-8 or has a
// NUL byte, or when the file contains no text.
tt_status tt_windows_add_file(
    tt_windows *windows, const char *path, const tt_tokenizer *tokenizer, int size) TT_MUST_CHECK;
void tt_windows_close(tt_windows *windows);

#ifdef __cplusplus
}
#endif

#endif
