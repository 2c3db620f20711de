// Decides which pairs an item's runs give (contrast.h does the counting). No model, no files, no ranks.
//
// Recall pairs: the texts are recalls. Of the runs with a sampled recall, those with the right answer are chosen
// and those with a wrong or unreadable answer rejected; where fewer are chosen, the teacher's recalls of the
// question are added. Each pair remembers the analyses that came with its chosen recall: those of the run, or
// the teacher's.
//
// Analyze pairs, made for each distinct chosen recall: the text of a run is the tuple of its analyses; runs
// without a readable answer are left out. Where fewer are chosen, chosen ones are drawn again; where no run is
// right, the analyses that came with this recall are chosen. Each pair of tuples gives two pairs of texts: the
// analyses of the right option, and those of the option that the rejected run answered.
//
// Draws are keyed by seed, iteration, stage and the item's id.
#ifndef TT_TRAIN_REFLECTION_RULES_H
#define TT_TRAIN_REFLECTION_RULES_H

#include "host/reason/chain.h"
#include "host/train/reflection/questions.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_reflection_rules {
    const tt_corpus *corpus; // borrowed
    int samples;             // runs of an item
    uint64_t seed;
    int iteration; // counted from 1
} tt_reflection_rules;

// Append the pairs that runs[rules->samples] of an item give, and count the item in out->without_pairs where
// there are none. Errors: TT_ERR_NOMEM.
tt_status tt_reflection_recall_pairs(const tt_reflection_rules *rules, const tt_reflection_item *item,
    const tt_chain_run *runs, tt_preferences *out) TT_MUST_CHECK;
tt_status tt_reflection_analyze_pairs(const tt_reflection_rules *rules, const tt_reflection_item *item,
    const tt_chain_run *runs, tt_preferences *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
