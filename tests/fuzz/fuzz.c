#include "tests/fuzz/fuzz.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/str.h"
#include "host/data/corpus.h"
#include "host/text/tokenizer.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static int inside = -1, outside = -1;
static bool says_null; // the input itself, which messages repeat

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st, (void)type;
    return where->level == 0 ? 0 : remove(path);
}

static void remove_folder(void) {
    if (!*folder) return;
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    rmdir(folder);
}

static void make_folder(void) {
    snprintf(folder, sizeof folder, "%s/tt-fuzz-XXXXXX", tt_dir_exists("/dev/shm") ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder) || (inside = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        perror(folder);
        exit(1);
    }
    atexit(remove_folder);
    tt_log_quiet(true);
    tt_log_rank(1, 2); // warnings are for rank 0
}

void fuzz_require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "fuzz: %s; the last message: %s\n", what, tt_error_message());
    abort();
}

void fuzz_begin(const uint8_t *data, size_t size) {
    if (inside < 0) make_folder();
    outside = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fuzz_require(outside >= 0 && fchdir(inside) == 0, "no working folder");
    tt_message_set("%s", "");
    says_null = size > 0 && memmem(data, size, "(null", 5);
}

static int refuse_temporary(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st, (void)type, (void)where;
    fuzz_require(!strstr(path, ".tmp"), path);
    return 0;
}

int fuzz_end(void) {
    nftw(folder, refuse_temporary, 8, FTW_PHYS);
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    fuzz_require(fchdir(outside) == 0, "the working folder is gone");
    close(outside);
    return 0;
}

bool fuzz_accepted(tt_status status) {
    if (status == TT_OK) return true;
    const char *message = tt_error_message();
    fuzz_require(*message, "a failure without a message");
    fuzz_require(says_null || !strstr(message, "(null)"), "a message that prints NULL");
    fuzz_require(status != TT_ERR_INTERNAL, "a mistake in this program");
    return false;
}

void fuzz_must(tt_status status, const char *what) {
    fuzz_require(status == TT_OK, what);
}

void fuzz_write(const char *name, const void *bytes, size_t n) {
    const int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const char *from = bytes;
    fuzz_require(file >= 0, "cannot write an input");
    for (size_t done = 0; done < n;) {
        const ssize_t written = write(file, from + done, n - done);
        fuzz_require(written > 0, "cannot write an input");
        done += (size_t)written;
    }
    close(file);
}

static const char mark[] = "=== ";

// The index of the name in the line at `at`, or -1 where it is no mark; *after receives where the next line begins.
static int read_mark(const char *at, const char *end, const char *const *names, int n, const char **after) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop) stop = end;
    *after = stop < end ? stop + 1 : end;
    if ((size_t)(stop - at) < sizeof mark - 1 || memcmp(at, mark, sizeof mark - 1) != 0) return -1;
    at += sizeof mark - 1;
    for (int i = 0; i < n; ++i)
        if (strlen(names[i]) == (size_t)(stop - at) && memcmp(names[i], at, (size_t)(stop - at)) == 0)
            return i;
    return -1;
}

unsigned fuzz_write_files(const uint8_t *data, size_t size, const char *const *names, int n) {
    const char *at = (const char *)data, *end = at + size, *begin = NULL, *after;
    unsigned written = 0;
    int current = -1;
    for (; at < end; at = after) {
        const int next = read_mark(at, end, names, n, &after);
        if (next < 0) continue;
        if (current >= 0) fuzz_write(names[current], begin, (size_t)(at - begin));
        current = next;
        begin = after;
        written |= 1u << next;
    }
    if (current >= 0) fuzz_write(names[current], begin, (size_t)(end - begin));
    return written;
}

void fuzz_write_tokenizer(const char *path) {
    static const char *const texts[] = {"What colour is the balo? The balo is red.", "blue does not fit.",
        "Recall: Analyze: For option A, For option B, Summarize: (A) (B)", "So the answer is option A.",
        "So the answer is option B. green black white"};
    const tt_tokenizer_training how = {.pieces = 50, .split_punctuation = true};
    fuzz_must(tt_tokenizer_train(texts, sizeof texts / sizeof *texts, &how, path), "no tokenizer");
}

void fuzz_make_corpus(tt_corpus *corpus) {
    static const char *const options[] = {"red", "blue"}, *const specific[] = {
                                                              "red fits.", "blue does not fit."};
    *corpus = (tt_corpus){.name = "toy", .provenance = "{\"seed\": 1}"};
    for (int i = 0; i < 4; ++i) {
        const char id[] = {'q', (char)('0' + i), 0};
        const tt_question question = {.id = id,
            .text = i % 2 ? "What colour is the balo?" : "What colour is the cemi?",
            .options = options,
            .n_options = 2,
            .gold = i % 2,
            .split = i < 2    ? TT_TRAIN
                     : i == 2 ? TT_VALIDATION
                              : TT_TEST};
        const tt_reasoning reasoning = {
            .question = i, .general = "It is red.", .specific = specific, .answer = i % 2, .source = "toy"};
        fuzz_must(tt_corpus_add_question(corpus, &question), "no question");
        fuzz_must(tt_corpus_add_reasoning(corpus, &reasoning), "no reasoning");
    }
}
