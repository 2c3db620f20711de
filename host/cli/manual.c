// tinythinker manual: the man page and the completions, from the tables of options and keys.
#include "host/base/fs.h"
#include "host/cli/help.h"

#include <errno.h>
#include <string.h>

static tt_status write_form(const char *folder, const char *name, tt_status (*write)(FILE *out)) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, folder, name));
    FILE *file = fopen(path, "we");
    if (!file) return tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    tt_status status = write(file);
    const bool bad = ferror(file) != 0;
    if ((fclose(file) != 0 || bad) && status == TT_OK)
        status = tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    return status;
}

tt_status tt_cmd_manual(int argc, char **argv) {
    if (argc != 2 || argv[1][0] == '-') return tt_fail(TT_ERR_USAGE, "usage: tinythinker manual FOLDER");
    TT_TRY(tt_make_dirs(argv[1]));
    TT_TRY(write_form(argv[1], "tinythinker.1", tt_help_man));
    TT_TRY(write_form(argv[1], "tinythinker.bash", tt_help_bash));
    return write_form(argv[1], "_tinythinker", tt_help_zsh);
}
