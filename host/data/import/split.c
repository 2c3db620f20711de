// Which questions of a data set without official splits go where.
#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/data/import/import.h"

tt_status tt_split_order(int32_t **out, int n, uint64_t seed) {
    tt_rng rng;
    TT_TRY(tt_alloc(out, (size_t)n, sizeof **out, "order"));
    for (int i = 0; i < n; ++i) (*out)[i] = i;
    tt_rng_open(&rng, seed, TT_FOR_SPLIT, 0, 0);
    tt_rng_shuffle(&rng, *out, n);
    return TT_OK;
}
