#include "host/lab/space.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/number.h"
#include "host/base/versions.h"

#include <stdio.h>
#include <sys/statvfs.h>

static const char *size_text(double bytes, char *out, size_t size) {
    const bool large = bytes >= 1e9;
    tt_format(out, size, "%.1f %s", bytes / (large ? 1e9 : 1e6), large ? "GB" : "MB");
    return out;
}

// How many checkpoints to resume from are there already.
static int count_there(const tt_space *s) {
    char path[TT_PATH_MAX];
    int n = 0;
    for (int age = 0; age < s->keep; ++age)
        n += tt_version_name(s->last, age, path) == TT_OK && tt_file_exists(path);
    return n;
}

void tt_space_tell(const tt_space *s) {
    // Weights and two moments; weights alone. Four bytes each.
    const double whole = 12 * (double)s->parameters, best = 4 * (double)s->parameters;
    char folder[TT_PATH_MAX], one[32], all[32], left[32], wanted[32];
    struct statvfs fs;
    if (tt_path_dir(folder, sizeof folder, s->last) != TT_OK || statvfs(folder, &fs) != 0) return;
    const double available = (double)fs.f_bavail * (double)fs.f_frsize;
    // A new file is complete before an old one goes.
    const double missing = (s->keep + 1 - count_there(s)) * whole + (tt_file_exists(s->best) ? 0 : best);
    tt_info("checkpoints: %d of %s each and the best, together %s; %s are free in %s", s->keep,
        size_text(whole, one, sizeof one), size_text(s->keep * whole + best, all, sizeof all),
        size_text(available, left, sizeof left), folder);
    if (available < missing)
        tt_warn(
            "%s: %s are free, but the checkpoints of this phase will need %s more; free some space, or set "
            "checkpoints.keep=1",
            folder, size_text(available, left, sizeof left), size_text(missing, wanted, sizeof wanted));
}
