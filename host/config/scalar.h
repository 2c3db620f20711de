// What scalars of YAML 1.1 mean: the one reader of numbers, booleans and nothing in configurations, sweeps, worlds, pools,
// price tables and plans, and of the values of --set.
#ifndef TT_CONFIG_SCALAR_H
#define TT_CONFIG_SCALAR_H

#include "host/base/status.h"

#include <stdbool.h>
#include <yaml.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_scalar_kind {
    TT_SCALAR_STRING,
    TT_SCALAR_NULL, // ~, null, or nothing
    TT_SCALAR_BOOL, // true, yes, on, and their opposites
    TT_SCALAR_INTEGER,
    TT_SCALAR_REAL,
} tt_scalar_kind;

typedef struct tt_scalar {
    tt_scalar_kind kind;
    bool yes;      // of TT_SCALAR_BOOL
    double number; // of TT_SCALAR_INTEGER and TT_SCALAR_REAL
    bool unclear;  // a number that YAML 1.1 and people may read differently: 010 is 8, 1:30 is 90
    bool changes;  // as a number it would be written in another way: 0x10, 1_000, 1.10
} tt_scalar;

// The text of a scalar, owned by the document; "" for any other node.
const char *tt_yaml_text(const yaml_node_t *node);
// What a scalar without quotes means. 1e-3 is a number, which YAML 1.1 takes for a string.
tt_scalar tt_scalar_read(const char *text);
// What a node means; a scalar in quotes, or a block, is a string. `node` is a scalar.
tt_scalar tt_scalar_of(const yaml_node_t *node);
// What a node is, for messages: "a list", "a mapping", "null", "the string \"8\"", "the number 8". Valid until the next call
// on this thread.
const char *tt_scalar_name(const yaml_node_t *node);

// Numbers that are allowed.
typedef struct tt_number_range {
    double low, high;
    bool whole;
} tt_number_range;

// The functions below fail with TT_ERR_CONFIG, as `key: expected ..., got ...`, without a place.

// Reads a number without quotes.
tt_status tt_number_read(
    const char *key, const char *text, const tt_number_range *range, double *out) TT_MUST_CHECK;
// Reads true or false without quotes.
tt_status tt_bool_read(const char *key, const char *text, bool *out) TT_MUST_CHECK;
// *out receives the text of a scalar where a string is expected; the document owns it. Numbers that keep their text are
// strings, too; nothing, true and false are none, unless they are in quotes.
tt_status tt_string_of(const char *key, const yaml_node_t *node, const char **out) TT_MUST_CHECK;
// The same where text is expected that tt_number_read or tt_bool_read takes: a scalar without quotes.
tt_status tt_plain_of(
    const char *key, const char *expected, const yaml_node_t *node, const char **out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
