// How many pairs a question gave in an iteration of reflection that some run has made: what a run of the same kind may expect.
#ifndef TT_LAB_KNOWN_PAIRS_H
#define TT_LAB_KNOWN_PAIRS_H

#include "host/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_known_pairs {
    const char *run;        // whose they are, or NULL: none is known
    double recall, analyze; // pairs of a question, on average
} tt_known_pairs;

// Looks in runs[n], directories of runs, NULLs among them, for the pairs of that iteration, or of the latest one before it. A run
// counts if its stages, reflection.samples and reflection.targets are those of `config`; files that cannot be read count as
// missing.
tt_known_pairs tt_known_pairs_find(const tt_config *config, int iteration, const char *const *runs, int n);

#ifdef __cplusplus
}
#endif

#endif
