// What would make a run fit into the memory that there is: settings are tried one after another, and each is counted again.
#ifndef TT_LAB_ADVICE_H
#define TT_LAB_ADVICE_H

#include "host/lab/needs.h"

#ifdef __cplusplus
extern "C" {
#endif

// Settings that leave results as they are: `accumulate`, `recompute`, `zero`, `evaluation.slots`.
typedef struct tt_advice {
    char setting[64]; // "acquisition.accumulate=4", together with those before it
    size_t all;       // the run's peak with it, in bytes
} tt_advice;

enum { TT_MOST_ADVICE = 32 };
typedef struct tt_advice_list {
    tt_advice items[TT_MOST_ADVICE]; // those that help
    int n;
    bool fits; // with all of them
} tt_advice_list;

// Tries settings until the largest peak is at most `limit` bytes, and leaves those that help in `config`. `needs`: what the
// configuration needs now; receives what it needs with them. Errors: as tt_needs_count.
tt_status tt_advise(tt_advice_list *out, tt_config *config, const tt_corpus *corpus,
    const tt_needs_machine *machine, double limit, tt_needs *needs) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
