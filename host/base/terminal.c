#include "host/base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool tt_terminal(int file) {
    const char *kind = getenv("TERM");
    return isatty(file) && !(kind && strcmp(kind, "dumb") == 0);
}

bool tt_terminal_styled(int file) {
    const char *plain = getenv("NO_COLOR");
    return tt_terminal(file) && !(plain && *plain);
}
