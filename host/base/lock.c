#include "host/base/lock.h"

#include "host/base/log.h"
#include "host/base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OWNER = 256 };

enum { A_MOMENT = 3, A_SECOND = 20, FOR_SECONDS = 100 };

static bool try_lock(int file, int tries) {
    const struct timespec pause = {.tv_nsec = 50000000};
    while (flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR && (errno != EWOULDBLOCK || --tries == 0)) return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

// A lock works without its note: what goes wrong here costs a name in a message.
static void write_note(const char *note) {
    char host[64] = "?", when[64] = "?", text[OWNER];
    const time_t now = time(NULL);
    struct tm local;
    gethostname(host, sizeof host - 1);
    if (localtime_r(&now, &local)) strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S %Z", &local);
    const int n =
        snprintf(text, sizeof text, "process %ld on host %s, since %s\n", (long)getpid(), host, when);
    const int file = open(note, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0) return;
    tt_temporary_note(note);
    if (write(file, text, (size_t)n) != n) tt_temporary_remove(note);
    close(file);
}

static void read_note(const char *note, char *owner) {
    char text[OWNER - 4];
    const int file = open(note, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    snprintf(owner, OWNER, *text ? " (%s)" : "%s", text);
}

static tt_status take(tt_lock *out, int file, const char *note, const char *path, int tries) {
    *out = (tt_lock){.file = file};
    if (!try_lock(file, tries)) {
        if (errno == EWOULDBLOCK) {
            read_note(note, out->owner);
            return tt_fail(TT_ERR_BUSY, "%s: another process has it%s", path, out->owner);
        }
        if (tries == FOR_SECONDS)
            tt_warn("%s: cannot be locked: %s; make sure that no other process uses it at the same time",
                path, strerror(errno));
        return TT_OK;
    }
    snprintf(out->note, sizeof out->note, "%s", note);
    write_note(out->note);
    return TT_OK;
}

tt_status tt_lock_take(tt_lock *out, int file, const char *note, const char *path) {
    return take(out, file, note, path, FOR_SECONDS);
}

tt_status tt_lock_try(tt_lock *out, int file, const char *note, const char *path) {
    return take(out, file, note, path, A_SECOND);
}

bool tt_lock_held(const char *folder, const char *note, char *owner) {
    const int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return false;
    const bool held = !try_lock(file, FOR_SECONDS) && errno == EWOULDBLOCK;
    if (held) read_note(note, owner);
    close(file);
    return held;
}

bool tt_lock_noted(const char *folder, const char *note) {
    struct stat st;
    if (stat(note, &st) != 0) return false;
    const int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool held = file >= 0 && !try_lock(file, A_MOMENT) && errno == EWOULDBLOCK;
    if (file >= 0) close(file);
    return held;
}

void tt_lock_release(tt_lock *lock) {
    if (lock->file < 0) return;
    if (*lock->note) tt_temporary_remove(lock->note);
    close(lock->file);
    *lock = (tt_lock){.file = -1};
}
