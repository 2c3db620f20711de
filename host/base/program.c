#include "host/base/program.h"

#include "host/base/log.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_link(const char *link, char *out, size_t size) {
    const ssize_t length = readlink(link, out, size);
    if (length <= 0 || (size_t)length >= size) return false;
    out[length] = '\0';
    return true;
}

// The first of the loaded objects is the program.
static int take_address(struct dl_phdr_info *object, size_t size, void *address) {
    (void)size;
    *(uintptr_t *)address = (uintptr_t)object->dlpi_phdr;
    return 1;
}

bool tt_program_path(char *out, size_t size) {
    uintptr_t here = 0;
    dl_iterate_phdr(take_address, &here);
    char line[PATH_MAX + 128];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && !found && fgets(line, sizeof line, maps)) {
        unsigned long first, end;
        int at = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &first, &end, &at) < 2 || at == 0) continue;
        if (here < first || here >= end) continue;
        line[strcspn(line, "\n")] = '\0';
        for (char *e; (e = strstr(line + at, "\\012"));) *e = '\n', memmove(e + 1, e + 4, strlen(e + 4) + 1);
        if (line[at] != '/' || strlen(line + at) >= size) break;
        strcpy(out, line + at);
        found = true;
    }
    if (maps) fclose(maps);
    return found || read_link("/proc/self/exe", out, size);
}

// The words of this process's command line, one after the other with \0 between them; *size: of all.
static char *command_line(size_t *size) {
    FILE *file = fopen("/proc/self/cmdline", "re");
    char *words = NULL;
    size_t length = 0;
    for (size_t room = 4096; file; room *= 2) {
        char *larger = realloc(words, room + 1);
        if (!larger) break;
        words = larger;
        length += fread(words + length, 1, room - length, file);
        if (length < room) {
            words[length] = '\0';
            break;
        }
    }
    if (file) fclose(file);
    *size = length;
    return words;
}

// Words of the command line before the program's own arguments: its name, or a loader with its options and the program.
static size_t words_before;

void tt_program_remember(int argc) {
    size_t size, n = 0;
    char *words = command_line(&size);
    for (size_t at = 0; words && at < size; at += strlen(words + at) + 1) ++n;
    words_before = argc > 0 && n >= (size_t)argc ? n - ((size_t)argc - 1) : 0;
    free(words);
}

void tt_program_start(const char *const *arguments) {
    char program[PATH_MAX];
    size_t n = 0, size, k = 0;
    while (arguments[n]) ++n;
    char *const words = command_line(&size);
    const char **all = words && words_before > 0 ? calloc(words_before + n + 1, sizeof *all) : NULL;
    if (all) {
        for (size_t at = 0; at < size && k < words_before; at += strlen(words + at) + 1)
            all[k++] = words + at;
        for (size_t i = 1; i < n; ++i) all[k++] = arguments[i];
        tt_interrupt_hold(true);
        // By its name, so that lists of processes show it; a file that is no more there by the process.
        if (read_link("/proc/self/exe", program, sizeof program))
            execv(program, (char *const *)(uintptr_t)all);
        if (errno == ENOENT) execv("/proc/self/exe", (char *const *)(uintptr_t)all);
        const int refused = errno;
        tt_interrupt_hold(false);
        errno = refused;
    } else {
        errno = ENOSYS;
    }
    const int error = errno;
    free(all);
    free(words);
    errno = error;
}
