// What a tokenizer.json does to the text between added tokens: normaliser, pre-tokeniser, model and decoder. Private to
// host/text.
#ifndef TT_TEXT_PIPELINE_H
#define TT_TEXT_PIPELINE_H

#include "host/base/str.h"
#include "host/text/normalizer.h"
#include "host/text/unigram.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_PRETOKENIZERS = 8 };

// Cuts a text into words, which the model sees one by one.
typedef struct tt_pretokenizer {
    enum { TT_WHITESPACE_SPLIT, TT_METASPACE } kind;
    char mark[8]; // of Metaspace: what stands for a space
    enum {
        TT_PREPEND_ALWAYS,
        TT_PREPEND_FIRST,
        TT_PREPEND_NEVER
    } prepend;  // of Metaspace: whether words begin with the mark
    bool split; // of Metaspace: before each mark
} tt_pretokenizer;

typedef struct tt_pipeline {
    tt_normalizer *normalizer;
    tt_pretokenizer pretokenizers[TT_PRETOKENIZERS]; // one after the other
    int n_pretokenizers;
    tt_pretokenizer decoder; // a Metaspace
    tt_unigram *unigram;
} tt_pipeline;

// Reads a tokenizer.json. Its added tokens and its limits of length (truncation, padding) are not read here. The caller
// releases the result with tt_pipeline_close, after a failure too. Errors: TT_ERR_UNSUPPORTED naming the part that is not
// known here; TT_ERR_FORMAT.
tt_status tt_pipeline_open(tt_pipeline *out, const json_t *root) TT_MUST_CHECK;
void tt_pipeline_close(tt_pipeline *pipeline);
// Receives token ids.
typedef struct tt_pipeline_sink {
    void (*take)(void *, int);
    void *context;
} tt_pipeline_sink;
// Gives the sink each token of a normalised text. at_start: whether it begins the whole text. Errors: TT_ERR_NOMEM.
tt_status tt_pipeline_encode(const tt_pipeline *pipeline, const char *text, size_t n, bool at_start,
    const tt_pipeline_sink *sink) TT_MUST_CHECK;
// Appends what token `id` spells, the first of a text or a later one.
void tt_pipeline_decode(const tt_pipeline *pipeline, int id, bool first, tt_str *out);

#ifdef __cplusplus
}
#endif

#endif
