// Measures speed on this machine: of training as a share of the fastest matrix product, of generation, and of
// operations one by one.
#ifndef TT_BENCH_BENCH_H
#define TT_BENCH_BENCH_H

#include "host/base/status.h"
#include "host/bench/timed_ops.h"
#include "host/model/model.h"
#include "kernels/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_bench_work {
    TT_BENCH_TRAINING,         // cross-entropy
    TT_BENCH_PREFERENCE,       // DPO: two targets for each source, which is encoded once
    TT_BENCH_GENERATION,       // ten samples of each prompt
    TT_BENCH_OPERATIONS_ALONE, // each operation alone
} tt_bench_work;

typedef struct tt_bench_options {
    const char *shape; // tiny, small, base, or the name of a preset
    const char *model; // generation: NULL, or a checkpoint, which is measured instead; shape is its name
    int steps;         // measured steps, after those that warm up; at least 1
    int batches;       // different batches, used in turn; 1 to steps
    int target_tokens; // of a batch, approximately
    int source_length, target_length; // tokens of each sequence, up to 4096; 0: random
    double dropout;
    bool peak_given; // *peak is given and not measured
    uint64_t seed;
    tt_bench_work work;
    int prompts, new_tokens,
        slots;   // generation: prompts of a step, tokens of a sample, sequences decoded at a time
    bool greedy; // generation: one text of each prompt, without sampling
    FILE *texts; // NULL, or where tt_bench_write_texts writes what was measured
} tt_bench_options;

// Median, smallest and largest value over the steps.
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
    double parameter_bytes;  // 16 for each parameter: weight, gradient, two moments
    double activation_bytes; // of the pass
    double peak_bytes;       // growth of the process's memory since the model was opened; 0 if unknown (GPUs)
    long allocations;        // in all measured steps
} tt_bench_result;

typedef struct tt_bench_generation {
    const char *shape;
    int64_t parameters;
    int prompts, samples, slots;
    double source_tokens, new_tokens, flops; // of a step
    double peak;                             // floating-point operations per second
    tt_bench_spread seconds, rate, share;    // of a step; new tokens per second; of the peak
    double kind_seconds[TT_OP_KINDS];        // of a step, on average; 0 on GPUs: steps are recorded there
    double other_seconds;                    // of a step outside operations
} tt_bench_generation;

// An operation alone. bytes: what it must read and write, 0 if arithmetic limits its speed; flops: 0 if
// memory does.
enum { TT_BENCH_OPERATIONS = 28 };
typedef struct tt_bench_operation {
    const char *name;
    tt_bench_spread seconds;
    double bytes, flops;
} tt_bench_operation;

// Whether the device computes asynchronously, so that the host must wait for it.
bool tt_bench_apart(const tt_device *device);
// Fills in tiny (the shape of the everyday world's student), small, base, or a preset. Errors: TT_ERR_CONFIG
// for an unknown name.
tt_status tt_bench_shape(tt_model_config *config, const char *name) TT_MUST_CHECK;
// Measures `tries` matrix products of each of a few large sizes in the device's precision, and raises
// *flops_per_second, which begins at 0, to the best of them. Errors: those of the device.
tt_status tt_bench_peak(tt_device *device, int tries, double *flops_per_second) TT_MUST_CHECK;
// Trains a random model on random tokens in sequences of the lengths asked for, or of random ones (sources of 20 to 150
// tokens, targets of 8 to 60): loss by options->work, gradient norm, AdamW. Unless it is given, the peak is measured before
// and after, and *peak, which out->share is relative to, is raised. Errors: TT_ERR_CONFIG for an unknown
// shape.
tt_status tt_bench_training(
    tt_bench_result *out, tt_device *device, const tt_bench_options *options, double *peak) TT_MUST_CHECK;
// Samples texts from a random model or options->model with top-p 0.95, or chooses greedily, nearly all of them
// options->new_tokens long. The peak is that of tt_bench_training. Errors: TT_ERR_CONFIG for an unknown shape, and those of
// tt_checkpoint_load.
tt_status tt_bench_generate(
    tt_bench_generation *out, tt_device *device, const tt_bench_options *options, double *peak) TT_MUST_CHECK;

// Times operations on random tensors of a shape's sizes with options->target_tokens rows; attention in
// sequences of 512. The first two operations are copies, to compare with those that memory limits. Errors:
// TT_ERR_CONFIG for an unknown shape.
tt_status tt_bench_operate(tt_bench_operation out[TT_BENCH_OPERATIONS], tt_device *device,
    const tt_bench_options *options) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
