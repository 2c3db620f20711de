// Corpora, preference pairs and checkpoints that a disk or a copy damaged: each one is refused with its name, none crashes
// the program and none is accepted. TT_DAMAGE=N: N flipped bits of each kind of file, and N / 5 truncations (default 200).
#include "host/base/fs.h"
#include "host/base/philox.h"
#include "host/data/corpus.h"
#include "host/data/hdf5_seal.h"
#include "host/data/preferences.h"
#include "host/model/checkpoint.h"
#include "tests/expect.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const path = "test_damage.h5";
static tt_device *device;
static int tries = 200;

static int open_device(void **state) {
    (void)state;
    const char *asked = getenv("TT_DAMAGE");
    if (asked) tries = atoi(asked);
    OK(tt_device_open(&device, "cpu", TT_FP32, 1));
    return 0;
}

static int close_device(void **state) {
    (void)state;
    tt_device_close(device);
    unlink(path);
    return 0;
}

static void save_corpus(void) {
    const char *const options[] = {"cup", "knife", "rope"}, *const specific[] = {"Yes.", "No.", "No."};
    tt_corpus c = {.name = "damage", .provenance = "{\"seed\": 1}"};
    for (int i = 0; i < 12; ++i) {
        char id[16], text[64];
        snprintf(id, sizeof id, "q%d", i);
        snprintf(text, sizeof text, "What holds %d litres of water?", i);
        OK(tt_corpus_add_question(
            &c, &(tt_question){.id = id, .text = text, .options = options, .n_options = 3}));
        OK(tt_corpus_add_reasoning(&c, &(tt_reasoning){.question = i,
                                           .general = "Hollow things hold water.",
                                           .specific = specific,
                                           .source = "me"}));
    }
    OK(tt_corpus_save(&c, path));
    tt_corpus_close(&c);
}

static tt_status load_corpus(void) {
    tt_corpus c;
    TT_TRY(tt_corpus_load(&c, path));
    tt_corpus_close(&c);
    return TT_OK;
}

static void save_pairs(void) {
    const char *const came_with[] = {"A cup is hollow.", "A knife is flat."};
    tt_preferences p = {.questions = 9, .scored = true, .rules = TT_PREFERENCE_RULES};
    for (int i = 0; i < 9; ++i)
        OK(tt_preferences_add(&p, &(tt_preference_texts){.question = i,
                                      .prompt = "What holds water?",
                                      .chosen = "Hollow things.",
                                      .rejected = i % 2 ? "Flat things." : "",
                                      .came_with = came_with,
                                      .n_came_with = i % 3,
                                      .reference_chosen = -1.5 * i}));
    OK(tt_preferences_save(&p, path));
    tt_preferences_close(&p);
}

static tt_status load_pairs(void) {
    tt_preferences p;
    TT_TRY(tt_preferences_load(&p, path));
    tt_preferences_close(&p);
    return TT_OK;
}

static tt_status weights_as_moments(void *self, tt_moment which, size_t from, size_t n, float *out) {
    const tt_model *m = self;
    (void)which;
    memcpy(out, m->w + from, n * sizeof *out);
    return TT_OK;
}

static void save_checkpoint(void) {
    const char *const texts[] = {"the hammer is made of steel", "a cup holds water"};
    const tt_tokenizer_training how = {.pieces = 28, .split_punctuation = true};
    const tt_model_config config = {.vocab_size = 48,
        .d_model = 4,
        .d_kv = 2,
        .d_ff = 6,
        .num_layers = 1,
        .num_decoder_layers = 1,
        .num_heads = 2,
        .relative_attention_num_buckets = 8,
        .relative_attention_max_distance = 16,
        .layer_norm_epsilon = 1e-6f,
        .initializer_factor = 1,
        .tie_word_embeddings = true};
    tt_tokenizer *tokenizer;
    tt_model *model;
    OK(tt_tokenizer_train(texts, 2, &how, "test_damage.model"));
    OK(tt_tokenizer_load(&tokenizer, "test_damage.model", 4));
    OK(tt_model_open(&model, &config, device));
    OK(tt_model_init(model, TT_INIT_T5, 5));
    OK(tt_checkpoint_save(path, &(tt_checkpoint_write){.model = model,
                                    .tokenizer = tokenizer,
                                    .moments = {model, weights_as_moments},
                                    .state = "{\"step\": 3}"}));
    tt_model_close(model);
    tt_tokenizer_close(tokenizer);
}

static tt_status load_checkpoint(void) {
    tt_checkpoint c;
    TT_TRY(tt_checkpoint_load(&c, path, device));
    tt_checkpoint_close(&c);
    return TT_OK;
}

static const struct {
    const char *name;
    void (*save)(void);
    tt_status (*load)(void);
} kinds[] = {{"corpus", save_corpus, load_corpus}, {"pairs", save_pairs, load_pairs},
    {"checkpoint", save_checkpoint, load_checkpoint}};
enum { KINDS = sizeof kinds / sizeof *kinds };

// Replaces the file without the fsync of tt_write_file.
static void put(const char *bytes, size_t n) {
    const int file = open(path, O_WRONLY | O_CREAT, 0666);
    assert_true(file >= 0 && write(file, bytes, n) == (ssize_t)n && ftruncate(file, (off_t)n) == 0 &&
                close(file) == 0);
}

