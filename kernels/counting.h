// A device without memory or arithmetic, which counts what the CPU or the CUDA device would allocate: models, trainers and
// decoders run on it as they are, and tt_device.tally says what they take. It has addresses, but nothing is there: operations
// reserve their working memory and do nothing else, and downloads give zeros.
//
// Only what the model writes matters to those who run on it: texts. Each token that is chosen is `word`, or `end` with
// probability 1 / length.
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

typedef struct tt_counting {
    bool cuda;              // count for the CUDA device; else for the CPU
    tt_precision precision; // TT_FP32 or TT_BF16
    int threads;            // of the CPU device
    int32_t word, end;      // ids of tokens
    int length;             // of texts in tokens on average, `end` included
} tt_counting;

// Its name is "cpu" whatever it counts for, so that nobody stages copies for it in host memory. The caller closes it. Errors:
// TT_ERR_NOMEM.
tt_status tt_counting_open(tt_device **out, const tt_counting *options) TT_MUST_CHECK;
// From now on texts consist of `word` and have this length on average.
void tt_counting_texts(tt_device *device, int32_t word, int length);

#ifdef __cplusplus
}
#endif

#endif
