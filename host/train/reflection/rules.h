// The pairs that a question's runs give (section 5 of the method; contrast.h has the counting):
//
// Recall pairs: the texts are recalls. Of ten runs with a sampled recall the right ones are chosen, the wrong
// ones, unreadable answers among them, rejected; too few chosen are filled up with the teacher's recalls of
// the question. Each pair remembers the analyses that came with its chosen recall: the run's own, or the
// teacher's.
//
// Analyze pairs, behind each distinct chosen recall: a run's text is the tuple of its analyses; runs without
// a readable answer are left out. Too few chosen are drawn again; where no run is right, the analyses that
// came with this recall are chosen, and nothing from elsewhere. Each two tuples give two pairs of texts: the
// analyses of the right option, and of the option that the rejected run fell for.
//
// Draws are keyed by seed, iteration, stage and the item's id. No model, no files, no ranks.
#ifndef TT_TRAIN_REFLECTION_RULES_H
#define TT_TRAIN_REFLECTION_RULES_H

#include "host/reason/chain.h"
#include "host/train/reflection/questions.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_reflection_rules {
    const tt_corpus *corpus;
    int samples; // runs of an item
    uint64_t seed;
    int iteration;
} tt_reflection_rules;

// Append an item's pairs; runs[samples]. Errors: TT_ERR_NOMEM.
tt_status tt_reflection_recall_pairs(const tt_reflection_rules *rules, const tt_reflection_item *item,
    const tt_chain_run *runs, tt_preferences *out) TT_MUST_CHECK;
tt_status tt_reflection_analyze_pairs(const tt_reflection_rules *rules, const tt_reflection_item *item,
    const tt_chain_run *runs, tt_preferences *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
