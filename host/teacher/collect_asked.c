// What a collection asks about a question, and how many choices it still lacks.
#include "host/teacher/collection.h"

#include <string.h>

tt_message_rules tt_collection_rules(const tt_collection *c) {
    const tt_teach_plan *plan = c->options.plan;
    return (tt_message_rules){.exemplars = (int)plan->exemplars,
        .json = strcmp(plan->format, "json") == 0,
        .seed = (uint64_t)plan->seed};
}

tt_status tt_collection_messages(const tt_collection *c, const tt_asked *a, tt_str *system, tt_str *user) {
    const tt_message_rules rules = tt_collection_rules(c);
    return tt_pool_messages(c->options.pool, a->question, a->question->gold, &rules, system, user);
}

int tt_asked_missing(const tt_asked *a) {
    const int missing = a->wanted - (a->n - a->begun);
    return missing > 0 ? missing : 0;
}
