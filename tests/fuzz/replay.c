// Runs a fuzz target on stored inputs, without a fuzzer, built by any compiler:
//   fuzz_<target> FILE|FOLDER...
// Of each input it also tries the halves and a few damaged copies, the same ones each time.
#include "tests/fuzz/fuzz.h"

#include "host/base/fs.h"
#include "host/base/philox.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPIES = 10, BYTES = 3 };

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static long inputs;

static void damage_copies(const uint8_t *data, size_t size) {
    tt_rng rng;
    uint8_t *copy = malloc(size);
    if (!copy) abort();
    tt_rng_open(&rng, size, TT_FOR_TEST, 0, 0);
    for (int i = 0; i < COPIES; ++i) {
        memcpy(copy, data, size);
        for (int k = 0; k < BYTES; ++k) copy[tt_rng_below(&rng, (uint32_t)size)] = (uint8_t)tt_rng_u32(&rng);
        LLVMFuzzerTestOneInput(copy, size);
    }
    free(copy);
}

static void replay_file(const char *path) {
    char *text;
    size_t size;
    fuzz_must(tt_read_file(path, (size_t)1 << 28, &text, &size), "an input cannot be read");
    // A copy of just this size, so that sanitizers see a read beyond it.
    uint8_t *data = malloc(size ? size : 1);
    if (!data) abort();
    memcpy(data, text, size);
    free(text);
    fprintf(stderr, "%s\n", path); // the last one is the one that fails
    LLVMFuzzerTestOneInput(data, size);
    LLVMFuzzerTestOneInput(data, size / 2);
    if (size > 0) damage_copies(data, size);
    free(data);
    ++inputs;
}

static int not_hidden(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void replay_folder(const char *path) {
    struct dirent **entries;
    const int n = scandir(path, &entries, not_hidden, alphasort);
    for (int i = 0; i < n; ++i) {
        char file[TT_PATH_MAX];
        fuzz_must(tt_path_join(file, sizeof file, path, entries[i]->d_name), "a path is too long");
        if (tt_file_exists(file)) replay_file(file);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
}

int main(int argc, char **argv) {
    if (LLVMFuzzerInitialize) LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; ++i) {
        if (tt_dir_exists(argv[i]))
            replay_folder(argv[i]);
        else if (tt_file_exists(argv[i]))
            replay_file(argv[i]);
    }
    if (inputs == 0) {
        fprintf(stderr, "no inputs; usage: %s FILE|FOLDER...\n", argv[0]);
        return 1;
    }
    fprintf(stderr, "%ld inputs\n", inputs);
    return 0;
}
