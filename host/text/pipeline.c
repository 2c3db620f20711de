#include "host/text/pipeline.h"

#include "host/text/unicode.h"

#include <string.h>

static tt_status read_metaspace(tt_pretokenizer *p, const json_t *d) {
    const json_t *prefix = json_object_get(d, "add_prefix_space"), *split = json_object_get(d, "split");
    const char *mark = json_string_value(json_object_get(d, "replacement")),
               *scheme = json_string_value(json_object_get(d, "prepend_scheme"));
    p->kind = TT_METASPACE;
    if (!mark || !*mark || strlen(mark) >= sizeof p->mark)
        return tt_fail(TT_ERR_FORMAT, "Metaspace: replacement is not a character");
    memcpy(p->mark, mark, strlen(mark) + 1);
    if (!scheme) scheme = json_is_false(prefix) ? "never" : "always"; // as early files say it
    p->prepend = strcmp(scheme, "always") == 0  ? TT_PREPEND_ALWAYS
                 : strcmp(scheme, "first") == 0 ? TT_PREPEND_FIRST
                                                : TT_PREPEND_NEVER;
    if (p->prepend == TT_PREPEND_NEVER && strcmp(scheme, "never") != 0)
        return tt_fail(TT_ERR_UNSUPPORTED,
            "Metaspace: prepend_scheme is %.40s; known are always, first and never", scheme);
    p->split = !json_is_false(split);
    return TT_OK;
}

static tt_status read_pretokenizer(tt_pipeline *p, const json_t *d, int depth) {
    const char *type = json_string_value(json_object_get(d, "type"));
    if (!type || depth > TT_PRETOKENIZERS)
        return tt_fail(TT_ERR_FORMAT, "pre_tokenizer: %s", type ? "nested too deeply" : "type is missing");
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(d, "pretokenizers");
        for (size_t i = 0; i < json_array_size(list); ++i)
            TT_TRY(read_pretokenizer(p, json_array_get(list, i), depth + 1));
        return TT_OK;
    }
    if (p->n_pretokenizers == TT_PRETOKENIZERS)
        return tt_fail(TT_ERR_UNSUPPORTED, "pre_tokenizer: more than %d steps", TT_PRETOKENIZERS);
    tt_pretokenizer *next = &p->pretokenizers[p->n_pretokenizers++];
    if (strcmp(type, "Metaspace") == 0) return read_metaspace(next, d);
    next->kind = TT_WHITESPACE_SPLIT;
    if (strcmp(type, "WhitespaceSplit") == 0) return TT_OK;
    return tt_fail(TT_ERR_UNSUPPORTED,
        "pre_tokenizer %.40s; supported are WhitespaceSplit, Metaspace and a Sequence of these", type);
}

// A Metaspace, alone or behind steps that turn bytes into characters and join tokens, which tt_pipeline_decode does anyway.
static tt_status read_decoder(tt_pipeline *p, const json_t *d) {
    const char *type = json_string_value(json_object_get(d, "type"));
    if (type && strcmp(type, "Metaspace") == 0) return read_metaspace(&p->decoder, d);
    const json_t *list = type && strcmp(type, "Sequence") == 0 ? json_object_get(d, "decoders") : NULL;
    bool found = false;
    for (size_t i = 0; i < json_array_size(list); ++i) {
        const char *step = json_string_value(json_object_get(json_array_get(list, i), "type"));
        if (!step) return tt_fail(TT_ERR_FORMAT, "decoder: type is missing");
        if (strcmp(step, "Metaspace") == 0) {
            TT_TRY(read_metaspace(&p->decoder, json_array_get(list, i)));
            found = true;
        } else if (strcmp(step, "ByteFallback") != 0 && strcmp(step, "Fuse") != 0) {
            return tt_fail(
                TT_ERR_UNSUPPORTED, "decoder %.40s; supported are Metaspace, ByteFallback and Fuse", step);
        }
    }
    return found ? TT_OK
                 : tt_fail(TT_ERR_UNSUPPORTED, "decoder %.40s; supported is Metaspace",
                       type ? type : "is missing");
}

// The only token that may be put around a text is the </s> at its end.
static tt_status check_post_processor(const json_t *d) {
    const char *type = json_string_value(json_object_get(d, "type"));
    if (!d || json_is_null(d)) return TT_OK;
    const json_t *single = json_object_get(d, "single"), *ids;
    const json_t *first = json_object_get(json_array_get(single, 0), "Sequence"),
                 *last = json_object_get(json_array_get(single, 1), "SpecialToken");
    const char *name = json_string_value(json_object_get(last, "id"));
    ids = json_object_get(json_object_get(json_object_get(d, "special_tokens"), name ? name : ""), "ids");
    if (type && strcmp(type, "TemplateProcessing") == 0 && json_array_size(single) == 2 && first && last &&
        json_array_size(ids) == 1 && json_integer_value(json_array_get(ids, 0)) == 1)
        return TT_OK;
    return tt_fail(TT_ERR_UNSUPPORTED,
        "post_processor %.40s; T5 puts </s>, id 1, after a text and nothing else",
        type ? type : "without a type");
}

