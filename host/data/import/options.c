// Questions that have the same option twice, as published data sets do.
#include "host/base/log.h"
#include "host/data/import/import.h"

#include <string.h>

// The first option that a question has twice; NULL: there is none.
static const char *repeated_option(const tt_question *q) {
    for (int i = 1; i < q->n_options; ++i)
        for (int k = 0; k < i; ++k)
            if (strcmp(q->options[i], q->options[k]) == 0) return q->options[i];
    return NULL;
}

void tt_import_warn_options(const tt_corpus *corpus) {
    const char *id = NULL, *option = NULL;
    size_t n = 0;
    for (size_t i = 0; i < corpus->n_questions; ++i) {
        const char *repeated = repeated_option(&corpus->questions[i]);
        if (repeated && n++ == 0) {
            id = corpus->questions[i].id;
            option = repeated;
        }
    }
    if (n)
        tt_warn("%zu of %zu questions have the same option twice, e.g. question %s: \"%s\"", n,
            corpus->n_questions, id, option);
}
