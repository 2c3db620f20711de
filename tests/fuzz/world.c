// A world and its table of objects. What is generated from an accepted world is a corpus that its importer accepts.
#include "tests/fuzz/fuzz.h"

#include "host/base/fs.h"
#include "host/data/import/import.h"
#include "host/data/world/parts.h"
#include "host/data/world/world.h"

#include <stdlib.h>

static const char *const names[] = {"world.yaml", "objects.yaml"};
enum { MOST = 50 }; // questions, so that an input takes no time

static bool is_small(const tt_world *world) {
    int64_t all = world->texts + world->tasks;
    for (int s = 0; s < TT_SPLITS; ++s) {
        if (world->questions[s] > MOST) return false;
        all += world->questions[s];
    }
    return world->texts <= MOST && world->tasks <= MOST && all <= MOST && world->reasonings <= 4 &&
           world->n_things <= 100;
}

static void generate_questions(void) {
    if (!fuzz_accepted(tt_world_generate("world.yaml", "questions.jsonl"))) return;
    tt_corpus corpus = {0};
    char *text;
    size_t size;
    fuzz_must(tt_read_file("questions.jsonl", 0, &text, &size), "no questions were written");
    if (size > 0) fuzz_must(tt_import_jsonl(&corpus, "questions.jsonl"), "generated questions are refused");
    free(text);
    tt_corpus_close(&corpus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_world world;
    fuzz_begin(data, size);
    fuzz_write_files(data, size, names, 2);
    if (fuzz_accepted(tt_world_open(&world, "world.yaml"))) {
        const bool small = is_small(&world);
        tt_world_close(&world);
        if (small) {
            generate_questions();
            (void)fuzz_accepted(tt_reading_generate("world.yaml", "texts.txt", "pairs.jsonl"));
        }
    }
    return fuzz_end();
}
