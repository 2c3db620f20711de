#include "host/base/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 2 * PATH_MAX + 1024, FOLDER = 2 * PATH_MAX };

// Where the groups' file system with the CPU controller is mounted, and which of its groups is seen there.
struct mount {
    char root[PATH_MAX], point[PATH_MAX];
};

// Whether `list`, "a,b,c", has `name`.
static bool has_word(const char *list, const char *name) {
    const size_t n = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += n)
        if ((at == list || at[-1] == ',') && (at[n] == 0 || at[n] == ',' || at[n] == '\n')) return true;
    return false;
}

// Blanks and backslashes of paths stand there as \040.
static void decode(char *text) {
    char *out = text;
    for (const char *at = text; *at; ++out) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] && at[3]) {
            *out = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            at += 4;
        } else {
            *out = *at++;
        }
    }
    *out = 0;
}

// `version`: 1 or 2.
static bool find_mount(struct mount *out, const char *mountinfo, int version) {
    FILE *file = fopen(mountinfo, "re");
    char line[LINE];
    bool found = false;
    *out = (struct mount){0};
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *tail = strstr(line, " - ");
        char type[32], options[1024];
        if (!tail || sscanf(tail, " - %31s %*s %1023s", type, options) != 2 ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", out->root, out->point) != 2)
            continue;
        found = version == 2 ? strcmp(type, "cgroup2") == 0
                             : strcmp(type, "cgroup") == 0 && has_word(options, "cpu");
    }
    if (file) fclose(file);
    decode(out->root);
    decode(out->point);
    return found;
}

// The process's group: of version 2 the line "0::PATH", of version 1 that with the CPU controller.
static bool find_group(char out[PATH_MAX], const char *groups, int version) {
    FILE *file = fopen(groups, "re");
    char line[LINE];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path || path[1] != '/') continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        found = version == 2 ? controllers[1] == 0 : has_word(controllers + 1, "cpu");
        if (found) snprintf(out, PATH_MAX, "%s", path);
    }
    if (file) fclose(file);
    return found;
}

static bool read_line(char *line, int size, const char *folder, const char *name) {
    char path[FOLDER + 32];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return false;
    FILE *file = fopen(path, "re");
    const bool read = file && fgets(line, size, file);
    if (file) fclose(file);
    return read;
}

// The limit of one group in cores; 0: none. "max 100000" or "-1": no limit.
static double limit_of(const char *folder, int version) {
    char text[64];
    double quota = 0, period = 0;
    if (version == 2) {
        if (!read_line(text, sizeof text, folder, "cpu.max") || sscanf(text, "%lf %lf", &quota, &period) != 2)
            return 0;
    } else {
        if (read_line(text, sizeof text, folder, "cpu.cfs_quota_us")) quota = atof(text);
        if (read_line(text, sizeof text, folder, "cpu.cfs_period_us")) period = atof(text);
    }
    return quota > 0 && period > 0 ? quota / period : 0;
}

// The least limit from the process's group up to where the file system is mounted.
static double least_limit(const char *mountinfo, const char *groups, int version) {
    struct mount mount;
    char group[PATH_MAX], folder[FOLDER];
    if (!find_mount(&mount, mountinfo, version) || !find_group(group, groups, version)) return 0;
    // In a container the mount may show a part of the groups alone, or groups be named as seen from outside.
    const size_t shown = strcmp(mount.root, "/") == 0 ? 0 : strlen(mount.root);
    const char *below = group;
    if (strncmp(group, mount.root, shown) == 0 && (group[shown] == '/' || group[shown] == 0))
        below = group + shown;
    if (snprintf(folder, sizeof folder, "%s%s", mount.point, strcmp(below, "/") == 0 ? "" : below) >= FOLDER)
        return 0;
    double least = 0;
    for (const size_t top = strlen(mount.point); strlen(folder) >= top; *strrchr(folder, '/') = 0) {
        const double limit = limit_of(folder, version);
        if (limit > 0 && (least == 0 || limit < least)) least = limit;
        if (strlen(folder) == top || !strrchr(folder, '/')) break;
    }
    return least;
}

double tt_cgroup_cores(const char *mountinfo, const char *groups) {
    const double first = least_limit(mountinfo, groups, 1), second = least_limit(mountinfo, groups, 2);
    return first == 0 || (second > 0 && second < first) ? second : first;
}
