// How every result is written.
//
// A regular file, or one that does not exist yet, is replaced as a whole: the content goes to a temporary file beside it,
// which is fsynced and renamed. A reader sees the file from before or the new one; on failure the file from before is
// intact and nothing temporary stays. Symbolic links are followed and stay; mode and owner of the file from before are
// kept. Anything else (a device, a pipe, /dev/stdout, /dev/fd/N) is written directly. "-" is standard output.
#ifndef TT_BASE_OUTPUT_H
#define TT_BASE_OUTPUT_H

#include "host/base/fs.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_output {
    FILE *file;               // to write to; NULL after tt_output_reserve
    char path[TT_PATH_MAX];   // as it was given
    char target[TT_PATH_MAX]; // behind its links
    char temporary
        [TT_PATH_MAX]; // where the content goes until it is complete; "" where it is written directly
    int keep; // earlier versions that stay beside the file (versions.h); 0, or set by the caller after opening
} tt_output;

// Opens an output. On success the caller ends it with tt_output_close(). Errors: TT_ERR_IO, TT_ERR_INTERRUPTED.
tt_status tt_output_open(tt_output *out, const char *path) TT_MUST_CHECK;
// The same for a library that writes a file by its name and in any order: it overwrites the empty file
// out->temporary. Refuses "-", devices and pipes.
tt_status tt_output_reserve(tt_output *out, const char *path) TT_MUST_CHECK;
// `status`: whether all of the content was produced. If it was, puts it in its place; else removes it, and where the present
// message names the temporary file, it names the output from now on. Returns `status`, or what went wrong here. Does nothing
// with an output that is closed or was never opened ({0}).
tt_status tt_output_close(tt_output *out, tt_status status) TT_MUST_CHECK;
// The same, for a way out that has its own failure to report.
void tt_output_drop(tt_output *out);

// Keeps standard output for the results named "-" or /dev/stdout: from now on, what this process prints to it otherwise
// goes to standard error. Errors: TT_ERR_IO.
tt_status tt_output_claim_stdout(void) TT_MUST_CHECK;
// What messages call the path: "standard output" for "-".
const char *tt_output_name(const char *path);

#ifdef __cplusplus
}
#endif

#endif
