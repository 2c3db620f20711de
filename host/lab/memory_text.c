#include "host/lab/memory_text.h"

#include "host/base/number.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

const char *tt_memory_unit(double bytes, double *size) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int u = 0;
    for (*size = 1; u < 4 && bytes >= 1000 * *size; ++u) *size *= 1000;
    return units[u];
}

void tt_memory_text(tt_str *out, const tt_memory_use *use) {
    double size;
    const char *unit = tt_memory_unit((double)use->all, &size), *separator = " (";
    tt_str_format(out, "%.1f %s of device memory", (double)use->all / size, unit);
    for (int k = 0; k < TT_MEMORY_KINDS; ++k) {
        if (use->kind[k] == 0) continue;
        tt_str_format(
            out, "%s%s %.1f", separator, tt_memory_kind_name((tt_memory_kind)k), (double)use->kind[k] / size);
        separator = ", ";
    }
    if (use->all) tt_str_append(out, ")");
}

tt_status tt_memory_parse(double *bytes, const char *text) {
    static const char *const prefixes = "kmgt";
    const size_t digits = strspn(text, "0123456789.");
    char *end;
    double unit = 1;
    *bytes = tt_parse_double(text, &end);
    if (digits > 0 && end == text + digits && *bytes > 0 && isfinite(*bytes)) {
        while (*end == ' ') ++end;
        const char *prefix = *end ? strchr(prefixes, tolower((unsigned char)*end)) : NULL;
        const bool binary = prefix && tolower((unsigned char)end[1]) == 'i';
        if (prefix) {
            unit = pow(binary ? 1024 : 1000, (double)(prefix - prefixes + 1));
            end += binary ? 2 : 1;
        }
        if (*end == 'B' || *end == 'b') ++end;
        if (prefix && *end == '\0') {
            *bytes *= unit;
            return TT_OK;
        }
    }
    return tt_fail(TT_ERR_USAGE,
        "'%s' is not an amount of memory; expected a number with a unit, such as 80G or 80 GB (10^9 bytes), "
        "512M, or 79GiB (2^30 bytes)",
        text);
}
