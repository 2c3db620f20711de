#include "host/data/lookup.h"

#include <stdlib.h>
#include <string.h>

tt_status tt_lookup_add(tt_lookup *lookup, const char *text, int number) {
    TT_TRY(tt_grow(
        &lookup->entries, &lookup->capacity, lookup->n + 1, sizeof *lookup->entries, "texts to look up"));
    lookup->entries[lookup->n++] = (tt_lookup_entry){.text = text, .number = number};
    return TT_OK;
}

static int by_text_and_number(const void *left, const void *right) {
    const tt_lookup_entry *a = left, *b = right;
    const int order = strcmp(a->text, b->text);
    return order ? order : (a->number > b->number) - (a->number < b->number);
}

void tt_lookup_sort(tt_lookup *lookup) {
    if (lookup->n) qsort(lookup->entries, lookup->n, sizeof *lookup->entries, by_text_and_number);
}

int tt_lookup_find(const tt_lookup *lookup, const char *text, int *count) {
    size_t low = 0, high = lookup->n; // the first entry that is not before `text`
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(lookup->entries[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < lookup->n && strcmp(lookup->entries[end].text, text) == 0) ++end;
    if (count) *count = (int)(end - low);
    return end > low ? lookup->entries[low].number : -1;
}

void tt_lookup_close(tt_lookup *lookup) {
    free(lookup->entries);
    *lookup = (tt_lookup){0};
}
