// Numbers as text, independent of the locale: the decimal separator is a point, even where the host program has
// called setlocale() with a locale whose separator is a comma. Everything that the library reads, writes to a file
// or prints goes through these functions, or through tt_str_format and the messages of status.h and log.h.
#ifndef TT_BASE_NUMBER_H
#define TT_BASE_NUMBER_H

#include "host/base/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

// strtod() of the C locale; *end (if given) receives where the number ends, `text` where there is none.
double tt_parse_double(const char *text, char **end);

// snprintf(), vsnprintf(), fprintf() and vfprintf() of the C locale, with their return values.
int tt_format(char *out, size_t size, const char *format, ...) TT_PRINTF(3, 4);
int tt_format_list(char *out, size_t size, const char *format, va_list arguments) TT_PRINTF(3, 0);
int tt_print(FILE *out, const char *format, ...) TT_PRINTF(2, 3);
int tt_print_list(FILE *out, const char *format, va_list arguments) TT_PRINTF(2, 0);

// The first of values[0..n) that is NaN or infinite; n where there is none.
size_t tt_find_not_finite(const float *values, size_t n);

#ifdef __cplusplus
}
#endif
#endif
