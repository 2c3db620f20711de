#include "host/teacher/journal.h"

#include "host/base/lock.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYNC_EVERY = 64, HASH_DIGITS = 16 };
static const char head[] = "{\"entry\":", middle[] = ",\"hash\":\"", tail[] = "\"}";

struct tt_journal {
    int file; // belongs to the lock
    tt_lock lock;
    char path[TT_PATH_MAX];
    off_t size; // of the whole lines
    off_t reserved;
    size_t longest;     // line
    bool other_prompts; // the first line's differ
    int pending;        // entries since the last sync
};

static tt_status fail_io(const tt_journal *j, const char *what) {
    return tt_fail(TT_ERR_IO, "%s: cannot %s: %s", j->path, what, strerror(errno));
}

// The entry of a line without its end; NULL where the line or its checksum is damaged.
static json_t *read_line(const char *line, size_t length) {
    const size_t around = sizeof middle - 1 + HASH_DIGITS + sizeof tail - 1;
    char wanted[HASH_DIGITS + 1];
    if (length < sizeof head - 1 + around || memcmp(line, head, sizeof head - 1) != 0) return NULL;
    const char *text = line + sizeof head - 1, *end = line + length - around;
    snprintf(wanted, sizeof wanted, "%016llx", (unsigned long long)tt_hash(text, (size_t)(end - text)));
    if (memcmp(end, middle, sizeof middle - 1) != 0 ||
        memcmp(end + sizeof middle - 1, wanted, HASH_DIGITS) != 0 ||
        memcmp(line + length - (sizeof tail - 1), tail, sizeof tail - 1) != 0)
        return NULL;
    return json_loadb(text, (size_t)(end - text), JSON_ALLOW_NUL, NULL);
}

// What stands in the first line is not what a journal begins with. `ours`: the line is a journal's, or was one.
static tt_status fail_first(const tt_journal *j, bool ours) {
    if (!ours)
        return tt_fail(TT_ERR_FORMAT,
            "%s:1: not a journal of tinythinker teach, and not touched; name another file as journal",
            j->path);
    return tt_fail(TT_ERR_FORMAT,
        "%s:1: the first line, which says what the answers depend on, is damaged or missing; begin another "
        "journal by the same plan (--set journal=OTHER --limit 1) and put its first line here to keep the "
        "answers",
        j->path);
}

static tt_status fail_line(const tt_journal *j, int64_t number, const char *line, size_t length) {
    if (length > 0 && line[length - 1] == '\r')
        return tt_fail(TT_ERR_FORMAT,
            "%s:%lld: ends with a carriage return, as an editor of Windows writes it; remove these (sed -i "
            "'s/\\r$//')",
            j->path, (long long)number);
    return tt_fail(TT_ERR_FORMAT,
        "%s:%lld: damaged; remove this line to ask for its question again (the others stay paid for)",
        j->path, (long long)number);
}

static void print_value(tt_str *out, const json_t *value) {
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    tt_str_append(out, text ? text : "(not set)");
    free(text);
}

// Names the first member that differs. Other prompts alone are only noted.
static tt_status check_identity(tt_journal *j, const json_t *entry, const json_t *identity) {
    const json_t *kept = json_object_get(entry, "teacher"), *side[2] = {kept, identity};
    if (!json_is_object(kept)) return fail_first(j, json_object_get(entry, "question") != NULL);
    j->other_prompts = !json_equal(json_object_get(kept, "prompts"), json_object_get(identity, "prompts"));
    for (int s = 0; s < 2; ++s) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)side[s], key, value) {
            if (strcmp(key, "prompts") == 0 || json_equal(value, json_object_get(side[1 - s], key))) continue;
            tt_str before = {0}, now = {0};
            print_value(&before, json_object_get(kept, key));
            print_value(&now, json_object_get(identity, key));
            tt_fail(TT_ERR_CONFIG,
                "%s: holds answers to another configuration: %s was %s and is now %s; restore it, or collect "
                "into another "
                "folder",
                j->path, key, tt_str_text(&before), tt_str_text(&now));
            tt_str_close(&before);
            tt_str_close(&now);
            return TT_ERR_CONFIG;
        }
    }
    return TT_OK;
}

// Whether the file can be a journal whose process died while it wrote the first line.
static bool is_torn_first(const char *data, size_t size) {
    static const char first[] = "{\"entry\":{\"teacher\":";
    const size_t n = size < sizeof first - 1 ? size : sizeof first - 1;
    return memcmp(data, first, n) == 0;
}

// A line that cannot be read is an error, but for the last one, which may be torn and is left out.
static tt_status take_damaged(const tt_journal *j, int64_t number, const char *line, size_t rest) {
    const char *end = memchr(line, '\n', rest);
    const size_t length = end ? (size_t)(end - line) : rest;
    if (end && length > 0 && end[-1] == '\r') return fail_line(j, number, line, length);
    if (number == 1 && (end || !is_torn_first(line, rest))) return fail_first(j, is_torn_first(line, rest));
    if (end && length + 1 < rest) return fail_line(j, number, line, length);
    tt_warn("%s:%lld: the last line is torn and dropped; its question is asked again", j->path,
        (long long)number);
    return TT_OK;
}

