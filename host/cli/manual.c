// tinythinker manual: the man page and the completions, from the tables of options and keys.
#include "host/base/output.h"
#include "host/cli/help.h"

#include <string.h>

static tt_status write_form(const char *folder, const char *name, tt_status (*write)(FILE *out)) {
    char path[TT_PATH_MAX];
    TT_TRY(tt_path_join(path, sizeof path, folder, name));
    tt_output out;
    TT_TRY(tt_output_open(&out, path));
    return tt_output_close(&out, write(out.file));
}

static void put_paths(void *context, const tt_help_page *page) {
    static const char *const roles[] = {"none", "input", "stream", "file", "folder"};
    for (int i = 0; i < page->args->n; ++i) {
        const tt_arg *arg = &page->args->options[i];
        if (arg->type == TT_ARG_TEXT || arg->type == TT_ARG_TEXTS)
            fprintf(context, "%s\t%s%s\t%s\t%s\n", page->name, arg->name[1] ? "--" : "-", arg->name,
                arg->value, roles[arg->role]);
    }
}

tt_status tt_cmd_manual(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--paths") == 0)
        return tt_help_read(&(tt_help_reader){put_paths, stdout});
    if (argc != 2 || argv[1][0] == '-') return tt_fail(TT_ERR_USAGE, "usage: tinythinker manual FOLDER");
    TT_TRY(tt_make_dirs(argv[1]));
    TT_TRY(write_form(argv[1], "tinythinker.1", tt_help_man));
    TT_TRY(write_form(argv[1], "tinythinker.bash", tt_help_bash));
    return write_form(argv[1], "_tinythinker", tt_help_zsh);
}
