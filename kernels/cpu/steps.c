// The beginning and the end of a step of decoding: a few numbers for each slot.
#include "kernels/cpu/cpu.h"

#include <string.h>

tt_status tt_cpu_enter(tt_device *device, const tt_enter *t) {
    (void)device;
    for (int s = 0; s < t->slots; ++s) {
        t->ids[t->row[s]] = t->token[s];
        if (!t->table) continue;
        const size_t before = (size_t)t->length[s] - 1;
        int32_t *own = t->table + t->start[s];
        if (t->parent[s] != t->start[s]) memcpy(own, t->table + t->parent[s], before * sizeof *own);
        own[before] = t->row[s];
    }
    return TT_OK;
}

tt_status tt_cpu_advance(tt_device *device, const tt_advance *t) {
    (void)device;
    for (int s = 0; s < t->slots; ++s) {
        if (t->left[s] == 0) continue;
        t->left[s] = t->token[s] == t->end ? 0 : t->left[s] - 1;
        if (t->left[s] > 0) {
            t->row[s]++;
            t->length[s]++;
        } else {
            t->row[s] = t->start[s];
            t->length[s] = t->read_length[s] = 1;
        }
    }
    return TT_OK;
}
