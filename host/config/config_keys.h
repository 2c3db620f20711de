// The table of keys: configuration, defaults, ranges, schema, help text and what a key is for all come from it.
// Private to host/config.
#ifndef TT_CONFIG_KEYS_H
#define TT_CONFIG_KEYS_H

#include "host/config/config.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_key_type { TT_KEY_TEXT, TT_KEY_INTEGER, TT_KEY_REAL, TT_KEY_BOOL, TT_KEY_LIST } tt_key_type;

typedef struct tt_key {
    const char *path; // "acquisition.batch_size"
    tt_config_role role;
    tt_key_type type;
    size_t offset; // in tt_config
    // As text. A key added later gets the default that keeps what earlier versions did: their runs, whose
    // config.yaml lacks it, are read with it.
    const char *initial;
    double low, high;  // numbers
    const char *words; // allowed words of a text, "a|b|c"; NULL = any
    const char *help;  // sentences
} tt_key;

// All keys in the order of the written file; *n is their number. Static memory.
const tt_key *tt_keys(int *n);
const tt_key *tt_key_find(const char *path); // NULL where there is none
bool tt_key_is_section(const char *path);    // some key lies below it
// What to do about a key that earlier versions had and that was removed; NULL for all others.
const char *tt_key_removed(const char *path);
// The known key nearest to `path`, or NULL.
const char *tt_key_nearest(const char *path);
// Sets a key from text. Errors: TT_ERR_CONFIG, "path: what is wrong, what is allowed" (without file and line).
tt_status tt_key_set(tt_config *config, const tt_key *key, const char *text) TT_MUST_CHECK;
// For keys that are lists: appends an entry; removes all.
tt_status tt_key_append(tt_config *config, const tt_key *key, const char *text) TT_MUST_CHECK;
void tt_key_clear(tt_config *config, const tt_key *key);
// Appends the key's value as YAML that reads back the same.
void tt_key_write(tt_str *out, const tt_config *config, const tt_key *key);

#ifdef __cplusplus
}
#endif

#endif
