#include "host/teacher/selection.h"

#include "host/base/memory.h"
#include "host/base/philox.h"
#include "host/base/str.h"
#include "host/text/stages.h"

#include <stdlib.h>

static bool is_accepted(const tt_teacher_choice *choice) {
    switch (choice->verdict) {
    case TT_CHOICE_KEPT:
    case TT_CHOICE_DISAGREES:
    case TT_CHOICE_INCOMPLETE:
    case TT_CHOICE_SURPLUS:
        return true;
    case TT_CHOICE_CUT:
    case TT_CHOICE_REFUSED:
    case TT_CHOICE_EMPTY:
    case TT_CHOICE_ENCODING:
    case TT_CHOICE_NO_GENERAL:
    case TT_CHOICE_NO_EXPLANATIONS:
    case TT_CHOICE_BAD_VERDICT:
    case TT_CHOICE_BAD_OPTION:
    case TT_CHOICE_NO_ANSWER:
    case TT_CHOICE_TWO_ANSWERS:
    case TT_CHOICE_BAD_JSON:
    case TT_VERDICTS:
        break;
    }
    return false;
}

int tt_teacher_majority(const tt_teacher_choice *choices, int n, const tt_selection_rules *rules) {
    int votes[TT_MAX_OPTIONS] = {0}, best = TT_NO_ANSWER;
    for (int i = 0; i < n; ++i)
        if (is_accepted(&choices[i])) votes[choices[i].answer]++;
    for (int i = 0; i < n; ++i) { // in the order in which answers were first given
        if (!is_accepted(&choices[i])) continue;
        const int answer = choices[i].answer;
        if (best == TT_NO_ANSWER || votes[answer] > votes[best] ||
            (votes[answer] == votes[best] && answer == rules->gold))
            best = answer;
    }
    return best;
}

static bool is_complete(const tt_teacher_choice *choice, int n_options) {
    for (int o = 0; o < n_options; ++o)
        if (!choice->specific[o]) return false;
    return true;
}

// Whether the general knowledge of candidates[i] is far from that of every other candidate.
static bool is_diverse(const tt_teacher_choice *choices, const int *candidates, int n, int i) {
    for (int k = 0; k < n; ++k)
        if (k != i && tt_edit_distance(choices[candidates[i]].general, choices[candidates[k]].general,
                          TT_DIVERSE_EDITS) <= TT_DIVERSE_EDITS)
            return false;
    return true;
}

tt_status tt_teacher_select(
    tt_teacher_choice *choices, int n, const tt_selection_rules *rules, int *kept, int *n_kept) {
    *n_kept = 0;
    const int answer = tt_teacher_majority(choices, n, rules);
    int *candidates, *others, n_candidates = 0, n_others = 0;
    if (answer == TT_NO_ANSWER) return TT_OK;
    TT_TRY(tt_alloc(&candidates, 2 * (size_t)n, sizeof *candidates, "choices"));
    others = candidates + n;
    for (int i = 0; i < n; ++i) {
        if (!is_accepted(&choices[i])) continue;
        choices[i].verdict = choices[i].answer != answer                   ? TT_CHOICE_DISAGREES
                             : !is_complete(&choices[i], rules->n_options) ? TT_CHOICE_INCOMPLETE
                                                                           : TT_CHOICE_SURPLUS;
        if (choices[i].verdict == TT_CHOICE_SURPLUS) candidates[n_candidates++] = i;
    }
    for (int k = 0; k < n_candidates; ++k) {
        if (!is_diverse(choices, candidates, n_candidates, k))
            others[n_others++] = candidates[k];
        else if (*n_kept < rules->n_augment)
            kept[(*n_kept)++] = candidates[k];
    }
    tt_rng rng;
    tt_rng_open(&rng, rules->seed, TT_FOR_TEACHER, rules->question, 0);
    tt_rng_shuffle(&rng, others, n_others);
    for (int k = 0; k < n_others && *n_kept < rules->n_augment; ++k) kept[(*n_kept)++] = others[k];
    for (int k = 0; k < *n_kept; ++k) choices[kept[k]].verdict = TT_CHOICE_KEPT;
    free(candidates);
    return TT_OK;
}
