// Shapes of attention that tests compute.
#ifndef TT_TESTS_ATTENTION_CASE_H
#define TT_TESTS_ATTENTION_CASE_H

#include <stdbool.h>

enum { MAX_SEQS = 8 };

typedef struct attention_case {
    const char *name;
    int heads, d_kv;
    int q_seqs, q_length[MAX_SEQS];
    int kv_seqs, kv_length[MAX_SEQS]; // 0: as the queries, and without sources
    int source[MAX_SEQS];
    bool causal, bias, bidirectional;
    float dropout;
    int gap; // between rows, beyond heads * d_kv
    float bias_mean;
    int shift; // so many elements before the first row: rows begin anywhere
} attention_case;

#endif
