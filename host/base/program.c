#include "host/base/program.h"

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

static bool names(const char *word, const char *path) {
    char whole[PATH_MAX];
    return realpath(word, whole) && strcmp(whole, path) == 0;
}

void tt_program_start(const char *const *arguments) {
    char loader[PATH_MAX], program[PATH_MAX];
    size_t n = 0, size = 0, before = 0;
    while (arguments[n]) ++n;
    if (!read_link("/proc/self/exe", loader, sizeof loader) || !tt_program_path(program, sizeof program))
        return;
    char *const words = command_line(&size);
    const char **all = words ? calloc(size + n + 2, sizeof *all) : NULL;
    if (all) {
        // The loader's words, up to the program; without a loader the program alone.
        for (size_t at = 0; at < size; at += strlen(words + at) + 1) {
            all[before++] = words + at;
            if (strcmp(loader, program) == 0 || names(words + at, program)) break;
        }
        if (before == 0) all[before++] = program;
        memcpy(all + before, arguments + (n > 0), (n - (n > 0)) * sizeof *all);
        execv(loader, (char *const *)(uintptr_t)all);
    }
    free(all);
    free(words);
}
