// Scores preference pairs with the reference model: the log-probabilities of both texts, computed once for an
// iteration, with the limits that training uses (reflection.max_input, max_target).
#ifndef TT_TRAIN_REFLECTION_REFERENCE_H
#define TT_TRAIN_REFLECTION_REFERENCE_H

#include "host/config/config.h"
#include "host/data/preferences.h"
#include "host/dist/comm.h"
#include "host/model/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

// Sets reference_chosen and reference_rejected (sums over the tokens) of the stage's pairs. Called on all ranks
// with the same pairs; each computes a share, and all receive the same values. Errors: TT_ERR_NOMEM,
// TT_ERR_DEVICE.
tt_status tt_reflection_score(tt_preferences *pairs, tt_stage stage, const tt_config *config, tt_comm *comm,
    tt_checkpoint *reference) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
