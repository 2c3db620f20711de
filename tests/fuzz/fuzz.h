// Fuzz targets: a file each, with LLVMFuzzerTestOneInput. libFuzzer calls it (preset fuzz), or replay.c does.
//
// A target writes its input to files, calls what reads them, and ends the process where that goes wrong:
//
//   int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
//       fuzz_begin(data, size);
//       fuzz_write("questions.jsonl", data, size);
//       if (fuzz_accepted(tt_import_jsonl(&corpus, "questions.jsonl"))) ...
//       return fuzz_end();
//   }
#ifndef TT_FUZZ_H
#define TT_FUZZ_H

#include "host/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
// Optional in a target: called once, before the first input.
int LLVMFuzzerInitialize(int *argc, char ***argv);

// For an input (NULL: none): the working folder becomes an empty one of this process, in memory where the machine has /dev/shm, until fuzz_end, which
// checks that no temporary file is left in it, empties it, and returns 0. Warnings are not printed.
void fuzz_begin(const uint8_t *data, size_t size);
int fuzz_end(void);

// Ends the process, with the text, unless `holds`.
void fuzz_require(bool holds, const char *what);
// Whether the status is TT_OK. A failure must have a message that a person can read.
bool fuzz_accepted(tt_status status);
// The status must be TT_OK; `what` says why.
void fuzz_must(tt_status status, const char *what);

// Writes a file in the working folder.
void fuzz_write(const char *name, const void *bytes, size_t n);
// Writes an input that holds several files: each begins after a line "=== name", and only names[0..n) count. What stands
// before the first such line is left out. Returns the set of files that were written, 1 << i for names[i].
unsigned fuzz_write_files(const uint8_t *data, size_t size, const char *const *names, int n);

// A tokenizer of few pieces; questions with a reasoning each.
void fuzz_write_tokenizer(const char *path);
struct tt_corpus;
void fuzz_make_corpus(struct tt_corpus *corpus); // of 4 questions; the caller closes it

#endif
