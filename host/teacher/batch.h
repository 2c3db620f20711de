// Requests as a provider's batch files, and the answers that come back in such files: another way than client.h for the
// same caller, without a network. One request a line, one answer a line:
//
//   {"custom_id":"...","method":"POST","url":"/v1/chat/completions","body":{...}}
//   {"custom_id":"...","response":{"status_code":200,"body":{...}},"error":null}
//
// Format: OpenAI, Batch API; vLLM's run_batch reads and writes the same.
#ifndef TT_TEACHER_BATCH_H
#define TT_TEACHER_BATCH_H

#include "host/teacher/client.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_TEACH_BATCH_ID = 65 }; // a custom_id with its NUL

// Writes a custom_id for a question's request: what can be kept of `id`, then a hash of both.
void tt_teach_batch_id(char out[TT_TEACH_BATCH_ID], const char *id, uint64_t request);

typedef struct tt_teach_batch_files {
    const char *directory;  // made where it does not exist
    int64_t requests, size; // of a file, at most; size in bytes
    tt_dialect dialect;     // of the bodies; no_n is not possible
} tt_teach_batch_files;

typedef struct tt_teach_batch_export {
    int64_t files, requests;
} tt_teach_batch_export;

// Writes the requests that caller->next() gives to directory/batch-001.jsonl, batch-002.jsonl and so on, each replaced as
// a whole. Without requests no file is written. Errors: TT_ERR_CONFIG where the directory already contains
// batch-001.jsonl, or one request is larger than a file may be; TT_ERR_IO; what the caller returns.
tt_status tt_teach_batch_write(const tt_teach_batch_files *files, const tt_client_caller *caller,
    tt_teach_batch_export *out) TT_MUST_CHECK;

typedef struct tt_teach_batch_import {
    int64_t lines;    // of all files
    int64_t answered; // requests that were answered
    int64_t refused;  // requests that the endpoint refuses, by their last line
    int64_t failed;   // requests for which there are only other errors
    int64_t passed;   // other lines: repeated, answered earlier, or of another configuration
    int64_t broken;   // lines that are not an answer's JSON
    int64_t open;     // requests without an answer, the failed ones among them
} tt_teach_batch_import;

// Calls caller->answered() for each request of caller->next() that the files answer, also for requests of later rounds,
// caller->refused() for those whose last error would come again, and caller->failed() for those that only have other errors. The order of files and lines does not matter; the first answer to
// a request counts. Errors: TT_ERR_IO with the file; TT_ERR_NOMEM; what the caller returns.
tt_status tt_teach_batch_read(const char *const *paths, int n, const tt_client_caller *caller,
    tt_teach_batch_import *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
