// Which of a question's choices become reasoning: the majority's answer, every option explained, and as diverse as
// they come. Rules: method of TinyThinker, the teacher's corpus.
#ifndef TT_TEACHER_SELECTION_H
#define TT_TEACHER_SELECTION_H

#include "host/teacher/answer.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_DIVERSE_EDITS = 10 }; // general knowledge further apart than this is another thought

typedef struct tt_selection_rules {
    int n_options;
    int gold;      // the data set's answer, which breaks ties
    int n_augment; // choices to keep, at most
    uint64_t seed;
    uint64_t question; // hash of its id: what is drawn at random is keyed by it
} tt_selection_rules;

// What most of choices[0..n) that were accepted answer: of a tie the gold answer if it takes part, else the answer that
// was given first. TT_NO_ANSWER where none was accepted.
int tt_teacher_majority(const tt_teacher_choice *choices, int n, const tt_selection_rules *rules);

// Sets the verdicts of the accepted among choices[0..n): TT_CHOICE_DISAGREES with another answer than the majority's,
// TT_CHOICE_INCOMPLETE where an option is not explained, TT_CHOICE_SURPLUS where there are n_augment without it. Those
// that stay TT_CHOICE_KEPT: first, in their order, those whose general knowledge is more than TT_DIVERSE_EDITS edits
// (Levenshtein) from that of every other complete choice of the majority, then others drawn at random.
// kept[n_augment] receives their indices in this order, *n_kept their number. It may be called again with
// further choices behind the first: it then selects among all of them. Errors: TT_ERR_NOMEM.
tt_status tt_teacher_select(
    tt_teacher_choice *choices, int n, const tt_selection_rules *rules, int *kept, int *n_kept) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
