#include "host/lab/phase_identity.h"

#include "host/base/checksum.h"
#include "host/base/fs.h"
#include "host/base/shipped.h"
#include "host/data/world/world.h"
#include "host/lab/config_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool tt_phase_at(const tt_config *config, int i, char name[TT_PHASE_NAME], int *iteration) {
    *iteration = 0;
    snprintf(name, TT_PHASE_NAME, "pretraining");
    if (config->pretraining.train.enabled && i-- == 0) return true;
    snprintf(name, TT_PHASE_NAME, "acquisition");
    if (config->acquisition.enabled && i-- == 0) return true;
    if (i >= config->reflection.iterations) return false;
    *iteration = i + 1;
    snprintf(name, TT_PHASE_NAME, "reflection_%d", *iteration);
    return true;
}

bool tt_phase_is_behind(const tt_config *config, const char *phase, const char *from) {
    char name[TT_PHASE_NAME];
    int iteration;
    if (!from || !*from) return true;
    for (int i = 0; tt_phase_at(config, i, name, &iteration); ++i) {
        if (strcmp(name, from) == 0) return true;
        if (strcmp(name, phase) == 0) return false;
    }
    return true;
}

// ---- checksums of files, each computed once: the runs of a sweep read the same few

typedef struct known_file {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
    uint64_t sum;
} known_file;

static tt_status sum_file(const char *path, uint64_t *out) {
    enum { BLOCK = 1 << 20 };
    char *block;
    tt_checksum sum;
    FILE *file = fopen(path, "re");
    if (!file) return tt_fail(TT_ERR_IO, "%s: %s", path, strerror(errno));
    if (!(block = malloc(BLOCK))) {
        fclose(file);
        return tt_fail(TT_ERR_NOMEM, "%s: no memory to read it", path);
    }
    tt_checksum_open(&sum);
    for (size_t n; (n = fread(block, 1, BLOCK, file)) > 0;) tt_checksum_add(&sum, block, n);
    const bool failed = ferror(file) != 0;
    free(block);
    fclose(file);
    if (failed) return tt_fail(TT_ERR_IO, "%s: cannot be read", path);
    *out = tt_checksum_value(&sum);
    return TT_OK;
}

static tt_status checksum_of(const char *path, uint64_t *out) {
    enum { KNOWN = 256 };
    static known_file known[KNOWN];
    static int n;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char shipped[TT_PATH_MAX];
    struct stat st;
    path = tt_shipped_find(path, shipped, sizeof shipped);
    TT_TRY(tt_file_check(path, "a file"));
    if (stat(path, &st) != 0) return tt_fail(TT_ERR_IO, "%s: %s", path, strerror(errno));
    pthread_mutex_lock(&lock);
    const known_file *found = NULL;
    for (int i = 0; i < n && !found; ++i)
        if (known[i].device == st.st_dev && known[i].inode == st.st_ino && known[i].size == st.st_size &&
            memcmp(&known[i].changed, &st.st_mtim, sizeof st.st_mtim) == 0)
            found = &known[i];
    tt_status status = TT_OK;
    if (found)
        *out = found->sum;
    else
        status = sum_file(path, out);
    if (status == TT_OK && !found && n < KNOWN)
        known[n++] = (known_file){st.st_dev, st.st_ino, st.st_size, st.st_mtim, *out};
    pthread_mutex_unlock(&lock);
    return status;
}

static tt_status append_file(tt_str *out, const char *key, const char *path) {
    uint64_t sum;
    TT_TRY(checksum_of(path, &sum));
    tt_str_format(out, "%s: content %016" PRIx64 "\n", key, sum);
    return TT_OK;
}

tt_status tt_phase_world(const char *path, tt_str *out) {
    tt_world_input inputs[TT_WORLD_INPUTS];
    int n;
    TT_TRY(append_file(out, "corpus", path));
    TT_TRY(tt_world_inputs(path, inputs, &n));
    for (int i = 0; i < n; ++i) TT_TRY(append_file(out, inputs[i].key, inputs[i].path));
    return TT_OK;
}

// ---- keys

typedef struct stretch { // phases up to one of them
    bool pretraining, acquisition, reflection;
} stretch;

// Whether a key says anything about these phases.
static bool is_used(const char *key, const stretch *s) {
    if (strcmp(key, "seed") == 0) return true;
    if (tt_config_role_of(key) != TT_ROLE_TRAINING) return false;
    if (strcmp(key, "reflection.iterations") == 0) return false; // each of them is a phase
    if (tt_starts_with(key, "pretraining.")) return s->pretraining;
    if (tt_starts_with(key, "reflection.")) return s->reflection;
    if (tt_starts_with(key, "model.") || strcmp(key, "precision") == 0) return true;
    if (strcmp(key, "acquisition.max_input") == 0) return s->acquisition || s->reflection;
    if (tt_starts_with(key, "acquisition.")) return s->acquisition;
    return s->acquisition || s->reflection; // pretraining reads texts of its own
}

static bool is_file_key(const tt_config *config, const char *key) {
    const char *other;
    for (int i = 0; tt_config_input(config, i, &other); ++i)
        if (strcmp(key, other) == 0) return true;
    return false;
}

static tt_status append_files(const tt_config *config, const stretch *s, tt_str *out) {
    const char *key, *path;
    for (int i = 0; (path = tt_config_input(config, i, &key)); ++i) {
        if (!*path || !is_used(key, s)) continue;
        const bool world = strcmp(key, "corpus") == 0 && tt_ends_with(path, ".yaml");
        TT_TRY(world ? tt_phase_world(path, out) : append_file(out, key, path));
    }
    return TT_OK;
}

tt_status tt_phase_settings(const tt_config *config, int i, tt_str *out) {
    char name[TT_PHASE_NAME];
    int iteration;
    stretch s = {0};
    for (int k = 0; k <= i && tt_phase_at(config, k, name, &iteration); ++k) {
        s.pretraining = s.pretraining || strcmp(name, "pretraining") == 0;
        s.acquisition = s.acquisition || strcmp(name, "acquisition") == 0;
        s.reflection = s.reflection || iteration > 0;
    }
    tt_str yaml = {0};
    tt_status status = tt_config_write(config, &yaml);
    tt_str_format(out, "phase: %s\nversion: %d\n", name, TT_PHASE_VERSION);
    tt_config_line line = {.rest = tt_str_text(&yaml)};
    while (status == TT_OK && tt_config_line_next(&line))
        if (is_used(line.key, &s) && !is_file_key(config, line.key))
            tt_str_format(out, "%s: %.*s\n", line.key, line.length, line.value);
    if (status == TT_OK) status = append_files(config, &s, out);
    tt_str_close(&yaml);
    return status == TT_OK ? tt_str_status(out) : status;
}

void tt_phase_after(tt_str *identity, const char before[TT_PHASE_HASH]) {
    tt_str_format(identity, "after: %s\n", before);
}

void tt_phase_hash(const char *identity, char out[TT_PHASE_HASH]) {
    tt_checksum sum;
    tt_checksum_open(&sum);
    tt_checksum_add(&sum, identity, strlen(identity));
    snprintf(out, TT_PHASE_HASH, "%016" PRIx64, tt_checksum_value(&sum));
}
