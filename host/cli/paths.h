// What is checked about a command's paths before anything is opened: no output is also an input, or another output, or a
// file that belongs to a run; no output is something that cannot be one.
#ifndef TT_CLI_PATHS_H
#define TT_CLI_PATHS_H

#include "host/cli/args.h"
#include "host/config/config.h"

// A path that a command uses. `name`: what a person calls it ("-o", "corpus"), or NULL for an input that
// has only its path. One whose path is NULL or empty is not there.
typedef struct tt_path_use {
    const char *name, *path;
    tt_path_role role;
} tt_path_use;

// `where`: the command or file that names the paths, for messages. Errors: TT_ERR_USAGE, TT_ERR_IO.
tt_status tt_paths_check(const char *where, const tt_path_use *uses, int n) TT_MUST_CHECK;
// Checks that none of the outputs is a file that this world names. Errors: TT_ERR_USAGE, and as tt_world_inputs.
tt_status tt_paths_check_world(
    const char *where, const tt_path_use *outputs, int n, const char *world_yaml) TT_MUST_CHECK;
// Checks that none of the outputs is a file that this configuration was read from, or one that a run of it reads. Errors:
// TT_ERR_USAGE, and as tt_world_inputs.
tt_status tt_paths_check_config(
    const char *where, const tt_path_use *outputs, int n, const tt_config *config) TT_MUST_CHECK;
// The same for the paths in the values of options and in positional arguments. `-` as an input becomes /dev/stdin in
// `rest`, and standard output is claimed for an output that it stands for.
tt_status tt_paths_check_args(const char *command, const tt_args *args, tt_texts *rest) TT_MUST_CHECK;

#endif
