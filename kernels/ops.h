// The contract of every operation. Each has one entry here and one implementation per device, in files of the
// same name: kernels/cpu/rmsnorm.c and kernels/cuda/rmsnorm.cu.
//
// Conventions
//   - Matrices are row-major; T[rows, columns]. `ld` is the distance between rows in elements.
//   - Batches are packed: rows of all sequences back to back, sequence i at rows offsets[i]..offsets[i+1].
//     Empty sequences are an error (TT_ERR_INPUT).
//   - All pointers are device pointers of the device that runs the operation; index arrays too.
//   - "dX" is the gradient of the loss with respect to X. In a comment, `+=` means that the result is added
//     to the old value, `=` that it replaces it.
//   - Results do not depend on the number of threads: sums that cross threads are made in a fixed order.
//   - Inputs and outputs of matrix products are *operands*: fp32, or bf16 on devices with an operand_size of
//     2 (tt_device). Everything else is fp32: residual stream, statistics, gradients of weights.
//   - A device may work asynchronously. Errors in the data (an id outside the vocabulary, NaN among logits)
//     are then reported by the next tt_device_download instead of the operation.
//   - All operations return TT_ERR_INPUT for arguments out of range, naming them, and TT_ERR_NOMEM or
//     TT_ERR_DEVICE where the device fails.
//   - Dropout, if its p > 0, is recomputed in backward from the same tt_dropout; nothing is stored.
#ifndef TT_KERNELS_OPS_H
#define TT_KERNELS_OPS_H

#include "host/base/status.h"
#include "kernels/activation.h"
#include "kernels/device.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// An element of unknown type: see "operand" above. Only pointers to it exist.
typedef void tt_operand;

// Inverted dropout (Srivastava et al. 2014; kept values are scaled by 1/(1-p)) with masks from Philox4x32-10
// (Salmon et al. 2011). Except in attention, element `c` of the row of token t is dropped if word c%4 of block {c/4, site,
// position[t], example[t]} under `key` is below p * 2^32. So a mask does not depend on the token's place in
// the batch. The key is in device memory, so that a recorded step (kernels/device.h) can be replayed with
// another one.
typedef struct tt_dropout {
    float p;                            // 0 = off; then nothing else is read
    const uint64_t *key;                // [1]: tt_key(seed, TT_FOR_DROPOUT, step)
    uint32_t site;                      // which dropout of the model: no two places share one
    const uint32_t *example, *position; // [rows]
} tt_dropout;

// Embedding: out[t] = dropout(table[ids[t]]). Backward makes one sum per id in the order of rows.
typedef struct tt_embedding {
    int rows, d, vocab;
    const int32_t *ids; // [rows], each in 0..vocab-1
    tt_dropout drop;    // of the rows of out
    const float *table; // [vocab, d]; forward
    float *out;         // [rows, d]; forward, =
    // [rows]; backward: rows sorted by id, of one id in increasing order. The host sorts (tt_embedding_order): it
    // has the ids, and a GPU would need several small kernels.
    const int32_t *order;
    const float *dout; // [rows, d]; backward
    float *dtable;     // [vocab, d]; backward, +=: dtable[ids[t]] += dropout(dout[t])
} tt_embedding;

