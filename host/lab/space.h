// Disk space that a phase's checkpoints take.
#ifndef TT_LAB_SPACE_H
#define TT_LAB_SPACE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_space {
    const char *last, *best; // paths of the checkpoints to resume from, and of the best
    int keep;                // how many of the former there are
    size_t parameters;       // that are trained
} tt_space;

// Says how much the checkpoints take and how much is free, and warns where that is too little. To be called on one rank.
void tt_space_tell(const tt_space *space);

#ifdef __cplusplus
}
#endif

#endif
