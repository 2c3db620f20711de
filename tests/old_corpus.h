// Writes a corpus as version 0.1.0 did: format 1, texts of variable length, no seal.
#ifndef TT_TESTS_OLD_CORPUS_H
#define TT_TESTS_OLD_CORPUS_H

#include "host/data/corpus.h"
#include "host/text/stages.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

static inline hid_t old_text(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static inline void old_attribute(hid_t file, const char *name, hid_t type, const void *value) {
    hid_t space = H5Screate(H5S_SCALAR), at = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(at, type, value);
    H5Aclose(at);
    H5Sclose(space);
}

static inline void old_column(hid_t file, const char *name, hid_t type, const void *values, size_t n) {
    const hsize_t shape = n;
    hid_t space = H5Screate_simple(1, &shape, NULL),
          set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (n) H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(set);
    H5Sclose(space);
}

enum { OLD_MOST = 256 }; // questions and reasonings

static inline void old_questions(hid_t file, hid_t text, const tt_corpus *c) {
    const char *id[OLD_MOST], *texts[OLD_MOST], *options[OLD_MOST * TT_MAX_OPTIONS];
    int32_t split[OLD_MOST], gold[OLD_MOST];
    int64_t offsets[OLD_MOST + 1] = {0};
    H5Gclose(H5Gcreate2(file, "/questions", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (size_t i = 0; i < c->n_questions; ++i) {
        const tt_question *q = &c->questions[i];
        id[i] = q->id, texts[i] = q->text, split[i] = (int32_t)q->split, gold[i] = q->gold;
        for (int o = 0; o < q->n_options; ++o) options[offsets[i] + o] = q->options[o];
        offsets[i + 1] = offsets[i] + q->n_options;
    }
    old_column(file, "/questions/id", text, id, c->n_questions);
    old_column(file, "/questions/text", text, texts, c->n_questions);
    old_column(file, "/questions/options", text, options, (size_t)offsets[c->n_questions]);
    old_column(file, "/questions/option_offsets", H5T_NATIVE_INT64, offsets, c->n_questions + 1);
    old_column(file, "/questions/split", H5T_NATIVE_INT32, split, c->n_questions);
    old_column(file, "/questions/gold", H5T_NATIVE_INT32, gold, c->n_questions);
}

static inline void old_reasoning(hid_t file, hid_t text, const tt_corpus *c) {
    const char *source[OLD_MOST], *general[OLD_MOST], *specific[OLD_MOST * TT_MAX_OPTIONS];
    int32_t question[OLD_MOST], answer[OLD_MOST], has_general[OLD_MOST];
    int64_t offsets[OLD_MOST + 1] = {0};
    H5Gclose(H5Gcreate2(file, "/reasoning", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (size_t i = 0; i < c->n_reasoning; ++i) {
        const tt_reasoning *r = &c->reasoning[i];
        const int n = r->specific ? c->questions[r->question].n_options : 0;
        question[i] = r->question, answer[i] = r->answer, has_general[i] = r->general != NULL;
        source[i] = r->source, general[i] = r->general ? r->general : "";
        for (int o = 0; o < n; ++o) specific[offsets[i] + o] = r->specific[o];
        offsets[i + 1] = offsets[i] + n;
    }
    old_column(file, "/reasoning/source", text, source, c->n_reasoning);
    old_column(file, "/reasoning/general", text, general, c->n_reasoning);
    old_column(file, "/reasoning/specific", text, specific, (size_t)offsets[c->n_reasoning]);
    old_column(file, "/reasoning/specific_offsets", H5T_NATIVE_INT64, offsets, c->n_reasoning + 1);
    old_column(file, "/reasoning/question", H5T_NATIVE_INT32, question, c->n_reasoning);
    old_column(file, "/reasoning/answer", H5T_NATIVE_INT32, answer, c->n_reasoning);
    old_column(file, "/reasoning/has_general", H5T_NATIVE_INT32, has_general, c->n_reasoning);
}

// The corpus must have its hash (tt_corpus_save sets it), and at most OLD_MOST questions and reasonings.
static inline tt_status old_corpus_write(const tt_corpus *c, const char *path) {
    const char *const kind = "corpus", *name = c->name ? c->name : "",
                      *provenance = c->provenance ? c->provenance : "";
    const int64_t format = 1, hash = (int64_t)c->hash;
    if (c->n_questions > OLD_MOST || c->n_reasoning > OLD_MOST)
        return tt_fail(TT_ERR_INPUT, "%s: too large for an old corpus of the tests", path);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), text = old_text();
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot create", path);
    old_attribute(file, "tinythinker", text, &kind);
    old_attribute(file, "format", H5T_NATIVE_INT64, &format);
    old_attribute(file, "name", text, &name);
    old_attribute(file, "provenance", text, &provenance);
    old_attribute(file, "hash", H5T_NATIVE_INT64, &hash);
    old_questions(file, text, c);
    old_reasoning(file, text, c);
    H5Tclose(text);
    return H5Fclose(file) >= 0 ? TT_OK : tt_fail(TT_ERR_IO, "%s: cannot write", path);
}

#endif