// Reads the whole lines; a torn last one is cut off.
static tt_status read_lines(tt_journal *j, const char *data, size_t size, const json_t *identity,
    tt_journal_entry entry, void *context) {
    int64_t number = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(data + at, '\n', size - at);
        const size_t length = end ? (size_t)(end - data) - at : size - at;
        json_t *object = end ? read_line(data + at, length) : NULL;
        ++number;
        if (!object) {
            TT_TRY(take_damaged(j, number, data + at, size - at));
            break;
        }
        tt_status status = number == 1 ? check_identity(j, object, identity) : entry(context, object);
        json_decref(object);
        TT_TRY(status);
        at += length + 1;
        if (length > j->longest) j->longest = length;
        j->size = (off_t)at;
    }
    return TT_OK;
}

static tt_status begin_file(tt_journal *j, const json_t *identity) {
    json_t *first = json_pack("{s:O}", "teacher", identity);
    if (!first) return tt_fail(TT_ERR_NOMEM, "out of memory for a journal");
    tt_status status = tt_journal_append(j, first);
    json_decref(first);
    return status == TT_OK ? tt_journal_sync(j) : status;
}

static tt_status open_file(tt_journal *j) {
    char note[TT_PATH_MAX];
    if (access(j->path, F_OK) == 0) TT_TRY(tt_file_check(j->path, "a file that keeps answers"));
    if (snprintf(note, sizeof note, "%s.lock", j->path) >= (int)sizeof note)
        return tt_fail(TT_ERR_IO, "%.64s...: path too long", j->path);
    j->file = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (j->file < 0) return fail_io(j, "open");
    if (tt_lock_take(&j->lock, j->file, note, j->path) == TT_OK) return TT_OK;
    return tt_fail(TT_ERR_BUSY, "%s: another process is collecting into it%s; wait for it to end, or stop it",
        j->path, j->lock.owner);
}

tt_status tt_journal_open(
    tt_journal **out, const char *path, const json_t *identity, tt_journal_entry entry, void *context) {
    *out = NULL;
    tt_journal *j;
    TT_TRY(tt_alloc(&j, 1, sizeof *j, "journal"));
    j->lock.file = -1;
    snprintf(j->path, sizeof j->path, "%s", path);
    char *data = NULL;
    size_t size = 0;
    tt_status status = open_file(j);
    if (status == TT_OK) status = tt_read_file(path, 0, &data, &size);
    if (status == TT_OK) status = read_lines(j, data, size, identity, entry, context);
    free(data);
    if (status == TT_OK && ftruncate(j->file, j->size) != 0) status = fail_io(j, "write");
    if (status == TT_OK && j->size == 0) status = begin_file(j, identity);
    if (status != TT_OK) {
        tt_journal_close(j);
        return status;
    }
    *out = j;
    return TT_OK;
}

tt_status tt_journal_append(tt_journal *j, const json_t *entry) {
    char *text = json_dumps(entry, JSON_COMPACT);
    tt_str line = {0};
    if (!text) return tt_fail(TT_ERR_NOMEM, "%s: no memory for an answer", j->path);
    tt_str_format(&line, "%s%s%s%016llx%s\n", head, text, middle,
        (unsigned long long)tt_hash(text, strlen(text)), tail);
    free(text);
    tt_status status = tt_str_status(&line);
    if (status == TT_OK) {
        const ssize_t written = pwrite(j->file, line.data, line.length, j->size);
        if (written == (ssize_t)line.length) {
            j->size += written;
            if (line.length > j->longest) j->longest = line.length;
        } else {
            if (written >= 0) errno = ENOSPC;
            status = fail_io(j, "write");
            if (ftruncate(j->file, j->size) != 0) tt_warn("%s: %s", j->path, strerror(errno));
        }
    }
    tt_str_close(&line);
    if (status == TT_OK && ++j->pending >= SYNC_EVERY) status = tt_journal_sync(j);
    return status;
}

bool tt_journal_other_prompts(const tt_journal *j) {
    return j->other_prompts;
}

tt_status tt_journal_reserve(tt_journal *j, int entries, size_t expected) {
    const size_t one = expected > j->longest ? expected : j->longest;
    const off_t need = j->size + (off_t)entries * (off_t)one;
    if (need <= j->reserved) return TT_OK;
    if (fallocate(j->file, FALLOC_FL_KEEP_SIZE, j->size, need - j->size) == 0) {
        j->reserved = need;
        return TT_OK;
    }
    if (errno != ENOSPC && errno != EDQUOT) return TT_OK; // file systems that can't: then it is not known
    return tt_fail(TT_ERR_IO, "%s: no room on the disk for %d more answers, which are not asked for: %s",
        j->path, entries, strerror(errno));
}

tt_status tt_journal_sync(tt_journal *j) {
    j->pending = 0;
    return fsync(j->file) == 0 ? TT_OK : fail_io(j, "write");
}

void tt_journal_close(tt_journal *j) {
    if (!j) return;
    if (j->reserved > j->size && ftruncate(j->file, j->size) != 0)
        tt_warn("%s: %s", j->path, strerror(errno));
    tt_lock_release(&j->lock);
    free(j);
}
