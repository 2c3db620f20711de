// A Hugging Face directory. Weights are given by the JSON text of their header; length and numbers are put around it. What
// is imported, exported and imported again has the same weights and token ids.
#include "tests/fuzz/fuzz.h"

#include "host/base/fs.h"
#include "host/model/huggingface/huggingface.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"config.json", "model.safetensors", "model.safetensors.index.json",
    "part-1.safetensors", "part-2.safetensors", "tokenizer_config.json", "generation_config.json",
    "special_tokens_map.json", "added_tokens.json", "tokenizer.json"};
enum { NAMES = sizeof names / sizeof *names, MOST_BYTES = 1 << 18 };
static char *spiece;
static size_t spiece_size;
static tt_device *device;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    fuzz_begin(NULL, 0);
    fuzz_write_tokenizer("spiece.model");
    fuzz_must(tt_read_file("spiece.model", 0, &spiece, &spiece_size), "no tokenizer");
    fuzz_must(tt_device_open(&device, "cpu", TT_FP32, 1), "no device");
    return fuzz_end();
}

// The largest end of a tensor that the header names, as far as that is sensible.
static size_t data_size(const char *header) {
    size_t most = 0;
    for (const char *at = header; (at = strstr(at, "data_offsets")) != NULL; ++at) {
        const char *comma = strchr(at, ',');
        const unsigned long end = comma ? strtoul(comma + 1 + strspn(comma + 1, " "), NULL, 10) : 0;
        if (end > most && end <= MOST_BYTES) most = end;
    }
    return most;
}

// Replaces the file, which contains a header, by one with its length and with data.
static void add_data(const char *path) {
    char *header;
    size_t length;
    fuzz_must(tt_read_file(path, 0, &header, &length), "a header is gone");
    const size_t bytes = data_size(header);
    uint8_t *file = calloc(1, 8 + length + bytes);
    fuzz_require(file != NULL, "no memory");
    for (int i = 0; i < 8; ++i) file[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i + 4 <= bytes; i += 4)
        file[8 + length + i + 3] = 0x3c; // small numbers in each format
    fuzz_write(path, file, 8 + length + bytes);
    free(file);
    free(header);
}

static void compare_ids(const tt_tokenizer *a, const tt_tokenizer *b) {
    static const char *const texts[] = {"What colour is the balo? {red}\n", "<extra_id_0></s> A b", ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        tt_ids x = {0}, y = {0};
        fuzz_must(tt_tokenizer_encode(a, texts[i], true, &x), "a text is refused");
        fuzz_must(tt_tokenizer_encode(b, texts[i], true, &y), "a text is refused");
        fuzz_require(x.n == y.n && memcmp(x.items, y.items, (size_t)x.n * sizeof *x.items) == 0,
            "an exported tokenizer gives other ids");
        free(x.items);
        free(y.items);
    }
}

static void export_again(const tt_checkpoint *checkpoint) {
    tt_checkpoint again;
    if (!fuzz_accepted(tt_huggingface_export(checkpoint, "out", false, false))) {
        fuzz_require(access("out/config.json", F_OK) != 0, "a failed export leaves files");
        return;
    }
    fuzz_must(tt_huggingface_import(&again, "out", false, device), "an exported model is refused");
    fuzz_require(again.model->size == checkpoint->model->size &&
                     memcmp(again.model->w, checkpoint->model->w, again.model->size * sizeof(float)) == 0,
        "an exported model has other weights");
    compare_ids(checkpoint->tokenizer, again.tokenizer);
    tt_checkpoint_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_checkpoint checkpoint;
    fuzz_begin(data, size);
    fuzz_must(tt_make_dirs("in"), "no folder");
    fuzz_require(chdir("in") == 0, "no folder");
    const unsigned have = fuzz_write_files(data, size, names, NAMES);
    if (!(have >> 9 & 1)) fuzz_write("spiece.model", spiece, spiece_size);
    for (int i = 1; i < 5; ++i)
        if (i != 2 && have >> i & 1) add_data(names[i]);
    fuzz_require(chdir("..") == 0, "no folder");
    for (int unused = 0; unused < 2; ++unused) {
        if (!fuzz_accepted(tt_huggingface_import(&checkpoint, "in", unused, device))) continue;
        export_again(&checkpoint);
        tt_checkpoint_close(&checkpoint);
        break;
    }
    return fuzz_end();
}
