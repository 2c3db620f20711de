#include "host/train/student_validation.h"

#include "host/reason/evaluate.h"

void tt_student_validation_open(tt_student_validation *v) {
    v->empty = true;
    for (size_t i = 0; i < v->corpus->n_questions; ++i)
        if (v->corpus->questions[i].split == TT_VALIDATION) v->empty = false;
}

tt_status tt_student_validate(const tt_student_validation *v, tt_model *model, tt_validation *out) {
    if (v->empty) {
        tt_str_format(&out->json, "\"n\": 0");
        tt_str_format(&out->text, "the corpus has no validation questions");
        return tt_str_status(&out->json);
    }
    tt_evaluate_options options = {.corpus = v->corpus,
        .split = TT_VALIDATION,
        .questions = v->train->validation_questions,
        .decoding = {.top_p = 1, .max_length = (int)v->config->evaluation.max_length},
        .max_input = tt_prompt_limit_of(v->config),
        .cuts_warned = v->cuts_warned,
        .slots = (int)v->config->evaluation.slots,
        .label = "validation"};
    tt_evaluation e;
    TT_TRY(tt_stage_set_parse(&options.set, v->config->stages));
    TT_TRY(tt_evaluate(model, v->tokenizer, v->comm, &options, &e));
    out->score = e.accuracy;
    tt_str_format(&out->json, "\"accuracy\": %.6f, \"n\": %d, \"ci95\": [%.6f, %.6f], \"unanswered\": %d",
        e.accuracy, e.n, e.low, e.high, e.unanswered);
    for (int s = 0; s < TT_STAGES; ++s)
        if (e.length[s] > 0)
            tt_str_format(&out->json, ", \"%s\": {\"mean_tokens\": %.3f, \"unended\": %.6f}",
                tt_stage_name((tt_stage)s), e.length[s], e.unended[s]);
    tt_str_format(&out->text, "validation accuracy %.1f %% (%.1f to %.1f) of %d", 100 * e.accuracy,
        100 * e.low, 100 * e.high, e.n);
    return tt_str_status(&out->json);
}
