#include "host/base/number.h"

#include <locale.h>
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
