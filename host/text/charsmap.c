// Layout of the table: a 32-bit length in bytes; an array of that length, the double-array trie of the library Darts-clone,
// whose keys are the texts to replace and whose values are offsets into what follows; the replacements, each ending in NUL.
// All numbers are little-endian.
#include "host/text/charsmap.h"

#include "host/base/memory.h"
#include "host/text/unicode.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct tt_charsmap {
    uint32_t *units; // [n_units]
    size_t n_units;
    char *texts; // [n_texts], the last byte is NUL
    size_t n_texts;
    bool keeps[128]; // see tt_charsmap_keeps
};

static int sextet(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

// *out receives the bytes, to be released with free().
static tt_status decode_base64(const char *text, unsigned char **out, size_t *n) {
    uint32_t bits = 0;
    int have = 0;
    *n = 0;
    TT_TRY(tt_alloc(out, strlen(text) / 4 * 3 + 3, 1, "precompiled_charsmap"));
    for (; *text && *text != '='; ++text) {
        const int digit = sextet(*text);
        if (digit < 0) {
            free(*out);
            *out = NULL;
            return tt_fail(TT_ERR_FORMAT, "precompiled_charsmap is not base64: character '%c'", *text);
        }
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) (*out)[(*n)++] = (unsigned char)(bits >> (have -= 8) & 255);
    }
    return TT_OK;
}

