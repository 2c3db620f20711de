// What the measurements of bench.h have in common. Private to host/lab.
#ifndef TT_BENCH_PARTS_H
#define TT_BENCH_PARTS_H

#include "host/base/philox.h"
#include "host/bench/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

// Lengths of random sequences, in tokens.
enum {
    TT_BENCH_SOURCE_MIN = 20,
    TT_BENCH_SOURCE_MAX = 150,
    TT_BENCH_TARGET_MIN = 8,
    TT_BENCH_TARGET_MAX = 60
};

int tt_bench_between(tt_rng *rng, int low, int high); // both included
// Random ids, the last one </s>.
void tt_bench_tokens(tt_rng *rng, int32_t *ids, int n, int vocab);
// n random numbers of -0.5 to 0.5, fp32 or (size 2) bf16: zeros and repeated values take less power, and a
// GPU then runs faster than it ever will.
tt_status tt_bench_fill(tt_device *device, void *memory, size_t n, size_t size) TT_MUST_CHECK;
// Sorts values[0..n).
tt_bench_spread tt_bench_spread_of(double *values, int n);

#ifdef __cplusplus
}
#endif

#endif