// RMSNorm (Zhang, Sennrich 2019) as T5 has it: y = x * rstd * w, rstd = 1 / sqrt(mean(x^2) + eps).
typedef struct tt_rmsnorm {
    int rows, d;
    float eps;
    const float *w; // [d]
    float *rstd;    // [rows]; forward writes, backward reads
    // forward:  if branch: x = x_in + dropout(branch), then y = output_dropout(norm(x))
    // backward: dx += dnorm(output_dropout(dy)); if dbranch: dbranch = dropout(dx); dw += ...
    float *x;                 // [rows, d], residual stream; backward reads it as forward left it
    const tt_operand *branch; // [rows, d] or NULL
    const float *x_in;        // [rows, d], stream before the branch; NULL: x itself, added to in place
    tt_dropout drop;          // of the branch
    tt_operand *y;            // [rows, d]; forward only
    tt_dropout output_drop;   // of y
    const tt_operand *dy;     // [rows, d]; backward only
    float *dx;                // [rows, d]; backward: gradient of the residual stream, in and out
    tt_operand *dbranch;      // [rows, d] or NULL; backward
    float *dw;                // [d]; backward, +=; not read with strips
    float *strips;            // [tt_rmsnorm_strips(rows), d] or NULL; backward: what rmsnorm_dw adds to dw
} tt_rmsnorm;

enum { TT_RMSNORM_STRIP = 16 };
// Strips of rows over which backward sums dw. A device may leave some of them unused.
static inline int tt_rmsnorm_strips(int rows) {
    return (rows + TT_RMSNORM_STRIP - 1) / TT_RMSNORM_STRIP;
}

// A norm whose backward left the sums of its strips.
typedef struct tt_rmsnorm_sum {
    int rows;
    const float *strips; // as tt_rmsnorm has it
    float *dw;           // [d], +=
} tt_rmsnorm_sum;

// C[m, n] = alpha op(A) op(B) + beta C, where op(A) is [m, k] and op(B) is [k, n]; C is not read if beta is
// 0. With `relu`, negative results become 0. Sums are fp32.
//
// A batch is many products of one shape at once, which fill a GPU better than one that is small. Matrix A of product i is
// at a + i stride_a, and so on; the Cs may not overlap.
typedef struct tt_gemm {
    bool trans_a, trans_b;
    int m, n, k;
    float alpha, beta;
    const tt_operand *a, *b;
    void *c;     // an operand, or fp32
    bool c_fp32; // without effect where operands are fp32
    bool relu;
    int lda, ldb, ldc;
    int batch;                            // number of products; 0 is 1
    int64_t stride_a, stride_b, stride_c; // elements; of a batch
} tt_gemm;

// Attention over packed sequences, T5's: softmax(q k^T + bias) v, no 1/sqrt(d) factor. Query sequence i
// attends to key/value sequence source[i] (NULL: i); so several decoder sequences may share one encoder
// sequence. With `bias`, bias[bucket(key position - query position), head] is added (see tt_relative_bucket).
// Nothing of size length x length is kept: lse is, and backward recomputes.
//
// Dropout acts on the probabilities, with eight keys to a block of Philox: the key at position k of its sequence
// is dropped for query t if half k%2 (0 is the lower one) of word k/8%4 of block {k/32*4 + k%8/2, drop.site +
// head, position[t], example[t]} is below tt_attention_threshold(p), and scaled by 65536 / (65536 - threshold)
// if it is not. So a lane of a tensor core's product holds all keys of a block.
typedef struct tt_attention {
    int heads, d_kv;
    int q_seqs, kv_seqs;
    const int32_t *q_offsets;  // [q_seqs + 1]
    const int32_t *kv_offsets; // [kv_seqs + 1]
    const int32_t *source;     // [q_seqs] or NULL
    // The inverse of source, for backward on CUDA (tt_attention_readers): query sequences that attend to key
    // sequence i are readers[reader_offsets[i]] .. readers[reader_offsets[i + 1] - 1], in increasing order.
    const int32_t *readers, *reader_offsets; // [q_seqs], [kv_seqs + 1]
    bool causal;                             // query at position p sees keys at positions <= p
    int q_rows;                              // of all query sequences: q_offsets[q_seqs]
    int longest_q, longest_kv;               // lengths of the longest sequences; larger values are allowed
    const tt_operand *q, *k, *v;             // [rows, heads * d_kv] with row distances ldq, ldk, ldv
    int ldq, ldk, ldv;
    const float *bias; // [buckets, heads] or NULL
    int buckets, max_distance;
    bool bidirectional;
    tt_dropout drop; // example and position are those of the query rows
    tt_operand *out; // [q rows, heads * d_kv], row distance ldo; backward reads it
    int ldo;
    float *lse; // [q rows, heads]: log of the softmax's denominator; forward writes, backward reads
    // backward only
    const tt_operand *dout;   // [q rows, heads * d_kv], row distance ldo
    tt_operand *dq, *dk, *dv; // =, row distances ldq, ldk, ldv; rows of a key sequence without queries
                              // become 0
    float *dbias;             // [buckets, heads], +=, or NULL
    // [tt_attention_strips(longest_kv, kv_seqs), buckets, heads] or NULL: dbias is not touched, its parts are added to these
    // (+=). attention_dbias adds them to dbias, once for all layers that share a table.
    float *strips;
} tt_attention;

