#include "host/base/path.h"

#include <stdio.h>
#include <string.h>

tt_status tt_path_join(char *out, size_t size, const char *dir, const char *name) {
    char joined[TT_PATH_MAX]; // `out` may be `dir` or `name`
    const int n = (name[0] == '/' || dir[0] == '\0') ? snprintf(joined, sizeof joined, "%s", name)
                                                     : snprintf(joined, sizeof joined, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= size || (size_t)n >= sizeof joined)
        return tt_fail(TT_ERR_IO, "%.64s.../%.64s: path too long", dir, name);
    memcpy(out, joined, (size_t)n + 1);
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
