#include "host/lab/adapt.h"

#include "host/base/log.h"

#include <jansson.h>
#include <string.h>

static tt_status options_of(tt_adapter_options *out, const tt_config *c) {
    *out = (tt_adapter_options){.rank = (int)c->model.adapters.rank,
        .alpha = c->model.adapters.alpha > 0 ? c->model.adapters.alpha : (double)c->model.adapters.rank};
    for (int i = 0; i < c->model.adapters.targets.n; ++i)
        TT_TRY(tt_adapter_targets_add(&out->targets, c->model.adapters.targets.items[i]));
    return TT_OK;
}

// Adapters change little of what a student computes, so that they teach nothing to one that cannot read yet.
static void warn_of_random(const tt_checkpoint *student, const char *path) {
    json_t *root = json_loads(student->state ? student->state : "", 0, NULL);
    const char *command = json_string_value(json_object_get(json_object_get(root, "provenance"), "command"));
    if (command && strcmp(command, "model init") == 0)
        tt_warn("model.adapters: %s has random weights (tinythinker model init), which adapters cannot make "
                "up for; set model.adapters.rank to 0, or train it whole first",
            path);
    json_decref(root);
}

static tt_status add_adapters(tt_checkpoint *student, const tt_adapt *how) {
    tt_adapter_options options;
    char targets[TT_ADAPTER_TARGETS_TEXT];
    TT_TRY(options_of(&options, how->config));
    if (how->start) warn_of_random(student, how->start);
    if (how->start && !student->adapted) {
        uint64_t hash;
        TT_TRY(tt_checkpoint_hash(student, &hash));
        TT_TRY(tt_adapted_open(&student->adapted, how->start, hash));
    }
    const tt_status status = tt_adapters_open(student->model, &options);
    if (status != TT_OK) return tt_context(status, "model.adapters");
    TT_TRY(tt_adapters_init(student->model, (uint64_t)how->config->seed, (uint32_t)how->iteration));
    if (!how->start) return TT_OK;
    tt_adapter_targets_text(options.targets, targets);
    tt_info("%s: trains adapters of rank %d for %s: %.3g million numbers, besides the %.3g million of the "
            "student",
        how->phase, options.rank, targets, (double)student->model->adapters->size / 1e6,
        (double)student->model->size / 1e6);
    return TT_OK;
}

tt_status tt_adapt_begin(tt_checkpoint *student, const tt_adapt *how) {
    TT_TRY(tt_checkpoint_settle(student));
    if (how->config->model.adapters.rank > 0 && strcmp(how->phase, "pretraining") != 0)
        return add_adapters(student, how);
    tt_adapted_close(student->adapted); // from here on it is a student with weights of its own
    student->adapted = NULL;
    return TT_OK;
}
