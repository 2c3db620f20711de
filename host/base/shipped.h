// Files that are installed with the program: configurations and data sets.
#ifndef TT_BASE_SHIPPED_H
#define TT_BASE_SHIPPED_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Where to read `path`. It is `path` itself, unless it begins with "configs/" or "datasets/" and does not exist, and the
// data folder has it: then that file's path is put into found[size], returned, and named in a message.
// The data folder is the one that the environment variable TT_DATA names, or share/tinythinker of the installation that
// the running program belongs to.
const char *tt_shipped_find(const char *path, char *found, size_t size);

#ifdef __cplusplus
}
#endif

#endif
