#include "host/base/version.h"

#include "commit.h" // made by cmake/commit.cmake

#define LINE "tinythinker " TT_VERSION " (" TT_COMMIT ")"

const char *tt_version(void) {
    return TT_VERSION;
}

const char *tt_commit(void) {
    return TT_COMMIT;
}

const char *tt_version_line(void) {
    return LINE;
}
