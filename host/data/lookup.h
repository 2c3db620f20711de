// Finds numbers by text: ids of questions, their wording.
#ifndef TT_DATA_LOOKUP_H
#define TT_DATA_LOOKUP_H

#include "host/base/memory.h"
#include "host/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_lookup_entry {
    const char *text; // borrowed
    int number;
} tt_lookup_entry;

// Zero-initialise; fill with tt_lookup_add, then tt_lookup_sort, then find.
typedef struct tt_lookup {
    tt_lookup_entry *entries;
    size_t n, capacity;
} tt_lookup;

// Appends an entry; a text may have several. Errors: TT_ERR_NOMEM.
tt_status tt_lookup_add(tt_lookup *lookup, const char *text, int number) TT_MUST_CHECK;
// Puts the entries into the order in which tt_lookup_find searches.
void tt_lookup_sort(tt_lookup *lookup);
// The lowest number of `text`, or -1; *count (or NULL) receives how many entries have this text.
int tt_lookup_find(const tt_lookup *lookup, const char *text, int *count);
void tt_lookup_close(tt_lookup *lookup);

#ifdef __cplusplus
}
#endif

#endif
