// Preference objectives: train the policy to prefer the chosen one of two texts for a prompt, relative to a
// frozen reference model. Functions of log-probabilities alone, like those in objective.h.
//
// With c, r = log-probability of the chosen and the rejected text (the sum over its tokens; the mean with
// length_normalised), c0, r0 = the same under the reference, and the margin h = (c - c0) - (r - r0):
//   sigmoid  -(1 - e) log s(beta h) - e log s(-beta h)                    DPO, Rafailov et al. 2023; e:
//            label smoothing, the share of pairs taken to be the wrong way round (cDPO, Mitchell 2023)
//   hinge    max(0, 1 - beta h)                                           SLiC, Zhao et al. 2023
//   ipo      (h - 1 / (2 beta))^2, always length-normalised as in TRL     Azar et al. 2023
//   robust   (-(1 - e) log s(beta h) + e log s(-beta h)) / (1 - 2 e)      Chowdhury et al. 2024
// where s is the logistic function. The loss of a batch is the mean over its pairs plus nll_weight times the
// mean cross-entropy over the tokens of its chosen texts (RPO, Pang et al. 2024). TRL's key for the last is
// rpo_alpha, which has meant two things there.
#ifndef TT_TRAIN_PREFERENCE_H
#define TT_TRAIN_PREFERENCE_H

#include "host/config/words.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_preference_kind { TT_LOSS_MAP(TT_WORD_CODE) TT_PREFERENCE_KINDS } tt_preference_kind;

// What the table of losses says of one, for people: with the margin m = beta h and e = label smoothing.
typedef struct tt_preference_description {
    const char *word;       // what configurations call it
    const char *formula;    // the loss of a pair where e = 0
    const char *smoothed;   // the same where e > 0
    const char *at_zero;    // its value where m = 0
    bool label_smoothing;   // it uses the setting; others ignore it
    bool length_normalised; // it always is, whatever the setting says
} tt_preference_description;
// Static memory; NULL for a word that is not in TT_LOSS_MAP.
const tt_preference_description *tt_preference_describe(const char *word);

typedef struct tt_preference {
    tt_preference_kind kind;
    double beta, label_smoothing, nll_weight;
    bool length_normalised;
} tt_preference;

typedef struct tt_preference_options {
    const char *loss; // a word of TT_LOSS_MAP
    double beta, label_smoothing, nll_weight;
    bool length_normalised;
} tt_preference_options;

// Errors: TT_ERR_CONFIG for an unknown loss, for a beta that is not positive, and for label smoothing outside of
// [0, 0.5).
tt_status tt_preference_open(tt_preference *out, const tt_preference_options *options) TT_MUST_CHECK;

// The loss of one pair as a function of the margin; *slope receives its derivative.
double tt_preference_margin_loss(const tt_preference *preference, double margin, double *slope);

typedef struct tt_preference_pair {
    int chosen_tokens, rejected_tokens;
    double reference_chosen, reference_rejected; // sums over the tokens under the reference model
} tt_preference_pair;

// Means over the pairs of a batch. Each part and each rank computes its share; the shares add up to the means.
// Names as in TRL's logs.
typedef struct tt_preference_sums {
    double loss, nll;                 // shares of the batch's loss and of its nll_loss
    double reward_chosen;             // beta (c - c0): rewards/chosen; the others follow
    double reward_rejected, accuracy; // accuracy: pairs with h > 0
    double logp_chosen, logp_rejected;
} tt_preference_sums;
enum { TT_PREFERENCE_SUMS = sizeof(tt_preference_sums) / sizeof(double) };

// Pairs of a global batch: all of them, or the part that one pass computes.
typedef struct tt_preference_part {
    const float
        *logp; // log-probabilities of the texts' tokens back to back, pair by pair, chosen before rejected
    const tt_preference_pair *pairs; // [n]
    int n;
    int64_t batch_pairs, batch_tokens; // pairs and chosen tokens of the global batch
} tt_preference_part;

// dlogp (same length as part->logp) receives the gradient of the batch's loss; this part's shares are added to
// *sums.
void tt_preference_gradient(
    const tt_preference *preference, const tt_preference_part *part, float *dlogp, tt_preference_sums *sums);

#ifdef __cplusplus
}
#endif

#endif
