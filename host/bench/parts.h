// Shared by the measurements of bench.h. Private to host/bench.
#ifndef TT_BENCH_PARTS_H
#define TT_BENCH_PARTS_H

#include "host/base/philox.h"
#include "host/bench/bench.h"
#include "host/data/batch.h"

#ifdef __cplusplus
extern "C" {
#endif

// Lengths of random sequences, in tokens.
enum {
    TT_BENCH_SOURCE_MIN = 20,
    TT_BENCH_SOURCE_MAX = 150,
    TT_BENCH_TARGET_MIN = 8,
    TT_BENCH_TARGET_MAX = 60,
    TT_BENCH_LONGEST = 4096 // that may be asked for
};

// A random number from low to high, both included.
int tt_bench_between(tt_rng *rng, int low, int high);
// The length of the next source or target: as asked for, or random.
int tt_bench_source_length(tt_rng *rng, const tt_bench_options *options);
int tt_bench_target_length(tt_rng *rng, const tt_bench_options *options);
// Fills ids[0..n) with random ids below `vocab`; the last one is </s>.
void tt_bench_tokens(tt_rng *rng, int32_t *ids, int n, int vocab);
// Writes the token ids of a batch, or the prompts and texts of a step, as a line of JSON to options->texts, if that is not
// NULL, so that another program can do the same work:
//   {"shape": "small", "sources": [[17, 5, 1], ...], "targets": [[9, 1], ...], "source_of": [0, ...]}
// source_of has the source of each target. Whoever closes the file notices what could not be written.
void tt_bench_write_texts(const tt_bench_options *options, const tt_batch *batch);
// Fills memory of the device with n random numbers of -0.5 to 0.5, fp32 (size 4) or bf16 (size 2). Zeros and
// repeated values take less power, so that a GPU would run faster than on real data.
tt_status tt_bench_fill(tt_device *device, void *memory, size_t n, size_t size) TT_MUST_CHECK;
// The spread of values[0..n), which are sorted.
tt_bench_spread tt_bench_spread_of(double *values, int n);

// The operations of tt_bench_operate, one call at a time: for tests that count what they do. The caller
// closes what open made. Errors: TT_ERR_CONFIG for an unknown shape, and the device's.
typedef struct tt_bench_workload tt_bench_workload;
tt_status tt_bench_workload_open(
    tt_bench_workload **out, tt_device *device, const tt_bench_options *options) TT_MUST_CHECK;
// Fills in name, bytes and flops of operation 0 .. TT_BENCH_OPERATIONS - 1.
tt_status tt_bench_workload_run(
    tt_bench_workload *workload, int operation, tt_bench_operation *out) TT_MUST_CHECK;
void tt_bench_workload_close(tt_bench_workload *workload);

#ifdef __cplusplus
}
#endif

#endif
