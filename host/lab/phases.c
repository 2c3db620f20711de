#include "host/lab/phases.h"

#include "host/lab/phase_identity.h"

tt_status tt_phases_add(tt_result *result, const tt_config *c, bool has_corpus) {
    if (c->acquisition.enabled && !has_corpus)
        return tt_fail(TT_ERR_CONFIG,
            "acquisition is enabled, but no corpus is named; set corpus: to an .h5 that "
            "'tinythinker corpus import' wrote");
    if (c->reflection.iterations > 0 && !c->acquisition.enabled && !*c->model.start)
        return tt_fail(TT_ERR_CONFIG,
            "reflection needs a student that has finished acquisition: set acquisition.enabled=true, or "
            "model.start to the best.h5 of an earlier run");
    if (c->reflection.iterations > 0 && !has_corpus)
        return tt_fail(TT_ERR_CONFIG, "reflection needs the training questions: set corpus:");
    for (tt_phase_outcome *p = result->phases; tt_phase_at(c, result->n_phases, p->name, &p->iteration); ++p)
        result->n_phases++;
    return TT_OK;
}

tt_status tt_scoring_of(
    tt_evaluate_options *out, const tt_config *c, const tt_corpus *corpus, tt_split split, int samples) {
    *out = (tt_evaluate_options){.corpus = corpus,
        .split = split,
        .questions = c->evaluation.questions,
        .samples = samples,
        .decoding = tt_decoding_of(c),
        .max_input = tt_prompt_limit_of(c),
        .slots = (int)c->evaluation.slots};
    return tt_stage_set_parse(&out->set, c->stages);
}

bool tt_split_is_empty(const tt_corpus *corpus, tt_split split) {
    for (size_t i = 0; i < corpus->n_questions; ++i)
        if (corpus->questions[i].split == split) return false;
    return true;
}
