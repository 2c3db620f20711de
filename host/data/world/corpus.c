// From a world to a corpus file.
#include "host/base/fs.h"
#include "host/base/str.h"
#include "host/base/temporary.h"
#include "host/data/import/import.h"
#include "host/data/world/world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// "datasets/everyday/world.yaml" is called everyday; "worlds/ships.yaml" is called ships.
static void world_name(char *out, size_t size, const char *path) {
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    size_t n = strcspn(file, ".");
    if (slash && n == 5 && strncmp(file, "world", n) == 0) {
        const char *dir = slash;
        while (dir > path && dir[-1] != '/') --dir;
        file = dir;
        n = (size_t)(slash - dir);
    }
    snprintf(out, size, "%.*s", (int)n, file);
}

tt_status tt_world_corpus(const char *world_yaml, const char *out_h5) {
    char jsonl[TT_PATH_MAX], name[128];
    int file;
    TT_TRY(tt_temporary_make(out_h5, jsonl, &file));
    close(file);
    world_name(name, sizeof name, world_yaml);
    tt_corpus corpus = {.name = name};
    tt_str from = {0};
    tt_str_format(&from, "{\"world\": \"%s\"}", world_yaml);
    tt_status status = tt_world_generate(world_yaml, jsonl);
    if (status == TT_OK) status = tt_import_jsonl(&corpus, jsonl);
    tt_temporary_remove(jsonl);
    if (status == TT_OK) {
        corpus.provenance = tt_str_text(&from);
        status = tt_corpus_save(&corpus, out_h5);
    }
    tt_corpus_close(&corpus);
    tt_str_close(&from);
    return status;
}
