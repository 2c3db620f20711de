// tinythinker manual: the man page and the completions, from the tables of options and keys.
#include "host/base/output.h"
#include "host/cli/help.h"

static tt_status write_form(const char *folder, const char *name, tt_status (*write)(FILE *out)) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, folder, name));
    tt_output out;
    TT_TRY(tt_output_open(&out, path));
    return tt_output_close(&out, write(out.file));
}

tt_status tt_cmd_manual(int argc, char **argv) {
    if (argc != 2 || argv[1][0] == '-') return tt_fail(TT_ERR_USAGE, "usage: tinythinker manual FOLDER");
    TT_TRY(tt_make_dirs(argv[1]));
    TT_TRY(write_form(argv[1], "tinythinker.1", tt_help_man));
    TT_TRY(write_form(argv[1], "tinythinker.bash", tt_help_bash));
    return write_form(argv[1], "_tinythinker", tt_help_zsh);
}
