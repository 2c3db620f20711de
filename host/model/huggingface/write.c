// Files of a Hugging Face directory.
#include "host/base/fs.h"
#include "host/model/huggingface/parts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

tt_status tt_huggingface_write(const char *directory, const char *name, const void *bytes, size_t n) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, directory, name));
    return tt_write_file(path, bytes, n);
}

tt_status tt_huggingface_write_json(const char *directory, const char *name, json_t *root) {
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "no memory for %s", name);
    tt_status status = tt_huggingface_write(directory, name, text, strlen(text));
    free(text);
    return status;
}