enum { TT_ATTENTION_STRIP = 32 };
// A device may leave some of the strips as they are.
static inline int tt_attention_strips(int longest_kv, int kv_seqs) {
    return (longest_kv + TT_ATTENTION_STRIP - 1) / TT_ATTENTION_STRIP * kv_seqs;
}

// The threshold of dropout is p * 65536 to the nearest integer: a p below 2^-17 drops nothing, and at most 65535 of 65536
// are dropped.
static inline uint32_t tt_attention_threshold(float p) {
    const float nearest = p * 65536 + 0.5f;
    return nearest >= 65535 ? 65535 : (uint32_t)nearest;
}

// The feed-forward layer between its two matrices: a = dropout(activation(h)).
typedef struct tt_ffn {
    tt_activation activation;
    int rows, f;
    const tt_operand *h;  // [rows, f] or [rows, 2f]; backward of ReLU does not read it
    tt_dropout drop;      // of a
    tt_operand *a;        // [rows, f]; forward, =; with ReLU in the memory of h if wanted
    const tt_operand *da; // [rows, f]; backward
    tt_operand *dh;       // like h; backward, =; may be the same memory as h, with ReLU as da
    // [rows, tt_mask_bytes(f)], of ReLU alone: the gradient of column c passes if bit c%8 of byte c/8 is set. Forward writes
    // it (NULL: not wanted), and backward reads it.
    uint8_t *mask;
} tt_ffn;

// Of a row of the mask.
static inline int tt_mask_bytes(int f) {
    return (f + 7) / 8;
}

// LM head with log-softmax: logits = scale * h w^T over `vocab`, in chunks of rows so that logits of all rows
// never exist at once. logp[t] = logits[target] - lse[t].
typedef struct tt_lmhead {
    int rows, d, vocab;
    float scale;
    const tt_operand *h;    // [rows, d]
    const tt_operand *w;    // [vocab, d]
    const int32_t *targets; // [rows], each in 0..vocab-1
    float *lse, *logp;      // [rows]; forward writes, backward reads lse
    const float *dlogp;     // [rows]: dloss/dlogp; backward and fused
    tt_operand *dh;         // [rows, d], =
    float *dw;              // [vocab, d], +=; NULL: not wanted
} tt_lmhead;

// AdamW (Loshchilov, Hutter 2019) with the gradient scaled by min(1, clip / (sqrt(squares) + 1e-6)) first, as
// PyTorch's clip_grad_norm_ does. The device computes the factor, so that the host need not wait between the
// sum of squares and the update.
typedef struct tt_adamw {
    int64_t n;
    float *w, *m, *v; // [n]
    const float *g;   // [n]
    tt_operand *copy; // [n] or NULL: receives w, for a device whose operands are not fp32
    // [1], square_sum of g, or NULL: no clipping. If it is not finite, nothing is updated: the device decides by itself,
    // and the caller, who reads the same number later, need not wait for it.
    const double *squares;
    double clip; // largest norm of the gradient; 0: no clipping
    float lr, beta1, beta2, eps, weight_decay;
    int64_t step; // counted from 1, for the bias correction
} tt_adamw;

