// Locks between processes, and who holds them.
#ifndef TT_BASE_LOCK_H
#define TT_BASE_LOCK_H

#include "host/base/fs.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_lock {
    int file;               // the open file or folder; -1: none
    char note[TT_PATH_MAX]; // names the process that holds the lock, while it does
    char owner
        [256]; // where it was refused: " (process 12 on host a, since 2026-11-26 10:03:05 UTC)", or "" if not known
} tt_lock;

// Locks an open file or folder, which now belongs to *out, against other processes, and writes host, process and time to
// the file `note`. The lock ends with the process, however it ends; a note that stays is overwritten. One that was killed a
// moment ago may still be giving its memory back, and its lock with it: this waits for up to five seconds. Many network file
// systems have no locks: what is called `path` is then used without one, after a warning. Errors: TT_ERR_BUSY where another
// process holds the lock, whom out->owner names; `file` is then open, too.
tt_status tt_lock_take(tt_lock *out, int file, const char *note, const char *path) TT_MUST_CHECK;
// The same with a wait of a second, and without the warning: others may look at this moment whether the lock is held.
tt_status tt_lock_try(tt_lock *out, int file, const char *note, const char *path) TT_MUST_CHECK;
// Whether another process holds the lock of a folder with this note, and still does after five seconds; owner[256]
// receives what tt_lock.owner would.
bool tt_lock_held(const char *folder, const char *note, char *owner);
// The same as far as the note tells, and without a wait: where there is none, nobody is looked at.
bool tt_lock_noted(const char *folder, const char *note);
// Removes the note and closes the file. Does nothing with file -1.
void tt_lock_release(tt_lock *lock);

#ifdef __cplusplus
}
#endif

#endif
