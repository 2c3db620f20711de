#include "host/teacher/prices.h"

#include "host/config/document.h"

#include <stdio.h>
#include <string.h>

static tt_status read_model(
    tt_price *out, tt_document *yaml, tt_document_node *node, const char *model, tt_arena *memory) {
    static const char *const keys[] = {"model", "input", "output"};
    tt_document_node *values[3];
    const char *name;
    double prices[2];
    TT_TRY(tt_document_check_keys(yaml, node, "models", keys, 3));
    for (int k = 0; k < 3; ++k)
        if (!(values[k] = tt_document_find(yaml, node, keys[k])))
            return tt_document_fail(yaml, node, "%s is missing", keys[k]);
    TT_TRY(tt_document_text(yaml, values[0], keys[0], memory, &name));
    for (int k = 0; k < 2; ++k)
        TT_TRY(tt_document_number(
            yaml, values[k + 1], keys[k + 1], &(tt_number_range){.high = 1e9}, &prices[k]));
    if (strcmp(name, model) != 0) return TT_OK;
    if (out->known) return tt_document_fail(yaml, node, "models: %s has a price above already", model);
    out->known = true;
    out->input = prices[0] / 1e6;
    out->output = prices[1] / 1e6;
    return TT_OK;
}

static tt_status read_table(tt_price *out, tt_document *yaml, const char *model, tt_arena *memory) {
    static const char *const keys[] = {"currency", "models"};
    tt_document_node *root = tt_document_root(yaml), *currency, *models;
    const char *name;
    int n;
    TT_TRY(tt_document_check_keys(yaml, root, "prices", keys, 2));
    if (!(currency = tt_document_find(yaml, root, keys[0])) ||
        !(models = tt_document_find(yaml, root, keys[1])))
        return tt_document_fail(yaml, root, "expected the keys currency and models");
    TT_TRY(tt_document_text(yaml, currency, keys[0], memory, &name));
    snprintf(out->currency, sizeof out->currency, "%s", name);
    TT_TRY(tt_document_list(yaml, models, keys[1], &n));
    for (int i = 0; i < n; ++i)
        TT_TRY(read_model(out, yaml, tt_document_item(yaml, models, i), model, memory));
    return TT_OK;
}

tt_status tt_price_load(tt_price *out, const char *path, const char *model) {
    *out = (tt_price){0};
    tt_document yaml;
    tt_arena memory = {0};
    TT_TRY(tt_document_open(&yaml, path));
    tt_status status = read_table(out, &yaml, model, &memory);
    tt_document_close(&yaml);
    tt_arena_close(&memory);
    return status;
}

double tt_price_of(const tt_price *price, int64_t prompt_tokens, int64_t completion_tokens) {
    return price->known ? price->input * (double)prompt_tokens + price->output * (double)completion_tokens
                        : 0;
}
