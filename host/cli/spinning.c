#include "host/cli/spinning.h"

#include "host/base/log.h"
#include "host/base/program.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Seconds that a thread waits for another one before it gives up its core.
static const double bound = 200e-6;

// Whether the variable, NAME=VALUE, says how OpenMP's threads wait.
static bool says_how(const char *variable) {
    static const char *const names[] = {
        "OMP_WAIT_POLICY=", "GOMP_SPINCOUNT=", "KMP_BLOCKTIME=", "KMP_LIBRARY="};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strncmp(variable, names[i], strlen(names[i])) == 0) return true;
    return false;
}

static bool is_chosen(char *const *environment) {
    for (; *environment; ++environment)
        if (says_how(*environment)) return true;
    return false;
}

// Valgrind and some debuggers lose a process that starts another program.
static bool is_watched(void) {
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload")) return true;
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    int tracer = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "TracerPid: %d", &tracer) == 1) break;
    if (file) fclose(file);
    return tracer != 0;
}

// Rounds of OpenMP's waiting loop in `seconds`: each looks at a word and tells the core that it waits.
static long rounds_in(double seconds) {
    enum { ROUNDS = 1000, TRIES = 5 };
    double least = 1;
    for (int try = 0; try < TRIES; ++try) {
        static volatile int word;
        const double began = tt_seconds();
        for (int i = 0; i < ROUNDS && word == 0; ++i) {
#if defined __x86_64__ || defined __i386__
            __builtin_ia32_pause();
#endif
        }
        const double took = tt_seconds() - began;
        if (took < least) least = took;
    }
    const double rounds = seconds * ROUNDS / (least > 1e-7 ? least : 1e-7);
    return (long)rounds;
}

// "GOMP_SPINCOUNT=" and the number; without stdio, which is not ready that early.
static char *setting(void) {
    static const char name[] = "GOMP_SPINCOUNT=";
    static char text[40];
    char digits[24], *out = text + strlen(name);
    memcpy(text, name, sizeof name);
    int n = 0;
    for (long rounds = rounds_in(bound); n == 0 || rounds > 0; rounds /= 10)
        digits[n++] = (char)('0' + rounds % 10);
    while (n > 0) *out++ = digits[--n];
    return text;
}

void tt_spinning_set(char **environment) {
    if (is_chosen(environment)) return;
    for (; *environment; ++environment)
        if (strncmp(*environment, "_=", 2) == 0) {
            *environment = setting();
            return;
        }
}

void tt_spinning_bound(char **argv) {
    if (is_chosen(environ) || is_watched()) return;
    tt_interrupt_hold(true);
    if (!tt_interrupted() && putenv(setting()) == 0) tt_program_start((const char *const *)argv);
    unsetenv("GOMP_SPINCOUNT"); // not started anew: nothing has changed
    tt_interrupt_hold(false);
}
