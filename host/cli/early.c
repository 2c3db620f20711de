// What must be done before the libraries of the program begin: the loader calls the functions of .preinit_array first, when
// libraries are in place and none has begun. The C library has not either: no locale, no stdio, no getenv. A build with
// sanitizers, which have to be first themselves, leaves this file out; main() does the same, later.
#include "host/base/log.h"
#include "host/cli/spinning.h"

#include <stdbool.h>
#include <string.h>

static bool resumes(const char *command) {
    return strcmp(command, "run") == 0 || strcmp(command, "sweep") == 0 || strcmp(command, "teach") == 0;
}

static void begin(int argc, char **argv, char **environment) {
    if (argc > 1 && resumes(argv[1])) tt_interrupt_resumes();
    tt_interrupt_install();
    tt_spinning_set(environment);
}

typedef void (*preinit)(int argc, char **argv, char **environment);
__attribute__((section(".preinit_array"), used)) static const preinit first = begin;