// One query row per slot over a K/V cache. Slot s attends to length[s] cache rows: key j is at row start[s] + j or,
// with a table, at row table[start[s] + j]. With `bias`, key j of the slot has relative position
// j - (length[s] - 1) (causal buckets). With new_k and new_v, the cache rows of the last keys, which then differ from
// slot to slot and are no other keys' rows, are written first.
typedef struct tt_attention_decode {
    int slots, heads, d_kv;
    const tt_operand *q; // [slots, heads * d_kv], row distance ldq
    int ldq;
    tt_operand *k, *v; // cache rows, row distance ldkv
    int ldkv;
    const tt_operand *new_k, *new_v; // [slots, heads * d_kv], row distance ldq; both or neither
    const int32_t *start, *length;   // [slots]; length >= 1
    const int32_t *table;            // as long as the cache, or NULL
    const float *bias;               // [buckets, heads] or NULL
    int buckets, max_distance;
    tt_operand *out; // [slots, heads * d_kv], row distance ldo
    int ldo;
} tt_attention_decode;

// The beginning of a step of decoding, with what tables say of the cache rows of each slot (tt_attention_decode).
// Slot s reads token[s], its length[s]th, whose cache row is row[s]: ids[row[s]] = token[s]. With a table, the slot
// goes on from the text of the slot that begins at parent[s]: the table's length[s] - 1 numbers from parent[s] on are
// copied to start[s] and followed by row[s]. A slot from which others go on keeps its own text.
typedef struct tt_enter {
    int slots;
    const int32_t *token, *row, *start, *length; // [slots]
    const int32_t *parent;                       // [slots]; not read without a table
    int32_t *ids, *table;                        // as long as the cache; table: or NULL
} tt_enter;

// The end of a step of decoding on whose token[] the next one goes on without the host. left[s] is the number of
// tokens that slot s may still choose; it becomes one less, or 0 if token[s] is `end`. Then row[s] and length[s] grow
// by one. A slot that has come to 0 waits: row[s] = start[s] and both lengths 1, so that steps that go on without it
// stay within its own memory.
typedef struct tt_advance {
    int slots;
    int32_t end;
    const int32_t *token, *start;               // [slots]
    int32_t *left, *row, *length, *read_length; // [slots]; read_length: of the source
} tt_advance;

// Next token per draw from a row of logits. temperature 0 = argmax (the lowest id among equals). Else softmax of
// logits / temperature, cut to the top_k largest (0 = all), then to the smallest set of the largest whose
// probabilities sum to at least top_p (1 = all; Holtzman et al. 2020), then one draw: the first id, in
// increasing order, at which the cumulative probability exceeds uniform[draw] in [0, 1).
typedef struct tt_sample {
    int rows, vocab;          // draws
    const float *logits;      // [rows, vocab]; with `from`, as many rows as it names
    const int32_t *from;      // [rows] or NULL: the row of logits that a draw reads; NULL: each its own
    float temperature, top_p; // temperature >= 0, 0 < top_p <= 1
    int top_k;
    const float *uniform; // [rows]; not read when temperature is 0
    const int32_t *left;  // [rows] or NULL; a draw with 0 gets token 0 and reads no logits
    int32_t *token;       // [rows]
    float *logp;          // [rows] or NULL: log-softmax of the unmodified logits at the token
} tt_sample;

// Changes scores before a choice, as Hugging Face's logits processors do. Row s has read the length[s] ids at
// the cache rows that tt_attention_decode gives it. With repetition_penalty p != 1, the score of each of these ids is
// multiplied by p if negative, else divided by p, once for each different id (Keskar et al. 2019). Then, in rows of
// fewer than min_length ids, the score of `end` becomes -inf.
typedef struct tt_penalise {
    int rows, vocab;
    float *scores; // [rows, vocab], logits or log-probabilities, in place
    float repetition_penalty;
    const int32_t *ids, *table;    // as long as the cache; table: or NULL
    const int32_t *start, *length; // [rows]
    int32_t end;
    int min_length;
} tt_penalise;

