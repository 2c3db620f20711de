#include "host/base/status.h"

#include "host/base/controls.h"
#include "host/base/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[4096];

void tt_message_set(const char *format, ...) {
    va_list args;
    va_start(args, format);
    tt_format_list(message, sizeof message, format, args);
    va_end(args);
    tt_escape_controls(message, sizeof message);
}

void tt_message_prefix(const char *format, ...) {
    char inner[sizeof message];
    memcpy(inner, message, sizeof inner);
    va_list args;
    va_start(args, format);
    int n = tt_format_list(message, sizeof message, format, args);
    va_end(args);
    tt_escape_controls(message, sizeof message);
    n = n < 0 ? n : (int)strlen(message);
    if (n >= 0 && (size_t)n < sizeof message)
        snprintf(message + n, sizeof message - (size_t)n, ": %s", inner);
}

const char *tt_error_message(void) {
    return message;
}

int tt_status_exit(tt_status code) {
    switch (code) {
#define TT_STATUS_CASE(name, exit_status)                                                                    \
    case TT_##name:                                                                                          \
        return exit_status;
        TT_STATUS_MAP(TT_STATUS_CASE)
#undef TT_STATUS_CASE
    }
    return 1;
}
