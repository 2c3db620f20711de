// Loaded into a program (LD_PRELOAD), this library makes one of its calls that change a folder fail, as disks do. Every
// call that may change something under FAULTY_FOLDER counts: opening for writing, write, pwrite, ftruncate, fsync, rename, link,
// unlink, mkdir.
//
//   FAULTY_FOLDER=/abs/path    calls elsewhere are left alone
//   FAULTY_ONLY=TEXT           so are calls whose path does not contain this text
//   FAULTY_AT=N                call number N, counted from 1, fails; 0: none
//   FAULTY_HOW=full|broken|readonly|vanish|kill
//       full      it and all later calls that need room fail with ENOSPC; others work
//       broken    it alone fails with EIO; a write may have written half
//       readonly  it and all later calls fail with EROFS
//       vanish    before it, the folder is renamed to FOLDER.gone; nothing else is done
//       kill      FAULTY_DELAY microseconds after it began, the process is killed, or the one whose number is in the file
//                 FAULTY_VICTIM, by signal FAULTY_SIGNAL (9)
//   FAULTY_CLOCK=1             the time of day jumps by a day, back and forth, each time that it is asked for
//   FAULTY_LOG=FILE            receives a line for each call: what it is and, where it has one, its path
//   FAULTY_COUNT=FILE          receives the number of calls at the end of the process, or when the fault strikes
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS = 64 };
typedef enum need { ROOM, NONE } need; // whether the call needs space on the disk

static atomic_int calls;
static struct {
    FILE *stream;
    int file;
} streams[STREAMS];

static void note(int number) {
    char text[32];
    const char *path = getenv("FAULTY_COUNT");
    const int file = path ? (int)syscall(SYS_open, path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (file < 0) return;
    const int n = snprintf(text, sizeof text, "%d\n", number);
    (void)!syscall(SYS_write, file, text, n);
    syscall(SYS_close, file);
}

__attribute__((destructor)) static void note_end(void) {
    if (calls > 0 && getenv("FAULTY_FOLDER")) note(calls);
}

static char last_path[PATH_MAX]; // of the call that counts next

static bool is_below(const char *path) {
    const char *folder = getenv("FAULTY_FOLDER");
    char here[PATH_MAX], whole[2 * PATH_MAX];
    if (!folder || !path) return false;
    if (*path != '/' && syscall(SYS_getcwd, here, sizeof here) > 0)
        snprintf(whole, sizeof whole, "%s/%s", here, path);
    else
        snprintf(whole, sizeof whole, "%s", path);
    const size_t n = strlen(folder);
    const char *only = getenv("FAULTY_ONLY");
    snprintf(last_path, sizeof last_path, "%s", path);
    return strncmp(whole, folder, n) == 0 && (whole[n] == '/' || whole[n] == '\0') &&
           (!only || strstr(whole + n, only));
}

static bool is_file_below(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return false;
    path[n] = '\0';
    return is_below(path);
}

static void log_call(const char *name) {
    char line[PATH_MAX + 32];
    const char *path = getenv("FAULTY_LOG");
    const int file =
        path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (file < 0) return;
    const int n = snprintf(line, sizeof line, "%s %s\n", name, last_path);
    (void)!syscall(SYS_write, file, line, n);
    syscall(SYS_close, file);
}

static pid_t victim(void) {
    char text[32] = "";
    const char *path = getenv("FAULTY_VICTIM");
    const int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0) : -1;
    if (file < 0) return getpid();
    (void)!read(file, text, sizeof text - 1);
    syscall(SYS_close, file);
    return atoi(text) > 1 ? atoi(text) : getpid();
}

static void *kill_after_delay(void *whom) {
    const char *delay = getenv("FAULTY_DELAY"), *number = getenv("FAULTY_SIGNAL");
    usleep(delay ? (useconds_t)atoi(delay) : 0);
    kill((pid_t)(intptr_t)whom, number ? atoi(number) : SIGKILL);
    return NULL;
}

// By a thread: a process of its own would share the open files, and hold their locks.
static void kill_later(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, kill_after_delay, (void *)(intptr_t)victim()) == 0)
        pthread_detach(thread);
}

// Counts a call; true: it fails, with errno set.
static bool fails(const char *name, need what) {
    const char *at = getenv("FAULTY_AT"), *how = getenv("FAULTY_HOW");
    log_call(name);
    const int number = ++calls, wanted = at ? atoi(at) : 0;
    if (wanted < 1 || number < wanted || !how) return false;
    if (number == wanted) note(number);
    if (strcmp(how, "full") == 0) {
        errno = ENOSPC;
        return what == ROOM;
    }
    if (strcmp(how, "broken") == 0) {
        errno = EIO;
        return number == wanted;
    }
    if (strcmp(how, "readonly") == 0) {
        errno = EROFS;
        return true;
    }
    if (number == wanted && strcmp(how, "kill") == 0) kill_later();
    if (number == wanted && strcmp(how, "vanish") == 0) {
        char gone[PATH_MAX];
        snprintf(gone, sizeof gone, "%s.gone", getenv("FAULTY_FOLDER"));
        syscall(SYS_rename, getenv("FAULTY_FOLDER"), gone);
    }
    return false;
}

// ---- files by number

static int opened(int folder, const char *path, int flags, unsigned mode) {
    const bool changes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (changes && is_below(path) && fails("open", flags & O_CREAT ? ROOM : NONE)) return -1;
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}
#define OPEN(name)                                                                                           \
    int name(const char *path, int flags, ...) {                                                             \
        va_list args;                                                                                        \
        va_start(args, flags);                                                                               \
        const unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, unsigned) : 0;                    \
        va_end(args);                                                                                        \
        return opened(AT_FDCWD, path, flags, mode);                                                          \
    }