static tt_status read_pipeline(tt_pipeline *p, const json_t *root) {
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    TT_TRY(tt_unigram_open(&p->unigram, json_object_get(root, "model")));
    TT_TRY(tt_normalizer_open(&p->normalizer, json_object_get(root, "normalizer")));
    if (pre && !json_is_null(pre)) TT_TRY(read_pretokenizer(p, pre, 0));
    TT_TRY(read_decoder(p, json_object_get(root, "decoder")));
    return check_post_processor(json_object_get(root, "post_processor"));
}

tt_status tt_pipeline_open(tt_pipeline *out, const json_t *root) {
    *out = (tt_pipeline){0};
    return read_pipeline(out, root);
}

void tt_pipeline_close(tt_pipeline *p) {
    tt_normalizer_close(p->normalizer);
    tt_unigram_close(p->unigram);
    *p = (tt_pipeline){0};
}

// A text on its way through the pre-tokenisers.
typedef struct walk {
    const tt_pipeline *pipeline;
    const tt_pipeline_sink *sink;
} walk;
typedef struct stretch {
    const char *text;
    size_t n;
    bool at_start;
} stretch;

static tt_status pretokenize(const walk *w, int step, stretch s);

static tt_status split_at_spaces(const walk *w, int step, stretch s) {
    size_t from = 0;
    for (size_t i = 0; i < s.n;) {
        const size_t length = (size_t)tt_utf8_length(s.text[i]);
        if (tt_unicode_is_space(tt_utf8_code(s.text + i))) {
            TT_TRY(pretokenize(w, step, (stretch){s.text + from, i - from, s.at_start && from == 0}));
            from = i + length;
        }
        i += length;
    }
    return pretokenize(w, step, (stretch){s.text + from, s.n - from, s.at_start && from == 0});
}

static tt_status split_at_marks(const walk *w, int step, const tt_str *text, bool at_start) {
    const char *mark = w->pipeline->pretokenizers[step - 1].mark, *all = tt_str_text(text);
    size_t from = 0;
    for (const char *hit = all; *hit && (hit = strstr(hit + 1, mark));) {
        const size_t to = (size_t)(hit - all);
        TT_TRY(pretokenize(w, step, (stretch){all + from, to - from, at_start && from == 0}));
        from = to;
    }
    return pretokenize(w, step, (stretch){all + from, text->length - from, at_start && from == 0});
}

static tt_status apply_metaspace(const walk *w, int step, stretch s) {
    const tt_pretokenizer *p = &w->pipeline->pretokenizers[step - 1];
    const size_t mark = strlen(p->mark);
    const bool marked = (s.n >= mark && memcmp(s.text, p->mark, mark) == 0) || s.text[0] == ' ';
    tt_str text = {0};
    if (!marked && (p->prepend == TT_PREPEND_ALWAYS || (p->prepend == TT_PREPEND_FIRST && s.at_start)))
        tt_str_append(&text, p->mark);
    for (const char *at = s.text, *end = s.text + s.n; at < end;) {
        const char *space = memchr(at, ' ', (size_t)(end - at)), *to = space ? space : end;
        tt_str_append_n(&text, at, (size_t)(to - at));
        if (space) tt_str_append(&text, p->mark);
        at = to + (space != NULL);
    }
    tt_status status = tt_str_status(&text);
    if (status == TT_OK)
        status = p->split ? split_at_marks(w, step, &text, s.at_start)
                          : pretokenize(w, step, (stretch){text.data, text.length, s.at_start});
    tt_str_close(&text);
    return status;
}

static tt_status pretokenize(const walk *w, int step, stretch s) {
    const tt_pipeline *p = w->pipeline;
    if (s.n == 0) return TT_OK;
    if (step == p->n_pretokenizers)
        return tt_unigram_encode(p->unigram, s.text, s.n, w->sink->take, w->sink->context);
    if (p->pretokenizers[step].kind == TT_METASPACE) return apply_metaspace(w, step + 1, s);
    return split_at_spaces(w, step + 1, s);
}

tt_status tt_pipeline_encode(
    const tt_pipeline *p, const char *text, size_t n, bool at_start, const tt_pipeline_sink *sink) {
    return pretokenize(&(walk){p, sink}, 0, (stretch){text, n, at_start});
}

void tt_pipeline_decode(const tt_pipeline *p, int id, bool first, tt_str *out) {
    const int byte = tt_unigram_byte(p->unigram, id);
    if (byte >= 0) {
        const char c = (char)byte;
        tt_str_append_n(out, &c, 1);
        return;
    }
    const char *text = tt_unigram_piece(p->unigram, id);
    const size_t mark = strlen(p->decoder.mark);
    while (*text) {
        if (strncmp(text, p->decoder.mark, mark) == 0) {
            if (!first || p->decoder.prepend == TT_PREPEND_NEVER) tt_str_append(out, " ");
            text += mark;
        } else {
            tt_str_append_n(out, text++, 1);
        }
    }
}