static void refused(int kind, const char *what, size_t at) {
    const tt_status status = kinds[kind].load();
    if (status != TT_ERR_FORMAT || !strstr(tt_error_message(), path))
        fail_msg("%s, %s %zu: status %d, \"%s\"", kinds[kind].name, what, at, status, tt_error_message());
}

// Calls `damage` with each kind of file, its bytes and numbers of its own. The sound file loads before and after.
static void with_each(void (*damage)(int kind, char *bytes, size_t n, tt_rng *rng)) {
    for (int kind = 0; kind < KINDS; ++kind) {
        tt_rng rng;
        char *bytes;
        size_t n;
        tt_rng_open(&rng, 1, TT_FOR_TEST, (uint32_t)kind, 0);
        kinds[kind].save();
        OK(kinds[kind].load());
        OK(tt_read_file(path, 0, &bytes, &n));
        damage(kind, bytes, n, &rng);
        put(bytes, n);
        OK(kinds[kind].load());
        free(bytes);
    }
}

static void flip(int kind, char *bytes, size_t n, tt_rng *rng) {
    for (int i = 0; i < tries; ++i) {
        const size_t at = tt_rng_below(rng, (uint32_t)n);
        const char bit = (char)(1u << tt_rng_below(rng, 8));
        bytes[at] ^= bit;
        put(bytes, n);
        refused(kind, "one bit of byte", at);
        bytes[at] ^= bit;
    }
    for (size_t at = 0; at < TT_SEAL_BYTES; ++at) { // the seal itself: every byte of it
        bytes[at] ^= 1;
        put(bytes, n);
        refused(kind, "byte of the seal", at);
        bytes[at] ^= 1;
    }
}
static void flipped_bits_are_noticed(void **state) {
    (void)state;
    with_each(flip);
}

static void truncate_file(int kind, char *bytes, size_t n, tt_rng *rng) {
    static const size_t lengths[] = {0, 1, 7, 8, 100, TT_SEAL_BYTES - 1, TT_SEAL_BYTES, TT_SEAL_BYTES + 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        put(bytes, lengths[i]);
        refused(kind, "truncated to", lengths[i]);
    }
    for (int i = 0; i < tries / 5; ++i) {
        const size_t length = i ? tt_rng_below(rng, (uint32_t)n) : n - 1;
        put(bytes, length);
        refused(kind, "truncated to", length);
    }
}
static void truncated_files_are_noticed(void **state) {
    (void)state;
    with_each(truncate_file);
}

// What disks and copies do besides: a block of zeros, two blocks exchanged, bytes that follow, another file's end.
static void spoil(int kind, char *bytes, size_t n, tt_rng *rng) {
    char *copy;
    OK(tt_alloc(&copy, n + 512, 1, "copy"));
    for (int i = 0; i < 40; ++i) {
        const size_t block = 64u << i % 4, from = tt_rng_below(rng, (uint32_t)(n - block)),
                     to = tt_rng_below(rng, (uint32_t)(n - block));
        memcpy(copy, bytes, n);
        if (i % 2)
            memset(copy + from, 0, block);
        else
            memcpy(copy + to, bytes + from, block);
        if (memcmp(copy, bytes, n) == 0) continue;
        put(copy, n);
        refused(kind, "a block at", from);
    }
    memcpy(copy, bytes, n);
    memset(copy + n, 0, 512);
    put(copy, n + 512);
    refused(kind, "bytes behind", n);
    put(copy, n + 1);
    refused(kind, "one byte behind", n);
    free(copy);
}
static void spoilt_files_are_noticed(void **state) {
    (void)state;
    with_each(spoil);
}

// Behind the seal: what a forger, or a program with a mistake, would seal. HDF5's checksums and the checks of each reader
// have it then; the content may differ, but nothing may crash. In a child, so that a crash has a place.
static void forge(int kind, char *bytes, size_t n, tt_rng *rng) {
    struct place {
        size_t at;
        int bit, status;
    } *place = mmap(NULL, sizeof *place, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int how = 0;
    assert_true(place != MAP_FAILED);
    fflush(NULL);
    const pid_t child = fork();
    for (int i = 0; i < tries && child == 0; ++i) {
        signal(SIGSEGV, SIG_DFL); // cmocka would go on with the next test
        place->at = TT_SEAL_BYTES + tt_rng_below(rng, (uint32_t)n - TT_SEAL_BYTES);
        place->bit = 1 << tt_rng_below(rng, 8);
        bytes[place->at] ^= (char)place->bit;
        put(bytes, n);
        bytes[place->at] ^= (char)place->bit;
        place->status = tt_seal_write(path);
        if (place->status == TT_OK) place->status = kinds[kind].load();
        if (place->status != TT_OK && place->status != TT_ERR_FORMAT) _exit(3);
    }
    if (child == 0) _exit(0);
    assert_true(child > 0 && waitpid(child, &how, 0) == child);
    if (how != 0)
        fail_msg("%s, bit %d of byte %zu, sealed: wait status %d, status %d", kinds[kind].name, place->bit,
            place->at, how, place->status);
    munmap(place, sizeof *place);
}
static void sealed_damage_does_not_crash(void **state) {
    (void)state;
    with_each(forge);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bits_are_noticed),
        cmocka_unit_test(truncated_files_are_noticed),
        cmocka_unit_test(spoilt_files_are_noticed),
        cmocka_unit_test(sealed_damage_does_not_crash),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
