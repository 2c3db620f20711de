// A cell is a beginning of keys. That which follows it by byte c is cell base ^ c, if this says that it is its parent.
#include "host/text/trie.h"

#include "host/base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 256, // cells are added in such blocks, so that base ^ c exists for every byte c
    TRIES = 32,  // free cells that are tried before a block is added
    ROOT = 0,
    NONE = -1,
    FREE = -2
};

typedef struct cell {
    int32_t base, parent, value; // value: NONE where no key ends
} cell;

struct tt_trie {
    cell *cells;
    int most;
};

// Keys [first, last) begin alike up to `depth`, where cell `at` is.
typedef struct span {
    size_t first, last, depth;
    int32_t at;
    int values; // keys that end on the way here
} span;

typedef struct builder {
    tt_trie *trie;
    const tt_trie_key *keys;
    size_t n_cells, capacity, next_capacity, before_capacity;
    int32_t *next, *before; // free cells as a list; NONE at its ends
    int32_t head, tail;
    span *stack;
    size_t depth, stack_capacity;
} builder;

static int by_text(const void *left, const void *right) {
    const tt_trie_key *a = left, *b = right;
    const int order = strcmp(a->text, b->text);
    return order ? order : (a->value > b->value) - (a->value < b->value);
}

// The last of equal keys stays.
static size_t sort_keys(tt_trie_key *keys, size_t n) {
    size_t kept = 0;
    if (n > 0) qsort(keys, n, sizeof *keys, by_text); // keys may be NULL
    for (size_t i = 0; i < n; ++i)
        if (i + 1 == n || strcmp(keys[i].text, keys[i + 1].text) != 0) keys[kept++] = keys[i];
    return kept;
}

static tt_status add_block(builder *b) {
    const size_t from = b->n_cells, to = from + BLOCK;
    if (to > INT32_MAX) return tt_fail(TT_ERR_NOMEM, "a trie of more than %d cells", INT32_MAX);
    TT_TRY(tt_grow(&b->trie->cells, &b->capacity, to, sizeof(cell), "trie"));
    TT_TRY(tt_grow(&b->next, &b->next_capacity, to, sizeof *b->next, "trie"));
    TT_TRY(tt_grow(&b->before, &b->before_capacity, to, sizeof *b->before, "trie"));
    for (size_t i = from; i < to; ++i) {
        b->trie->cells[i] = (cell){0, FREE, NONE};
        b->next[i] = i + 1 < to ? (int32_t)i + 1 : NONE;
        b->before[i] = i > from ? (int32_t)i - 1 : b->tail;
    }
    if (b->tail == NONE)
        b->head = (int32_t)from;
    else
        b->next[b->tail] = (int32_t)from;
    b->tail = (int32_t)to - 1;
    b->n_cells = to;
    return TT_OK;
}

static void take(builder *b, int32_t at, int32_t parent) {
    const int32_t next = b->next[at], before = b->before[at];
    if (before == NONE)
        b->head = next;
    else
        b->next[before] = next;
    if (next == NONE)
        b->tail = before;
    else
        b->before[next] = before;
    b->trie->cells[at].parent = parent;
}

// A base with which all n bytes lead to free cells.
static tt_status find_base(builder *b, const unsigned char *bytes, int n, int32_t *base) {
    int tried = 0;
    for (int32_t at = b->head; at != NONE && tried < TRIES; at = b->next[at], ++tried) {
        int i = 1;
        *base = at ^ bytes[0];
        while (i < n && b->trie->cells[*base ^ bytes[i]].parent == FREE) ++i;
        if (i == n) return TT_OK;
    }
    *base = (int32_t)b->n_cells;
    return add_block(b);
}

static unsigned char byte_of(const builder *b, size_t key, size_t depth) {
    return (unsigned char)b->keys[key].text[depth];
}

// Gives the cell of a span its value and cells to those that follow it, which wait on the stack.
static tt_status split(builder *b, span s) {
    unsigned char bytes[256];
    int n = 0;
    int32_t base;
    if (byte_of(b, s.first, s.depth) == '\0') {
        b->trie->cells[s.at].value = b->keys[s.first++].value;
        if (++s.values > b->trie->most) b->trie->most = s.values;
    }
    for (size_t i = s.first; i < s.last; ++i)
        if (n == 0 || byte_of(b, i, s.depth) != bytes[n - 1]) bytes[n++] = byte_of(b, i, s.depth);
    if (n == 0) return TT_OK;
    TT_TRY(find_base(b, bytes, n, &base));
    b->trie->cells[s.at].base = base;
    for (int i = 0; i < n; ++i) {
        span part = {.first = s.first, .depth = s.depth + 1, .at = base ^ bytes[i], .values = s.values};
        while (s.first < s.last && byte_of(b, s.first, s.depth) == bytes[i]) ++s.first;
        part.last = s.first;
        take(b, part.at, s.at);
        TT_TRY(tt_grow(&b->stack, &b->stack_capacity, b->depth + 1, sizeof *b->stack, "trie"));
        b->stack[b->depth++] = part;
    }
    return TT_OK;
}

static tt_status build(builder *b, size_t n) {
    TT_TRY(add_block(b));
    take(b, ROOT, NONE);
    if (n == 0) return TT_OK;
    TT_TRY(split(b, (span){.last = n, .at = ROOT}));
    while (b->depth > 0) TT_TRY(split(b, b->stack[--b->depth]));
    return TT_OK;
}

tt_status tt_trie_open(tt_trie **out, tt_trie_key *keys, size_t n) {
    *out = NULL;
    tt_trie *trie;
    TT_TRY(tt_alloc(&trie, 1, sizeof *trie, "trie"));
    trie->most = 1;
    builder b = {.trie = trie, .keys = keys, .head = NONE, .tail = NONE};
    const tt_status status = build(&b, sort_keys(keys, n));
    free(b.next);
    free(b.before);
    free(b.stack);
    if (status == TT_OK)
        *out = trie;
    else
        tt_trie_close(trie);
    return status;
}

void tt_trie_close(tt_trie *trie) {
    if (!trie) return;
    free(trie->cells);
    free(trie);
}

int tt_trie_most(const tt_trie *trie) {
    return trie->most;
}

// The cell that byte c leads to, or NONE.
static int32_t step(const cell *cells, int32_t at, char c) {
    const int32_t next = cells[at].base ^ (unsigned char)c;
    return cells[next].parent == at ? next : NONE;
}

int tt_trie_matches(const tt_trie *trie, const char *text, size_t n, tt_trie_match *out) {
    const cell *cells = trie->cells;
    int found = 0;
    int32_t at = ROOT;
    for (size_t i = 0; i < n && (at = step(cells, at, text[i])) != NONE; ++i)
        if (cells[at].value != NONE) out[found++] = (tt_trie_match){(int32_t)i + 1, cells[at].value};
    return found;
}

int32_t tt_trie_find(const tt_trie *trie, const char *text, size_t n) {
    int32_t at = ROOT;
    for (size_t i = 0; i < n && at != NONE; ++i) at = step(trie->cells, at, text[i]);
    return at == NONE || n == 0 ? NONE : trie->cells[at].value;
}
