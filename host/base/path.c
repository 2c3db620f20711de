#include "host/base/path.h"

#include <stdio.h>
#include <string.h>

tt_status tt_path_join(char *out, size_t size, const char *dir, const char *name) {
    int n = (name[0] == '/' || dir[0] == '\0') ? snprintf(out, size, "%s", name)
                                               : snprintf(out, size, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= size) return tt_fail(TT_ERR_IO, "%.64s.../%.64s: path too long", dir, name);
    return TT_OK;
}

tt_status tt_path_dir(char *out, size_t size, const char *path) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (slash == path ? 1 : (size_t)(slash - path)) : 1;
    if (n >= size) return tt_fail(TT_ERR_IO, "%.64s...: path too long", path);
    memcpy(out, slash ? path : ".", n);
    out[n] = '\0';
    return TT_OK;
}

const char *tt_name_fault(const char *name) {
    const size_t n = strlen(name);
    if (n == 0 || strspn(name, " ") == n) return "is empty";
    if (n > 255) return "is longer than 255 bytes";
    if (strchr(name, '/')) return "has a /";
    if (name[0] == '.') return "begins with a dot";
    for (const char *p = name; *p; ++p)
        if ((unsigned char)*p < ' ' || *p == 0x7f) return "has a control character";
    return NULL;
}
