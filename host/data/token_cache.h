// The tokenised examples of a phase in a file of its own, so that a run that goes on need not tokenise again. A cache: where it
// is missing, made from something else or damaged, the examples are made again, and are the same.
#ifndef TT_DATA_TOKEN_CACHE_H
#define TT_DATA_TOKEN_CACHE_H

#include "host/data/stage_dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

// What the examples of a corpus follow from: its content, the tokenizer, stage set, limits and reasonings of `options` (whose
// stage is not looked at), and the rules of this version.
uint64_t tt_token_cache_key(const tt_corpus *corpus, const tt_stage_options *options);

// Fills sets[TT_STAGES], which are zero-initialised, from the file; *found: whether it has those of `key`. If not, the sets are
// unchanged. A damaged file is told by a warning.
void tt_token_cache_read(const char *path, uint64_t key, tt_dataset *sets, bool *found);
// Writes the sets, of which some may be empty. A file that cannot be written is told by a warning: nothing is lost.
void tt_token_cache_write(const char *path, uint64_t key, const tt_dataset *sets);

#ifdef __cplusplus
}
#endif

#endif
