// Speed on this machine: of training, measured against the matrix products that it is made of, and of
// generation.
#ifndef TT_BENCH_BENCH_H
#define TT_BENCH_BENCH_H

#include "host/base/status.h"
#include "host/bench/timed_ops.h"
#include "host/model/model.h"
#include "kernels/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_bench_work {
    TT_BENCH_TRAINING,         // cross-entropy
    TT_BENCH_PREFERENCE,       // DPO: two targets for each source, which is encoded once
    TT_BENCH_GENERATION,       // ten samples of each prompt
    TT_BENCH_OPERATIONS_ALONE, // each operation by itself
} tt_bench_work;

typedef struct tt_bench_options {
    const char *shape; // tiny, small, base, or a preset's name
    int steps;         // measured, after one to warm up; at least 1
    int batches;       // different ones, taken in turn; 1 to steps
    int target_tokens; // of a batch, about
    double dropout;
    bool peak_given; // *peak is taken as it is
    uint64_t seed;
    tt_bench_work work;
    int prompts, new_tokens, slots; // of generation: prompts of a step, tokens of a sample, decoded at a time
} tt_bench_options;

// Median and extremes over the steps.
typedef struct tt_bench_spread {
    double median, low, high;
} tt_bench_spread;

typedef struct tt_bench_result {
    const char *shape;
    int64_t parameters;
    double source_tokens, target_tokens, flops; // of a step, on average
    double peak;                                // floating-point operations per second
    tt_bench_spread seconds, target_rate, token_rate, flop_rate, share; // share: of the peak
    double kind_seconds[TT_OP_KINDS];                                   // of a step, on average
    double other_seconds;                                               // of a step outside operations
    double parameter_bytes;  // 16 for each: weight, gradient, two moments
    double activation_bytes; // of the pass
    double peak_bytes;       // of the process's memory from opening the model, 0 where unknown (GPUs)
    long allocations;        // in all measured steps
} tt_bench_result;

typedef struct tt_bench_generation {
    const char *shape;
    int64_t parameters;
    int prompts, samples, slots;
    double source_tokens, new_tokens; // of a step
    tt_bench_spread seconds, rate;    // of a step; new tokens per second
} tt_bench_generation;

// An operation by itself. bytes: what it has to read and write, 0 where arithmetic bounds it; flops: 0 where
// memory does.
enum { TT_BENCH_OPERATIONS = 19 };
typedef struct tt_bench_operation {
    const char *name;
    tt_bench_spread seconds;
    double bytes, flops;
} tt_bench_operation;

// Whether the device computes beside the host, so that it must be waited for.
bool tt_bench_apart(const tt_device *device);
// tiny (the shape of the everyday world's student), small, base, or a preset. Errors: TT_ERR_CONFIG.
tt_status tt_bench_shape(tt_model_config *config, const char *name) TT_MUST_CHECK;
// Raises *flops_per_second, from 0 at first, to the best of `tries` matrix products of each of a few large
// sizes in the device's precision. On a machine with other work, one measurement says little.
tt_status tt_bench_peak(tt_device *device, int tries, double *flops_per_second) TT_MUST_CHECK;
// Trains a random model on random tokens in sequences of random lengths (sources of 20 to 150 tokens, targets
// of 8 to 60): loss by options->work, gradient norm, AdamW. The peak is measured again before and after, and
// *peak, which the share is of, raised, unless it is given. Errors: TT_ERR_CONFIG for an unknown shape.
tt_status tt_bench_training(
    tt_bench_result *out, tt_device *device, const tt_bench_options *options, double *peak) TT_MUST_CHECK;
// Samples texts of a random model with top-p 0.95, all of options->new_tokens tokens or nearly so. Errors:
// TT_ERR_CONFIG for an unknown shape.
tt_status tt_bench_generate(
    tt_bench_generation *out, tt_device *device, const tt_bench_options *options) TT_MUST_CHECK;

// Times operations on random tensors of a shape's sizes, options->target_tokens rows of them; attention in
// sequences of 512. The first two are copies, what those bound by memory are compared with. Errors:
// TT_ERR_CONFIG for an unknown shape.
tt_status tt_bench_operate(tt_bench_operation out[TT_BENCH_OPERATIONS], tt_device *device,
    const tt_bench_options *options) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
