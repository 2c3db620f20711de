#include "host/base/shipped.h"

#include "host/base/log.h"
#include "host/base/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// From the program's folder to the data, as they are installed.
#ifndef TT_DATA_FROM_PROGRAM
#define TT_DATA_FROM_PROGRAM "../share/tinythinker"
#endif

// The data's folder and `path` below it; false if that is too long or not known.
static bool data_path(const char *path, char *out, size_t size) {
    const char *folder = getenv("TT_DATA");
    int n;
    if (folder && folder[0]) {
        n = snprintf(out, size, "%s/%s", folder, path);
        return n > 0 && (size_t)n < size;
    }
    if (!tt_program_path(out, size)) return false;
    char *slash = strrchr(out, '/');
    if (!slash) return false;
    const size_t left = size - (size_t)(slash - out);
    n = snprintf(slash, left, "/" TT_DATA_FROM_PROGRAM "/%s", path);
    return n > 0 && (size_t)n < left;
}

const char *tt_shipped_find(const char *path, char *found, size_t size) {
    if (strncmp(path, "configs/", 8) != 0 && strncmp(path, "datasets/", 9) != 0) return path;
    if (access(path, F_OK) == 0 || errno != ENOENT) return path;
    if (!data_path(path, found, size) || access(found, R_OK) != 0) return path;
    char *whole = realpath(found, NULL); // without ".."
    if (whole && strlen(whole) < size) strcpy(found, whole);
    free(whole);
    static _Thread_local char said[256]; // once, where a file is read twice
    if (strcmp(said, path) != 0) tt_info("%s is not in the working directory: reading %s", path, found);
    snprintf(said, sizeof said, "%s", path);
    return found;
}