OPEN(open)
OPEN(open64)

static ssize_t put(int file, const void *bytes, size_t n, const off_t *at) {
    if (n > 0 && is_file_below(file) && fails("write", ROOM)) {
        const int reason = errno;
        const char *how = getenv("FAULTY_HOW");
        // Half of it is there, as after a power cut or on a disk that had a little room.
        if (how && strcmp(how, "readonly") != 0)
            (void)!(
                at ? syscall(SYS_pwrite64, file, bytes, n / 2, *at) : syscall(SYS_write, file, bytes, n / 2));
        errno = reason;
        return -1;
    }
    return at ? syscall(SYS_pwrite64, file, bytes, n, *at) : syscall(SYS_write, file, bytes, n);
}
ssize_t write(int file, const void *bytes, size_t n) {
    return put(file, bytes, n, NULL);
}
ssize_t pwrite(int file, const void *bytes, size_t n, off_t at) {
    return put(file, bytes, n, &at);
}
ssize_t pwrite64(int file, const void *bytes, size_t n, off64_t at) {
    return put(file, bytes, n, &at);
}

static int truncated(int file, off_t size) {
    if (is_file_below(file) && fails("truncate", NONE)) return -1;
    return (int)syscall(SYS_ftruncate, file, size);
}
int ftruncate(int file, off_t size) {
    return truncated(file, size);
}
int ftruncate64(int file, off64_t size) {
    return truncated(file, size);
}
int fsync(int file) {
    if (is_file_below(file) && fails("fsync", ROOM)) return -1;
    return (int)syscall(SYS_fsync, file);
}

// ---- names

int rename(const char *from, const char *to) {
    if (is_below(to) && fails("rename", ROOM)) return -1;
    return (int)syscall(SYS_rename, from, to);
}
int link(const char *from, const char *to) {
    if (is_below(to) && fails("link", ROOM)) return -1;
    return (int)syscall(SYS_link, from, to);
}
int unlink(const char *path) {
    if (is_below(path) && fails("unlink", NONE)) return -1;
    return (int)syscall(SYS_unlink, path);
}
int mkdir(const char *path, mode_t mode) {
    struct stat st; // one that is there already changes nothing
    if (is_below(path) && stat(path, &st) != 0 && fails("mkdir", ROOM)) return -1;
    return (int)syscall(SYS_mkdir, path, mode);
}

// ---- streams, whose writes the C library makes for itself

static ssize_t stream_write(void *cookie, const char *bytes, size_t n) {
    size_t done = 0;
    while (done < n) {
        const ssize_t put = write((int)(intptr_t)cookie, bytes + done, n - done);
        if (put <= 0) return 0;
        done += (size_t)put;
    }
    return (ssize_t)n;
}
static ssize_t stream_read(void *cookie, char *bytes, size_t n) {
    return read((int)(intptr_t)cookie, bytes, n);
}
static int stream_seek(void *cookie, off64_t *at, int whence) {
    const off_t now = lseek((int)(intptr_t)cookie, *at, whence);
    if (now < 0) return -1;
    *at = now;
    return 0;
}
static int stream_close(void *cookie) {
    const int file = (int)(intptr_t)cookie;
    for (int i = 0; i < STREAMS; ++i)
        if (streams[i].stream && streams[i].file == file) streams[i].stream = NULL;
    return close(file);
}

static FILE *stream_of(int file, const char *mode) {
    FILE *stream = fopencookie((void *)(intptr_t)file, mode,
        (cookie_io_functions_t){stream_read, stream_write, stream_seek, stream_close});
    for (int i = 0; stream && i < STREAMS; ++i)
        if (!streams[i].stream) {
            streams[i].stream = stream;
            streams[i].file = file;
            return stream;
        }
    return stream;
}

FILE *fdopen(int file, const char *mode) {
    static FILE *(*real)(int, const char *);
    if (!real) real = (FILE * (*)(int, const char *)) dlsym(RTLD_NEXT, "fdopen");
    return is_file_below(file) ? stream_of(file, mode) : real(file, mode);
}

static FILE *file_opened(const char *path, const char *mode, const char *name) {
    FILE *(*real)(const char *, const char *) =
        (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, name);
    if (!is_below(path) || (*mode == 'r' && !strchr(mode, '+'))) return real(path, mode);
    const int flags = *mode == 'r'   ? O_RDWR
                      : *mode == 'a' ? O_WRONLY | O_CREAT | O_APPEND
                                     : O_WRONLY | O_CREAT | O_TRUNC;
    const int file = opened(AT_FDCWD, path, flags | O_CLOEXEC, 0666);
    return file < 0 ? NULL : stream_of(file, mode);
}
FILE *fopen(const char *path, const char *mode) {
    return file_opened(path, mode, "fopen");
}
FILE *fopen64(const char *path, const char *mode) {
    return file_opened(path, mode, "fopen64");
}

int fileno(FILE *stream) {
    static int (*real)(FILE *);
    if (!real) real = (int (*)(FILE *))dlsym(RTLD_NEXT, "fileno");
    for (int i = 0; i < STREAMS; ++i)
        if (streams[i].stream == stream) return streams[i].file;
    return real(stream);
}

// ---- the time of day

static time_t jump(void) {
    static atomic_int asked;
    return getenv("FAULTY_CLOCK") ? (++asked % 2 ? 86400 : -86400) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *out) {
    const int failed = (int)syscall(SYS_clock_gettime, clock, out);
    if (!failed && clock == CLOCK_REALTIME) out->tv_sec += jump();
    return failed;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
