#include "host/data/token_cache.h"

#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/data/corpus_tokens.h"

#include <string.h>

static const char kind[] = "token cache";

uint64_t tt_token_cache_key(const tt_corpus *corpus, const tt_stage_options *o) {
    const uint64_t parts[] = {corpus->hash, tt_tokenizer_hash(o->tokenizer), o->split, o->set,
        (uint64_t)o->max_input, (uint64_t)o->max_target, (uint64_t)o->reasonings, TT_TOKEN_RULES};
    return tt_hash(parts, sizeof parts);
}

static tt_status read_sets(const char *path, uint64_t key, tt_dataset *sets, bool *found) {
    tt_h5 h;
    int64_t stored = 0;
    TT_TRY(tt_h5_open(&h, path, kind));
    tt_status status = tt_h5_get_i64(&h, "/", "key", &stored);
    *found = status == TT_OK && (uint64_t)stored == key;
    for (int s = 0; s < TT_STAGES && *found && status == TT_OK; ++s)
        status = tt_stage_tokens_read(&h, &sets[s], (tt_stage)s);
    tt_h5_close(&h);
    return status;
}

void tt_token_cache_read(const char *path, uint64_t key, tt_dataset *sets, bool *found) {
    *found = false;
    if (!tt_file_exists(path)) return;
    if (read_sets(path, key, sets, found) == TT_OK) return;
    tt_warn("%s; the texts are tokenised again", tt_error_message());
    *found = false;
    for (int s = 0; s < TT_STAGES; ++s) tt_dataset_close(&sets[s]);
}

static tt_status write_sets(const tt_h5 *h, uint64_t key, const tt_dataset *sets) {
    TT_TRY(tt_h5_put_i64(h, "/", "key", (int64_t)key));
    for (int s = 0; s < TT_STAGES; ++s) TT_TRY(tt_stage_tokens_write(h, &sets[s], (tt_stage)s));
    return TT_OK;
}

void tt_token_cache_write(const char *path, uint64_t key, const tt_dataset *sets) {
    tt_h5 h;
    tt_status status = tt_h5_create(&h, path, kind);
    if (status == TT_OK) {
        status = write_sets(&h, key, sets);
        if (status == TT_OK) status = tt_h5_commit(&h);
        tt_h5_close(&h);
    }
    if (status != TT_OK) tt_warn("%s; a later start tokenises the texts again", tt_error_message());
}