// The k largest scores of each row in decreasing order; of equals the lower id first.
typedef struct tt_top {
    int rows, vocab, k;  // 1 <= k <= min(vocab, 512)
    const float *scores; // [rows, vocab]
    int32_t *token;      // [rows, k]
    float *score;        // [rows, k]
} tt_top;

enum { TT_MOST_BEAMS = 256 }; // of a prompt

// Of beam search: one of the best continuations of a prompt's texts, which are numbered in the order of their rows.
typedef struct tt_beam_candidate {
    double score;   // sum of log-probabilities, the token's with them
    int32_t parent; // the text that it continues
    int32_t token;
    int32_t slot;   // the text in whose slot it goes on; -1: it does not
    int32_t unused; // 0
} tt_beam_candidate;

// The end of a step of beam search, on whose numbers the next one goes on without the host. Texts of prompt p are the
// step's rows p * beams .. (p + 1) * beams - 1 and have the same length. Of all their continuations the 2 * beams best are
// found; of equal scores the earlier text's first, then the one that stands first in `choice`. The first `beams` of these that are not `end` are the
// prompt's next texts. There are always enough: each text has at most one continuation that ends. A text stays in its
// parent's slot if it is the first child of that parent; the others take, in their order, the slots of the texts without
// children. So no slot that others go on from is overwritten (tt_enter).
typedef struct tt_beam_step {
    int prompts, beams; // beams: 2 .. TT_MOST_BEAMS
    int32_t end;
    const int32_t
        *choice; // [prompts * beams, 2 * beams]: the best continuations of each text, best first (tt_top)
    const float *score; // the same: their log-probabilities
    const int32_t
        *left; // [prompts * beams], of which a prompt's first counts: if it is 0, the prompt is left as it is
    double *total; // [prompts * beams]: sums of log-probabilities of the texts; then of the next ones
    // [prompts * beams]: start and length of this step (tt_enter); all five receive those of the next one.
    int32_t *token, *row, *start, *length, *parent;
    tt_beam_candidate *best; // [prompts, 2 * beams], best first
} tt_beam_step;

typedef struct tt_ops {
    tt_status (*embed_fwd)(tt_device *, const tt_embedding *);
    tt_status (*embed_bwd)(tt_device *, const tt_embedding *);
    tt_status (*rmsnorm_fwd)(tt_device *, const tt_rmsnorm *);
    tt_status (*rmsnorm_bwd)(tt_device *, const tt_rmsnorm *);
    // dw of n norms (host memory), each with dw and strips of its own, from what backward left in `strips`.
    tt_status (*rmsnorm_dw)(tt_device *, const tt_rmsnorm_sum *, int n, int d);
    tt_status (*gemm)(tt_device *, const tt_gemm *);
    tt_status (*attention_fwd)(tt_device *, const tt_attention *);
    tt_status (*attention_bwd)(tt_device *, const tt_attention *);
    // dbias += the sum of the strips. Reads kv_seqs, longest_kv, buckets, heads, strips and dbias.
    tt_status (*attention_dbias)(tt_device *, const tt_attention *);
    tt_status (*ffn_fwd)(tt_device *, const tt_ffn *);
    tt_status (*ffn_bwd)(tt_device *, const tt_ffn *);
    tt_status (*lmhead_fwd)(tt_device *, const tt_lmhead *);   // lse, logp
    tt_status (*lmhead_bwd)(tt_device *, const tt_lmhead *);   // dh, dw from lse and dlogp
    tt_status (*lmhead_fused)(tt_device *, const tt_lmhead *); // both in one pass: dlogp known beforehand
    tt_status (*adamw)(tt_device *, const tt_adamw *);
    // *sum (device memory) = sum of x[i]^2, i < n, in fp64, in a fixed order.
    tt_status (*square_sum)(tt_device *, double *sum, const float *x, int64_t n);
    // x[i] *= factor, i < n.
    tt_status (*scale)(tt_device *, float *x, int64_t n, float factor);
    // out[i] = x[i] rounded to bf16, to nearest even, i < n; NaN stays NaN.
    tt_status (*to_bf16)(tt_device *, uint16_t *out, const float *x, int64_t n);
    tt_status (*attention_decode)(tt_device *, const tt_attention_decode *);
    tt_status (*enter)(tt_device *, const tt_enter *);
    tt_status (*advance)(tt_device *, const tt_advance *);
    tt_status (*sample)(tt_device *, const tt_sample *);
    // x[rows, n] becomes x - log(sum(exp(x))) of its row. Errors: TT_ERR_NUMERIC for NaN or +inf.
    tt_status (*log_softmax)(tt_device *, float *x, int rows, int n);
    tt_status (*penalise)(tt_device *, const tt_penalise *);
    tt_status (*top)(tt_device *, const tt_top *);
    tt_status (*beam_step)(tt_device *, const tt_beam_step *);
} tt_ops;

