#include "host/train/shuffle.h"

#include "host/base/memory.h"
#include "host/data/dataset.h"

#include <stdlib.h>

tt_status tt_shuffle_open(tt_shuffle *out, int n, uint64_t seed, uint32_t stream) {
    *out = (tt_shuffle){.seed = seed, .stream = stream, .n = n, .epoch = -1};
    return tt_alloc(&out->order, (size_t)n, sizeof *out->order, "order of examples");
}

void tt_shuffle_close(tt_shuffle *shuffle) {
    free(shuffle->order);
    *shuffle = (tt_shuffle){0};
}

const int32_t *tt_shuffle_epoch(tt_shuffle *shuffle, int64_t epoch) {
    if (shuffle->epoch != epoch) {
        tt_order(shuffle->order, shuffle->n, shuffle->seed, shuffle->stream, (uint32_t)epoch);
        shuffle->epoch = epoch;
    }
    return shuffle->order;
}

int32_t tt_shuffle_at(tt_shuffle *shuffle, int64_t position) {
    return tt_shuffle_epoch(shuffle, position / shuffle->n)[position % shuffle->n];
}
