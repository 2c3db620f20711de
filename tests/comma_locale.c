// A host program with a locale: loaded by LD_PRELOAD, it calls setlocale() before main and says whether the decimal
// separator is a comma then.
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

static void __attribute__((constructor)) set_locale(void) {
    const char *name = getenv("TT_TEST_LOCALE");
    if (!name) return;
    if (!setlocale(LC_ALL, name) || localeconv()->decimal_point[0] != ',') {
        fprintf(
            stderr, "comma_locale: locale %s is missing, or its decimal separator is not a comma\n", name);
        exit(99);
    }
}
