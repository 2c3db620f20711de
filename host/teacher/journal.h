// What an endpoint has answered, kept as it comes: a file of JSON lines, each with a checksum, appended to and never
// changed. Whoever collects reads it first and asks only for what is missing.
//
//   {"entry":{"teacher":{...}},"hash":"0123456789abcdef"}      the first line: what the answers depend on
//   {"entry":{"question":"id",...},"hash":"..."}               an answer; its members are the caller's
#ifndef TT_TEACHER_JOURNAL_H
#define TT_TEACHER_JOURNAL_H

#include "host/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_journal tt_journal;

// Called for each answer in the file, in order; `entry` is borrowed for the call.
typedef tt_status (*tt_journal_entry)(void *context, const json_t *entry);

// Opens or begins the journal at `path` and locks it against other processes. `identity` (an object of texts and numbers,
// borrowed) must equal the first line's, but for "prompts": whether answers belong to these prompts is known by the hash of
// each answer's request. A torn last line, as a crash leaves it, is dropped with a warning; a file that does not
// begin as a journal is left alone. Errors: TT_ERR_CONFIG naming the member of `identity` that differs, with both values;
// TT_ERR_FORMAT naming file and line of a line that is damaged, not the last; TT_ERR_IO, also where another process has it
// open; what `entry` returns.
tt_status tt_journal_open(tt_journal **out, const char *path, const json_t *identity, tt_journal_entry entry,
    void *context) TT_MUST_CHECK;
bool tt_journal_other_prompts(
    const tt_journal *journal); // the first line's "prompts" differ from the identity's
// Takes room on the disk for so many more answers before they are asked for and paid; `expected`: bytes of one, where none
// was longer. Errors: TT_ERR_IO where the disk is full.
tt_status tt_journal_reserve(tt_journal *journal, int entries, size_t expected) TT_MUST_CHECK;
// Appends an answer. It survives a crash of the process at once, and one of the machine after tt_journal_sync; every
// 64th call syncs too. Errors: TT_ERR_IO: nothing of the entry is then in the file.
tt_status tt_journal_append(tt_journal *journal, const json_t *entry) TT_MUST_CHECK;
tt_status tt_journal_sync(tt_journal *journal) TT_MUST_CHECK;
void tt_journal_close(tt_journal *journal); // without syncing

#ifdef __cplusplus
}
#endif

#endif
