// The SentencePiece library's own cut of a text, for comparison.
#ifndef TT_TESTS_SENTENCEPIECE_TWIN_H
#define TT_TESTS_SENTENCEPIECE_TWIN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct twin twin;

// NULL where the library refuses the model.
twin *twin_open(const void *bytes, size_t n);
void twin_close(twin *t);
// The pieces of text[0..n), each as "id text\n", in memory that the next call writes anew.
const char *twin_encode(twin *t, const char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
