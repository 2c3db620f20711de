// What the reference model thinks of preference pairs: log-probabilities of both texts, computed once for an
// iteration, as the training batches see them (reflection.max_input, max_target).
#ifndef TT_TRAIN_REFLECTION_REFERENCE_H
#define TT_TRAIN_REFLECTION_REFERENCE_H

#include "host/config/config.h"
#include "host/data/preferences.h"
#include "host/dist/comm.h"
#include "host/model/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

// Fills in reference_chosen and reference_rejected of the stage's pairs, the same on all ranks, each of which
// computes a share.
tt_status tt_reflection_score(tt_preferences *pairs, tt_stage stage, const tt_config *config, tt_comm *comm,
    tt_checkpoint *reference) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