// The CPU's table; static memory.
const tt_ops *tt_cpu_ops(void);

// Every member of tt_ops. A new operation is entered here too: open.c does not compile without it.
#define TT_OPS_MAP(X)                                                                                        \
    X(embed_fwd)                                                                                             \
    X(embed_bwd)                                                                                             \
    X(rmsnorm_fwd)                                                                                           \
    X(rmsnorm_bwd)                                                                                           \
    X(rmsnorm_dw)                                                                                            \
    X(gemm)                                                                                                  \
    X(attention_fwd)                                                                                         \
    X(attention_bwd)                                                                                         \
    X(attention_dbias)                                                                                       \
    X(ffn_fwd)                                                                                               \
    X(ffn_bwd)                                                                                               \
    X(lmhead_fwd)                                                                                            \
    X(lmhead_bwd)                                                                                            \
    X(lmhead_fused)                                                                                          \
    X(adamw)                                                                                                 \
    X(square_sum)                                                                                            \
    X(scale)                                                                                                 \
    X(to_bf16)                                                                                               \
    X(attention_decode)                                                                                      \
    X(enter)                                                                                                 \
    X(advance)                                                                                               \
    X(sample)                                                                                                \
    X(log_softmax)                                                                                           \
    X(penalise)                                                                                              \
    X(top)                                                                                                   \
    X(beam_step)

// The name of the first operation that a table lacks, NULL if it is complete. tt_device_open refuses devices
// with incomplete tables.
const char *tt_ops_missing(const tt_ops *ops);

// Fills tt_embedding.order[rows] from ids[rows]; rows with an id outside 0..vocab-1 come last. begin[vocab + 2]
// is working memory. All in host memory.
void tt_embedding_order(int32_t *order, int32_t *begin, const int32_t *ids, int rows, int vocab);

// Fills tt_attention.readers[q_seqs] and reader_offsets[kv_seqs + 1] from source[q_seqs]; all in host memory.
void tt_attention_readers(
    int32_t *readers, int32_t *reader_offsets, const int32_t *source, int q_seqs, int kv_seqs);

// T5's bucket of a relative position (key - query), in 0..buckets-1, as Hugging Face computes it in fp32
// (T5Attention._relative_position_bucket; Raffel et al. 2020): half of the buckets are one position each,
// half are logarithmic up to max_distance. With `bidirectional`, keys to the right use the upper half of the
// table. buckets is even and >= 4, max_distance > buckets / 2.
int tt_relative_bucket(int relative_position, bool bidirectional, int buckets, int max_distance);

#ifdef __cplusplus
}
#endif

#endif
