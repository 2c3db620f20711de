// Files of a Hugging Face directory, written together.
#include "host/model/huggingface/parts.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// In a Hub cache, a model's files are links to blobs/HASH. What is written through such a link would change the model in every
// directory that has the link, under a hash that is no longer its own.
static tt_status check_link(const char *path) {
    char text[TT_PATH_MAX];
    const ssize_t n = readlink(path, text, sizeof text - 1);
    if (n < 0) return TT_OK; // no link
    text[n] = '\0';
    const char *store = strstr(text, "blobs/");
    if (!store || (store > text && store[-1] != '/')) return TT_OK;
    return tt_fail(TT_ERR_IO,
        "%s: is a link into the store of a Hub cache (%s), which other directories share; export to a folder "
        "of your own",
        path, text);
}

tt_status tt_huggingface_begin(tt_huggingface_files *files, const char *name, const char **temporary) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, files->directory, name));
    if (files->n == TT_HUGGINGFACE_FILES) return tt_fail(TT_ERR_INTERNAL, "%s: one file too many", path);
    TT_TRY(check_link(path));
    tt_output *out = &files->outputs[files->n];
    TT_TRY(tt_output_reserve(out, path));
    files->names[files->n++] = name;
    *temporary = out->temporary;
    return TT_OK;
}

tt_status tt_huggingface_write(tt_huggingface_files *files, const char *name, const void *bytes, size_t n) {
    const char *temporary;
    TT_TRY(tt_huggingface_begin(files, name, &temporary));
    FILE *file = fopen(temporary, "we");
    bool written = file && fwrite(bytes, 1, n, file) == n && fflush(file) == 0;
    const int reason = errno;
    if (file && fclose(file) != 0) written = false;
    return written ? TT_OK : tt_fail(TT_ERR_IO, "%s: cannot write: %s", temporary, strerror(reason));
}

tt_status tt_huggingface_write_json(tt_huggingface_files *files, const char *name, json_t *root) {
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "no memory for %s", name);
    tt_status status = tt_huggingface_write(files, name, text, strlen(text));
    free(text);
    return status;
}

tt_status tt_huggingface_commit(tt_huggingface_files *files, tt_status status) {
    for (int i = files->n - 1; i >= 0; --i) status = tt_output_close(&files->outputs[i], status);
    files->n = 0;
    return status;
}
