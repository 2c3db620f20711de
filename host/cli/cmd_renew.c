// tinythinker renew: writes files of earlier versions, and of h5py, in the present format.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/output.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/data/corpus.h"
#include "host/data/hdf5_seal.h"
#include "host/data/preferences.h"
#include "host/data/renew.h"
#include "host/model/checkpoint.h"

#include <stdio.h>
#include <string.h>

static tt_status check_corpus(const char *path) {
    tt_corpus corpus;
    TT_TRY(tt_corpus_load(&corpus, path));
    tt_corpus_close(&corpus);
    return TT_OK;
}

static tt_status check_pairs(const char *path) {
    tt_preferences pairs;
    TT_TRY(tt_preferences_load(&pairs, path));
    tt_preferences_close(&pairs);
    return TT_OK;
}

static tt_status check_checkpoint(const char *path) {
    tt_device *device;
    tt_checkpoint checkpoint;
    TT_TRY(tt_device_open(&device, "cpu", TT_FP32, 0));
    tt_status status = tt_checkpoint_load(&checkpoint, path, device);
    if (status == TT_OK) tt_checkpoint_close(&checkpoint);
    tt_device_close(device);
    return status;
}

// Reads the new file as every other command would.
static tt_status check(const char *kind, const char *path) {
    if (strcmp(kind, "corpus") == 0) return check_corpus(path);
    if (strcmp(kind, "preferences") == 0) return check_pairs(path);
    if (strcmp(kind, "checkpoint") == 0) return check_checkpoint(path);
    return tt_fail(
        TT_ERR_FORMAT, "unknown kind of file '%s'; known are corpus, preferences and checkpoint", kind);
}

static tt_status renew_file(const char *path) {
    tt_output out;
    char kind[32];
    uint64_t bytes;
    TT_TRY(tt_file_check(path, "an HDF5 file"));
    if (tt_seal_there(path)) {
        TT_TRY(tt_seal_check(path, &bytes));
        printf("%s: is sound and in the present format; nothing to do\n", path);
        return TT_OK;
    }
    TT_TRY(tt_output_reserve(&out, path));
    tt_status status = tt_h5_renew(path, out.temporary, kind);
    if (status == TT_OK) {
        status = check(kind, out.temporary);
        if (status != TT_OK)
            status = tt_context(
                status, "%s: cannot be renewed: what could be read of it is not a valid %s", path, kind);
    }
    TT_TRY(tt_output_close(&out, status));
    printf("%s: renewed (%s)\n", path, kind);
    return TT_OK;
}

tt_status tt_cmd_renew(int argc, char **argv) {
    tt_texts rest;
    bool help;
    const tt_args args = {.usage = "tinythinker renew FILE.h5...",
        .about = "Writes corpora, preference pairs and checkpoints of versions up to 0.1.0, or made with "
                 "h5py, in the "
                 "present format, whose checksum is checked before a file is used. Each file is read by a "
                 "process of its "
                 "own, checked, and replaced as a whole; one that is damaged stays as it is.",
        .least = 1,
        .most = (int)(sizeof rest.items / sizeof *rest.items)};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    tt_status first = TT_OK;
    int failed = 0;
    for (int i = 0; i < rest.n; ++i) {
        const tt_status status = renew_file(rest.items[i]);
        if (status == TT_OK) continue;
        if (rest.n == 1) return status;
        tt_error("%s", tt_error_message());
        if (failed++ == 0) first = status;
    }
    if (failed)
        return tt_fail(first, "%d of %d files could not be renewed and stay as they are", failed, rest.n);
    return TT_OK;
}
