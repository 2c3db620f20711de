// A device without memory or arithmetic, which counts what the CPU or the CUDA device would allocate: models, trainers and
// decoders run on it as they are, and tt_device.tally says what they take. It has addresses, but nothing is there: operations
// reserve their working memory and do nothing else, and downloads give zeros.
//
// Only what the model writes matters to those who run on it: texts. Each token that is chosen is one of the words, or `end`
// with probability 1 / length. Beams get words alone, so that their texts are as long as they may be.
//
// What it does not count: the scratch memory of attention_decode, whose size depends on tensors (a few kB), and oneDNN's
// working memory in bf16.
#ifndef TT_KERNELS_COUNTING_H
#define TT_KERNELS_COUNTING_H

#include "kernels/device.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// How texts are written.
enum { TT_COUNTING_WORDS = 64 };
typedef struct tt_counting_texts {
    int32_t words[TT_COUNTING_WORDS], end; // ids of tokens
    int n;                                 // words, at least 1
    int length;                            // of texts in tokens on average, `end` included
} tt_counting_texts;

typedef struct tt_counting {
    bool cuda;              // count for the CUDA device; else for the CPU
    tt_precision precision; // TT_FP32 or TT_BF16
    int threads;            // of the CPU device
} tt_counting;

// Its name is "cpu" whatever it counts for, so that nobody stages copies for it in host memory. The caller closes it. Errors:
// TT_ERR_NOMEM; TT_ERR_INTERNAL where its table lacks an operation.
tt_status tt_counting_open(tt_device **out, const tt_counting *options) TT_MUST_CHECK;
// How texts are written from now on; until then they are empty.
void tt_counting_write(tt_device *device, const tt_counting_texts *texts);

#ifdef __cplusplus
}
#endif

#endif
