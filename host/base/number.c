#include "host/base/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

// Made once and kept for the life of the process. 0 where there is no memory for it (glibc and musl need none).
static locale_t c_locale(void) {
    static _Atomic(locale_t) kept;
    locale_t known = atomic_load(&kept);
    if (known) return known;
    locale_t fresh = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (atomic_compare_exchange_strong(&kept, &known, fresh)) return fresh;
    if (fresh && fresh != known) freelocale(fresh); // another thread was first
    return known;
}

// uselocale() changes this thread alone; with 0 it changes nothing and says what is in use.
static locale_t enter_c_locale(void) {
    return uselocale(c_locale());
}

double tt_parse_double(const char *text, char **end) {
    const locale_t before = enter_c_locale();
    const double value = strtod(text, end);
    uselocale(before);
    return value;
}

int tt_format_list(char *out, size_t size, const char *format, va_list arguments) {
    const locale_t before = enter_c_locale();
    const int n = vsnprintf(out, size, format, arguments);
    uselocale(before);
    return n;
}

int tt_format(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int n = tt_format_list(out, size, format, arguments);
    va_end(arguments);
    return n;
}

int tt_print_list(FILE *out, const char *format, va_list arguments) {
    const locale_t before = enter_c_locale();
    const int n = vfprintf(out, format, arguments);
    uselocale(before);
    return n;
}

int tt_print(FILE *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int n = tt_print_list(out, format, arguments);
    va_end(arguments);
    return n;
}

size_t tt_find_not_finite(const float *values, size_t n) {
    enum { BLOCK = 1024 }; // without a branch inside, so that it is computed in vectors
    for (size_t from = 0; from < n; from += BLOCK) {
        const size_t to = n - from < BLOCK ? n : from + BLOCK;
        unsigned bad = 0;
        for (size_t i = from; i < to; ++i) bad |= !(fabsf(values[i]) <= FLT_MAX);
        for (size_t i = from; bad && i < to; ++i)
            if (!isfinite(values[i])) return i;
    }
    return n;
}