static uint32_t little_endian(const unsigned char *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static tt_status split_table(tt_charsmap *map, const unsigned char *bytes, size_t n) {
    const size_t trie = n >= 4 ? little_endian(bytes) : 0;
    if (n < 4 || trie % 4 || trie == 0 || trie > n - 4)
        return tt_fail(
            TT_ERR_FORMAT, "precompiled_charsmap: says its trie has %zu bytes, but has %zu in all", trie, n);
    map->n_units = trie / 4;
    map->n_texts = n - 4 - trie;
    TT_TRY(tt_alloc(&map->units, map->n_units, sizeof *map->units, "precompiled_charsmap"));
    TT_TRY(tt_alloc(&map->texts, map->n_texts + 1, 1, "precompiled_charsmap"));
    for (size_t i = 0; i < map->n_units; ++i) map->units[i] = little_endian(bytes + 4 + 4 * i);
    memcpy(map->texts, bytes + 4 + trie, map->n_texts);
    map->n_texts++; // tt_alloc's zero ends the last text in any case
    for (size_t i = 0; i < map->n_texts; i += strlen(map->texts + i) + 1)
        if (!tt_utf8_valid(map->texts + i, strlen(map->texts + i), NULL))
            return tt_fail(
                TT_ERR_FORMAT, "precompiled_charsmap: the replacement at byte %zu is not UTF-8", i);
    return TT_OK;
}

static uint32_t offset_of(uint32_t unit) {
    return (unit >> 10) << ((unit & 1u << 9) >> 6);
}

static bool is_child(uint32_t unit, unsigned char c) {
    return (unit & (1u << 31 | 0xff)) == c;
}

static bool has_value(uint32_t unit) {
    return unit >> 8 & 1;
}

static bool begins_text(const tt_charsmap *map, uint32_t value) {
    return value < map->n_texts && (value == 0 || !map->texts[value - 1]);
}

// Follows every way through the trie. A search in one that passes stays within it.
static tt_status check_trie(const tt_charsmap *map) {
    size_t *stack, depth = 0;
    bool *seen;
    TT_TRY(tt_alloc(&seen, map->n_units, sizeof *seen, "precompiled_charsmap"));
    tt_status status = tt_alloc(&stack, map->n_units, sizeof *stack, "precompiled_charsmap");
    if (status == TT_OK) stack[depth++] = 0;
    while (depth > 0 && status == TT_OK) {
        const size_t node = stack[--depth], base = node ^ offset_of(map->units[node]);
        if ((base | 0xff) >= map->n_units)
            status = tt_fail(TT_ERR_FORMAT, "precompiled_charsmap: entry %zu leads out of the table", node);
        else if (node > 0 && has_value(map->units[node]) && !begins_text(map, map->units[base] & 0x7fffffffu))
            status = tt_fail(TT_ERR_FORMAT, "precompiled_charsmap: entry %zu names no replacement", node);
        for (int c = 1; c < 256 && status == TT_OK; ++c) {
            const size_t child = base ^ (size_t)c;
            if (!is_child(map->units[child], (unsigned char)c) || seen[child]) continue;
            seen[child] = true;
            stack[depth++] = child;
        }
    }
    free(seen);
    free(stack);
    return status;
}

// Whether no key is the character c, or begins with it and another of ASCII.
static bool keeps(const tt_charsmap *map, unsigned char c) {
    const size_t child = offset_of(map->units[0]) ^ c;
    if (!is_child(map->units[child], c)) return true;
    const size_t base = child ^ offset_of(map->units[child]);
    bool kept = !has_value(map->units[child]);
    for (unsigned char next = 1; next < 128 && kept; ++next) kept = !is_child(map->units[base ^ next], next);
    return kept;
}

tt_status tt_charsmap_parse(tt_charsmap **out, const void *bytes, size_t n) {
    *out = NULL;
    tt_charsmap *map;
    TT_TRY(tt_alloc(&map, 1, sizeof *map, "precompiled_charsmap"));
    tt_status status = split_table(map, bytes, n);
    if (status == TT_OK) status = check_trie(map);
    for (unsigned char c = 1; c < 128 && status == TT_OK; ++c) map->keeps[c] = keeps(map, c);
    if (status == TT_OK)
        *out = map;
    else
        tt_charsmap_close(map);
    return status;
}

tt_status tt_charsmap_open(tt_charsmap **out, const char *base64) {
    *out = NULL;
    unsigned char *bytes;
    size_t n;
    TT_TRY(decode_base64(base64, &bytes, &n));
    tt_status status = tt_charsmap_parse(out, bytes, n);
    free(bytes);
    return status;
}

void tt_charsmap_close(tt_charsmap *map) {
    if (!map) return;
    free(map->units);
    free(map->texts);
    free(map);
}

bool tt_charsmap_keeps(const tt_charsmap *map, unsigned char c) {
    return c < 128 && map->keeps[c];
}

const char *tt_charsmap_longest(const tt_charsmap *map, const char *text, size_t n, size_t *length) {
    const char *found = NULL;
    size_t node = offset_of(map->units[0]);
    for (size_t i = 0; i < n; ++i) {
        const unsigned char c = (unsigned char)text[i];
        node ^= c;
        const uint32_t unit = map->units[node];
        if (!is_child(unit, c)) break;
        node ^= offset_of(unit);
        if (!has_value(unit)) continue;
        found = map->texts + (map->units[node] & 0x7fffffffu);
        *length = i + 1;
    }
    return found;
}

// The replacement of the shortest key at the start of text[0..n), or NULL where there is none.
static const char *replacement(const tt_charsmap *map, const char *text, size_t n) {
    size_t node = offset_of(map->units[0]);
    for (size_t i = 0; i < n && text[i]; ++i) {
        const unsigned char c = (unsigned char)text[i];
        node ^= c;
        const uint32_t unit = map->units[node];
        if (!is_child(unit, c)) return NULL;
        node ^= offset_of(unit);
        if (has_value(unit)) return map->texts + (map->units[node] & 0x7fffffffu);
    }
    return NULL;
}

// How many characters stay as they are: clusters of one ASCII character each. (CR and LF are one together.)
static size_t kept_at_start(const tt_charsmap *map, const char *text, size_t n) {
    size_t kept = 0;
    while (kept < n && tt_charsmap_keeps(map, (unsigned char)text[kept]) && text[kept] != '\r') ++kept;
    if (kept > 0 && kept < n && (unsigned char)text[kept] >= 128) --kept; // a mark may follow the last one
    return kept;
}

// The package looks up a grapheme cluster of less than 6 bytes as a whole, and what the shortest matching key is replaced by
// then stands for all of it, marks included; it looks up the characters of other clusters one by one.
void tt_charsmap_apply(const tt_charsmap *map, const char *text, size_t n, tt_str *out) {
    enum { SHORT = 6 };
    for (size_t i = 0; i < n;) {
        const size_t kept = kept_at_start(map, text + i, n - i);
        if (kept) {
            tt_str_append_n(out, text + i, kept);
            i += kept;
            continue;
        }
        const size_t cluster = tt_unicode_grapheme(text + i, n - i);
        const char *whole = cluster < SHORT ? replacement(map, text + i, cluster) : NULL;
        if (whole) tt_str_append(out, whole);
        for (size_t k = 0; k < cluster && !whole;) {
            const size_t length = (size_t)tt_utf8_length(text[i + k]);
            const char *with = replacement(map, text + i + k, length);
            if (with)
                tt_str_append(out, with);
            else
                tt_str_append_n(out, text + i + k, length);
            k += length;
        }
        i += cluster;
    }
}
