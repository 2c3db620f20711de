// Shared by the attention kernels of the CPU.
//
// Queries are processed in blocks of up to 32, and a vector's lanes are queries: the scores of a block are
// stored as scores[key][query]. So the softmax needs no sums across lanes, K and V need no transposition
// (their elements are broadcast), and T5's bias, which depends on the distance alone, is a contiguous part of
// a table.
#ifndef TT_KERNELS_CPU_ATTENTION_H
#define TT_KERNELS_CPU_ATTENTION_H

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/product.h"

// What all units of a call share; in the device's scratch memory.
typedef struct tt_attention_plan {
    int longest_q, longest_kv; // sequence lengths
    int width;                 // d_kv rounded up to TT_LANE_GROUP
    int span;                  // distances in a row of the table of biases
    bool narrow;               // operands are bf16
    int32_t *bucket;           // [span], if there is a bias
    float *bias;               // [heads, span], or [1, span] zeros without bias
    void *shared;              // shared_bytes for the kernel
    char *threads;             // working memory of the threads, thread_bytes each
    size_t thread_bytes;
} tt_attention_plan;

// Fills the plan's sizes.
void tt_attention_size(tt_attention_plan *plan, const tt_attention *t, int longest_q, int longest_kv);
// Bytes of scratch memory of a call that takes these.
size_t tt_attention_bytes(const tt_attention_plan *plan, const tt_device *device, const tt_attention *t,
    size_t thread_bytes, size_t shared_bytes);
// Checks the arguments and fills the plan's sizes.
tt_status tt_attention_check(const tt_attention *t, tt_attention_plan *plan) TT_MUST_CHECK;
// Takes the memory from the device's scratch memory and fills the table of biases by distance.
tt_status tt_attention_plan_open(tt_attention_plan *plan, tt_device *device, const tt_attention *t,
    size_t thread_bytes, size_t shared_bytes) TT_MUST_CHECK;
// Working memory of the calling OpenMP thread.
char *tt_attention_thread_memory(const tt_attention_plan *plan);
// The next `count` floats of a block of memory, aligned to 64 bytes; NULL memory only counts.
float *tt_attention_carve(char *memory, size_t *used, size_t count);
// The row of head h, so that the bias of query i and key j is at [i - j].
const float *tt_attention_bias_row(const tt_attention *t, const tt_attention_plan *plan, int head);

// A block of query rows of one sequence and head.
typedef struct tt_attention_block {
    int first, rows; // position of the first query; queries
    int lanes;       // rows rounded up to TT_LANE_GROUP
    int keys;        // number of keys that at least one query of the block sees
    int hidden;      // causal: lane i sees key j if i >= j - hidden; else equal to keys
} tt_attention_block;
tt_attention_block tt_attention_block_at(const tt_attention *t, int first, int queries, int keys);

// to[i][c] = element i * ld + c from `at` on of x, zero for columns beyond d; `to` is [rows][width].
void tt_attention_take(const tt_attention_plan *plan, float *to, const tt_operand *x, ptrdiff_t at,
    ptrdiff_t ld, int rows, int d);
// The other way round.
void tt_attention_put(const tt_attention_plan *plan, tt_operand *x, ptrdiff_t at, ptrdiff_t ld,
    const float *from, int rows, int d);

// Dropout of probabilities for the 32 keys from 32 * group on, and all lanes: keep[TT_MASK_KEYS][TT_BLOCK] is 0 or
// the factor of what is kept.
enum { TT_MASK_KEYS = 32 };
typedef struct tt_attention_mask {
    uint32_t site, threshold;
    float scale;
    uint64_t key;
    uint32_t position[TT_BLOCK], example[TT_BLOCK];
} tt_attention_mask;
// For the block's queries, whose first row of the whole batch is `row`. Returns false if dropout is off.
bool tt_attention_mask_open(tt_attention_mask *mask, const tt_dropout *drop, int head, int row, int rows);
void tt_attention_mask_keys(const tt_attention_mask *mask, uint32_t group, int lanes, float *keep);

#endif
