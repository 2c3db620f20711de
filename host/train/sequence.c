#include "host/train/sequence.h"

#include "host/base/memory.h"
#include "host/data/dataset.h"

#include <stdlib.h>

tt_status tt_sequence_open(tt_sequence *out, int n, uint64_t seed, uint32_t stream) {
    *out = (tt_sequence){.seed = seed, .stream = stream, .n = n, .epoch = -1};
    return tt_alloc(&out->order, (size_t)n, sizeof *out->order, "order of examples");
}

void tt_sequence_close(tt_sequence *sequence) {
    free(sequence->order);
    *sequence = (tt_sequence){0};
}

const int32_t *tt_sequence_epoch(tt_sequence *sequence, int64_t epoch) {
    if (sequence->epoch != epoch) {
        tt_order(sequence->order, sequence->n, sequence->seed, sequence->stream, (uint32_t)epoch);
        sequence->epoch = epoch;
    }
    return sequence->order;
}

int32_t tt_sequence_at(tt_sequence *sequence, int64_t position) {
    return tt_sequence_epoch(sequence, position / sequence->n)[position % sequence->n];
}
