// A journal of a teacher's answers. Each line of the input becomes an entry with its checksum; a line that begins with '#'
// is written as it stands. What was read is read again, with what was appended behind it.
#include "tests/fuzz/fuzz.h"

#include "host/base/str.h"
#include "host/teacher/journal.h"

#include <string.h>

static tt_status count_entry(void *context, const json_t *entry) {
    fuzz_require(entry != NULL, "an entry that is none");
    ++*(int *)context;
    return TT_OK;
}

static void append_line(tt_str *journal, const char *line, size_t n) {
    if (n > 0 && *line == '#')
        tt_str_append_n(journal, line + 1, n - 1);
    else {
        tt_str_append(journal, "{\"entry\":");
        tt_str_append_n(journal, line, n);
        tt_str_format(journal, ",\"hash\":\"%016llx\"}", (unsigned long long)tt_hash(line, n));
    }
}

static void write_journal(const char *data, size_t size) {
    tt_str journal = {0};
    for (const char *at = data, *end = data + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        append_line(&journal, at, (size_t)((stop ? stop : end) - at));
        if (!stop) break;
        tt_str_append(&journal, "\n");
        at = stop + 1;
    }
    fuzz_must(tt_str_status(&journal), "no memory");
    fuzz_write("journal", tt_str_text(&journal), journal.length);
    tt_str_close(&journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *identity = json_pack("{s:s,s:i}", "model", "m", "seed", 1);
    json_t *entry = json_pack("{s:s}", "question", "q");
    tt_journal *journal;
    int before = 0, after = 0;
    fuzz_begin(data, size);
    write_journal((const char *)data, size);
    if (fuzz_accepted(tt_journal_open(&journal, "journal", identity, count_entry, &before))) {
        fuzz_must(tt_journal_append(journal, entry), "an open journal takes no entry");
        tt_journal_close(journal);
        fuzz_must(
            tt_journal_open(&journal, "journal", identity, count_entry, &after), "a journal is refused");
        fuzz_require(after == before + 1, "entries of a journal are lost");
        tt_journal_close(journal);
    }
    json_decref(identity);
    json_decref(entry);
    return fuzz_end();
}
