#include "host/base/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// open() takes the lowest free number. Messages to a closed standard error vanish, as the caller wants; results do not:
// standard output is opened for reading.
void tt_standard_open(void) {
    for (int file = 0; file <= 2; ++file)
        if (fcntl(file, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", file == STDERR_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

static int first_reason; // errno of the first failure that was seen

void tt_standard_flush(void) {
    errno = 0;
    if (fflush(stdout) != 0 && first_reason == 0) first_reason = errno;
}

tt_status tt_standard_close(void) {
    tt_standard_flush();
    errno = first_reason;
    if (!ferror(stdout) && errno == 0) return TT_OK;
    if (errno == 0)
        return tt_fail(TT_ERR_IO, "standard output: cannot write; what was printed is not complete");
    if (errno == EBADF) return tt_fail(TT_ERR_IO, "standard output: cannot write: it is closed");
    return tt_fail(TT_ERR_IO, "standard output: cannot write: %s", strerror(errno));
}
