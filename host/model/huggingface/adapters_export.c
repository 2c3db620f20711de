// Adapters as PEFT writes them: adapter_config.json and adapter_model.safetensors.
//
// Where several sets were merged one after another, W' = W + s1 B1 A1 + s2 B2 A2 is also W + [s1 B1, s2 B2] [A1; A2]: one set
// whose rank is the sum. A weight that a set does not adapt has zeros there.
#include "host/base/memory.h"
#include "host/model/huggingface/parts.h"
#include "host/model/huggingface/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 160 };

typedef struct adapters_export {
    const tt_model *model;
    const tt_adapted *adapted;
    tt_adapter_targets targets; // of all sets together
    int rank;                   // their sum
    int *weights;               // [n]: numbers of the parameters that any set adapts
    int n;
    char (*names)[NAME]; // [2 n]: A and B of each
} adapters_export;

static const tt_adapter *find_adapter(const tt_adapter_set *set, const tt_parameter *weight) {
    for (int i = 0; i < set->n; ++i)
        if (set->items[i].weight == weight) return &set->items[i];
    return NULL;
}

static tt_status open_export(adapters_export *e, const tt_checkpoint *c) {
    const tt_model *model = c->model;
    *e = (adapters_export){.model = model, .adapted = c->adapted};
    TT_TRY(tt_alloc(&e->weights, (size_t)model->n_parameters, sizeof *e->weights, "adapters"));
    TT_TRY(tt_alloc(&e->names, 2 * (size_t)model->n_parameters, sizeof *e->names, "adapters"));
    for (int s = 0; s < c->adapted->n; ++s) {
        e->rank += c->adapted->sets[s].options.rank;
        e->targets |= c->adapted->sets[s].options.targets;
    }
    for (int i = 0; i < model->n_parameters; ++i) {
        const tt_parameter *p = &model->parameters[i];
        bool any = false;
        for (int s = 0; s < c->adapted->n; ++s) any = any || find_adapter(&c->adapted->sets[s], p);
        if (!any) continue;
        const int stem = (int)(strlen(p->name) - strlen(".weight"));
        for (int b = 0; b < 2; ++b)
            snprintf(e->names[2 * e->n + b], NAME, "base_model.model.%.*s.lora_%c.weight", stem, p->name,
                b ? 'B' : 'A');
        e->weights[e->n++] = i;
    }
    return TT_OK;
}

static void close_export(adapters_export *e) {
    free(e->weights);
    free(e->names);
}

// A single set keeps its alpha; several have their scalings in B, so that alpha / rank is 1.
static double scaling_of(const adapters_export *e, const tt_adapter_set *set) {
    return e->adapted->n == 1 ? 1 : set->options.alpha / set->options.rank;
}

// Tensor 2 i is A of weight i, [rank, in]; 2 i + 1 its B, [out, rank].
static tt_status read_tensor(void *context, int tensor, float *out) {
    const adapters_export *e = context;
    const tt_parameter *p = &e->model->parameters[e->weights[tensor / 2]];
    const size_t rows = (size_t)p->rows, columns = (size_t)p->columns, all = (size_t)e->rank;
    memset(out, 0, (tensor % 2 ? rows : columns) * all * sizeof *out);
    size_t at = 0; // rank of the sets before
    for (int s = 0; s < e->adapted->n; ++s) {
        const tt_adapter_set *set = &e->adapted->sets[s];
        const tt_adapter *item = find_adapter(set, p);
        const size_t rank = (size_t)set->options.rank;
        const float scaling = (float)scaling_of(e, set);
        if (item && tensor % 2 == 0)
            memcpy(out + at * columns, set->w + item->a, rank * columns * sizeof *out);
        for (size_t r = 0; item && tensor % 2 && r < rows; ++r)
            for (size_t k = 0; k < rank; ++k)
                out[r * all + at + k] = scaling * set->w[item->b + r * rank + k];
        at += rank;
    }
    return TT_OK;
}

static tt_status write_tensors(tt_huggingface_files *to, adapters_export *e, bool bf16) {
    const char *path;
    tt_st_entry *entries;
    TT_TRY(tt_huggingface_begin(to, "adapter_model.safetensors", &path));
    TT_TRY(tt_alloc(&entries, 2 * (size_t)e->n, sizeof *entries, "tensors"));
    for (int i = 0; i < 2 * e->n; ++i) {
        const tt_parameter *p = &e->model->parameters[e->weights[i / 2]];
        entries[i] = (tt_st_entry){.name = e->names[i], .rank = 2};
        entries[i].shape[0] = i % 2 ? p->rows : e->rank;
        entries[i].shape[1] = i % 2 ? e->rank : p->columns;
        entries[i].n = (size_t)entries[i].shape[0] * (size_t)entries[i].shape[1];
    }
    const tt_status status = tt_safetensors_write(path, &(tt_st_content){.entries = entries,
                                                            .n = 2 * e->n,
                                                            .dtype = bf16 ? TT_ST_BF16 : TT_ST_F32,
                                                            .data = read_tensor,
                                                            .context = e});
    free(entries);
    return status;
}

static json_t *targets_json(tt_adapter_targets targets) {
    char text[TT_ADAPTER_TARGETS_TEXT], *rest = NULL;
    json_t *list = json_array();
    tt_adapter_targets_text(targets, text);
    for (char *word = strtok_r(text, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest))
        json_array_append_new(list, json_string(word));
    return list;
}

static tt_status write_config(tt_huggingface_files *to, const adapters_export *e) {
    const double alpha = e->adapted->n == 1 ? e->adapted->sets[0].options.alpha : e->rank;
    json_t *number =
        alpha <= 1e6 && alpha == floor(alpha) ? json_integer((json_int_t)alpha) : json_real(alpha);
    // PEFT takes what is missing from its defaults; what changes the numbers is written out.
    return tt_huggingface_write_json(to, "adapter_config.json",
        json_pack("{s:s, s:s, s:n, s:i, s:o, s:f, s:o, s:s, s:b, s:b, s:b, s:b}", "peft_type", "LORA",
            "task_type", "SEQ_2_SEQ_LM", "base_model_name_or_path", "r", e->rank, "lora_alpha", number,
            "lora_dropout", 0.0, "target_modules", targets_json(e->targets), "bias", "none", "fan_in_fan_out",
            0, "use_rslora", 0, "use_dora", 0, "inference_mode", 1));
}

tt_status tt_huggingface_adapters_write(tt_huggingface_files *files, const tt_checkpoint *c, bool bf16) {
    adapters_export e;
    tt_status status = open_export(&e, c);
    if (status == TT_OK) status = write_config(files, &e);
    if (status == TT_OK) status = write_tensors(files, &e, bf16);
    close_export(&e);
    return status;
}
