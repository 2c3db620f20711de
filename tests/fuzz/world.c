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
    tt_corpus corpus = {0}, again = {0};
    tt_str lines = {0};
    if (fuzz_accepted(tt_world_corpus(&corpus, "world.yaml")) && corpus.n_questions > 0) {
        fuzz_must(tt_export_jsonl(&corpus, &lines), "generated questions cannot be written");
        fuzz_must(tt_write_file("questions.jsonl", tt_str_text(&lines), lines.length), "no file");
        fuzz_must(tt_import_jsonl(&again, "questions.jsonl"), "generated questions are refused");
    }
    tt_str_close(&lines);
    tt_corpus_close(&corpus);
    tt_corpus_close(&again);
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
