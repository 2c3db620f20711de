// Stands in until the three stages at inference are here.
#include "host/reason/evaluate.h"

tt_status tt_evaluate(tt_model *model, const tt_tokenizer *tokenizer, tt_comm *comm, const tt_corpus *corpus,
    const tt_evaluate_options *options, tt_evaluation *out) {
    (void)model, (void)tokenizer, (void)comm, (void)corpus, (void)options;
    *out = (tt_evaluation){0};
    return tt_fail(TT_ERR_UNSUPPORTED, "evaluation is not part of this build yet");
}
