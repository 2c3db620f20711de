// What a phase trains: all weights of the student, or adapters on top of them (model.adapters). Pretraining always
// trains all.
#ifndef TT_LAB_ADAPT_H
#define TT_LAB_ADAPT_H

#include "host/config/config.h"
#include "host/model/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_adapt {
    const tt_config *config;
    const char *phase; // its name
    int iteration;     // of reflection; 0 for other phases
    const char
        *start; // path of the checkpoint that the student was loaded from; NULL: nothing will be written
} tt_adapt;

// Readies a student for the first step of a phase. Adapters of before are merged into its weights. Where the phase
// trains adapters, it gets new ones, which are zero; the student as it is now is the base that they are written for, or
// goes on being adapted from the base that it has. Errors: TT_ERR_CONFIG, `model.adapters: what does not fit`;
// TT_ERR_NOMEM; TT_ERR_DEVICE.
tt_status tt_adapt_begin(tt_checkpoint *student, const tt_adapt *how) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
