// What an endpoint does not understand, learned from its errors; and what its errors say.
#ifndef TT_TEACHER_DIALECT_H
#define TT_TEACHER_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Field, word, what becomes of requests.
#define TT_DIALECT_MAP(X)                                                                                    \
    X(no_n, "n", "each request asks for one answer")                                                         \
    X(max_completion_tokens, "max_tokens", "the limit is named max_completion_tokens")                       \
    X(no_temperature, "temperature", "the endpoint samples with its own")                                    \
    X(no_seed, "seed", "none is sent")                                                                       \
    X(no_schema, "response_format", "only the instruction asks for JSON")

typedef struct tt_dialect {
#define TT_DIALECT_FIELD(field, word, meaning) bool field;
    TT_DIALECT_MAP(TT_DIALECT_FIELD)
#undef TT_DIALECT_FIELD
} tt_dialect;

// What was asked for in the request that an error answers.
typedef struct tt_dialect_use {
    bool n, seed, schema;
} tt_dialect_use;

// Whether the body of a 400 or 422 names something that can be asked differently: then the dialect is changed.
// Bodies of OpenAI, llama.cpp, FastAPI ({"detail": [{"loc": ["body", "n"], "msg": ...}]}) and Mistral are understood.
bool tt_dialect_learn(tt_dialect *dialect, const tt_dialect_use *use, const char *body, size_t size);
bool tt_dialect_same(const tt_dialect *a, const tt_dialect *b);
// Word and meaning of the first thing that `now` leaves out and `before` did not; false where there is none.
bool tt_dialect_change(
    const tt_dialect *before, const tt_dialect *now, const char **word, const char **meaning);

// The message of an error's body, shortened to one line; "" where it has none.
void tt_completion_error(const char *body, size_t size, char *out, size_t out_size);

#ifdef __cplusplus
}
#endif

#endif
