// Corpora as HDF5: columns of texts and integers (hdf5_file.h says how texts lie and how to read them elsewhere).
//
//   /questions/id, text, split, gold    one entry for each question (split: index in TT_SPLIT_MAP)
//   /questions/options                  the options of all questions, one after another
//   /questions/option_offsets           [questions + 1]: question i has options offsets[i] .. offsets[i + 1]
//   /reasoning/question, answer,        one entry for each answer of the teacher; general is empty where
//     source, general, has_general        has_general is 0
//   /reasoning/specific                 specific knowledge of all answers, one after another
//   /reasoning/specific_offsets         [answers + 1], as above; an answer without any has none
//   /stages                             see corpus_tokens.h
//   /provenance                         one text: JSON
//
// Attributes of the root: format, name, hash (of the content: tells corpora apart).
#include "host/data/corpus.h"

#include "host/base/log.h"
#include "host/base/str.h"
#include "host/data/corpus_tokens.h"
#include "host/data/hdf5_file.h"
#include "host/data/renew.h"
#include "host/text/stages.h"

#include <stdlib.h>
#include <string.h>

enum { FORMAT = 2 };

static uint64_t mix_text(uint64_t h, const char *text) {
    return (h ^ tt_hash(text, strlen(text))) * 0x9E3779B97F4A7C15ull;
}

static uint64_t hash_of_questions(const tt_corpus *c) {
    uint64_t h = 1;
    for (size_t i = 0; i < c->n_questions; ++i) {
        const tt_question *q = &c->questions[i];
        h = mix_text(mix_text(h, q->id), q->text) ^ (uint64_t)(q->gold * TT_SPLITS + (int)q->split);
        for (int o = 0; o < q->n_options; ++o) h = mix_text(h, q->options[o]);
    }
    return h;
}

static uint64_t mix_reasoning(uint64_t h, const tt_reasoning *r, int n_options) {
    h = mix_text(h, r->general ? r->general : "") ^ ((uint64_t)r->question << 8 | (uint64_t)r->answer);
    for (int o = 0; r->specific && o < n_options; ++o) h = mix_text(h, r->specific[o]);
    return h;
}

// Hash of everything that training and scoring read.
static uint64_t content_hash(const tt_corpus *c) {
    uint64_t h = hash_of_questions(c);
    for (size_t i = 0; i < c->n_reasoning; ++i)
        h = mix_reasoning(h, &c->reasoning[i], c->questions[c->reasoning[i].question].n_options);
    return h;
}

// The columns of a file that is written.
typedef struct columns {
    const char **id, **text, **options, **source, **general, **specific;
    int32_t *split, *gold, *question, *answer, *has_general;
    int64_t *option_offsets, *specific_offsets;
} columns;

static void free_columns(columns *c) {
    void *const all[] = {c->id, c->text, c->options, c->source, c->general, c->specific, c->split, c->gold,
        c->question, c->answer, c->has_general, c->option_offsets, c->specific_offsets};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) free(all[i]);
}

static tt_status fill_columns(columns *c, const tt_corpus *corpus) {
    const size_t nq = corpus->n_questions, nr = corpus->n_reasoning;
    TT_TRY(tt_alloc(&c->id, nq, sizeof *c->id, "corpus"));
    TT_TRY(tt_alloc(&c->text, nq, sizeof *c->text, "corpus"));
    TT_TRY(tt_alloc(&c->options, nq * TT_MAX_OPTIONS, sizeof *c->options, "corpus"));
    TT_TRY(tt_alloc(&c->split, nq, sizeof *c->split, "corpus"));
    TT_TRY(tt_alloc(&c->gold, nq, sizeof *c->gold, "corpus"));
    TT_TRY(tt_alloc(&c->option_offsets, nq + 1, sizeof *c->option_offsets, "corpus"));
    TT_TRY(tt_alloc(&c->source, nr, sizeof *c->source, "corpus"));
    TT_TRY(tt_alloc(&c->general, nr, sizeof *c->general, "corpus"));
    TT_TRY(tt_alloc(&c->specific, nr * TT_MAX_OPTIONS, sizeof *c->specific, "corpus"));
    TT_TRY(tt_alloc(&c->question, nr, sizeof *c->question, "corpus"));
    TT_TRY(tt_alloc(&c->answer, nr, sizeof *c->answer, "corpus"));
    TT_TRY(tt_alloc(&c->has_general, nr, sizeof *c->has_general, "corpus"));
    TT_TRY(tt_alloc(&c->specific_offsets, nr + 1, sizeof *c->specific_offsets, "corpus"));
    int64_t end = 0;
    for (size_t i = 0; i < nq; ++i) {
        const tt_question *q = &corpus->questions[i];
        c->id[i] = q->id;
        c->text[i] = q->text;
        c->split[i] = (int32_t)q->split;
        c->gold[i] = q->gold;
        for (int o = 0; o < q->n_options; ++o) c->options[end++] = q->options[o];
        c->option_offsets[i + 1] = end;
    }
    end = 0;
    for (size_t i = 0; i < nr; ++i) {
        const tt_reasoning *r = &corpus->reasoning[i];
        c->question[i] = r->question;
        c->answer[i] = r->answer;
        c->source[i] = r->source;
        c->has_general[i] = r->general != NULL;
        c->general[i] = r->general ? r->general : "";
        for (int o = 0; r->specific && o < corpus->questions[r->question].n_options; ++o)
            c->specific[end++] = r->specific[o];
        c->specific_offsets[i + 1] = end;
    }
    return TT_OK;
}

static tt_status write_columns(const tt_h5 *h, const columns *c, size_t nq, size_t nr) {
    TT_TRY(tt_h5_write_texts(h, "/questions/id", c->id, nq));
    TT_TRY(tt_h5_write_texts(h, "/questions/text", c->text, nq));
    TT_TRY(tt_h5_write_texts(h, "/questions/options", c->options, (size_t)c->option_offsets[nq]));
    TT_TRY(tt_h5_write(
        h, "/questions/option_offsets", (tt_h5_layout){H5T_NATIVE_INT64, nq + 1, 0}, c->option_offsets));
    TT_TRY(tt_h5_write(h, "/questions/split", (tt_h5_layout){H5T_NATIVE_INT32, nq, 0}, c->split));
    TT_TRY(tt_h5_write(h, "/questions/gold", (tt_h5_layout){H5T_NATIVE_INT32, nq, 0}, c->gold));
    TT_TRY(tt_h5_write(h, "/reasoning/question", (tt_h5_layout){H5T_NATIVE_INT32, nr, 0}, c->question));
    TT_TRY(tt_h5_write(h, "/reasoning/answer", (tt_h5_layout){H5T_NATIVE_INT32, nr, 0}, c->answer));
    TT_TRY(tt_h5_write_texts(h, "/reasoning/source", c->source, nr));
    TT_TRY(tt_h5_write_texts(h, "/reasoning/general", c->general, nr));
    TT_TRY(tt_h5_write(h, "/reasoning/has_general", (tt_h5_layout){H5T_NATIVE_INT32, nr, 0}, c->has_general));
    TT_TRY(tt_h5_write_texts(h, "/reasoning/specific", c->specific, (size_t)c->specific_offsets[nr]));
    return tt_h5_write(
        h, "/reasoning/specific_offsets", (tt_h5_layout){H5T_NATIVE_INT64, nr + 1, 0}, c->specific_offsets);
}

tt_status tt_corpus_save(tt_corpus *corpus, const char *path) {
    TT_TRY(tt_corpus_check(corpus));
    corpus->hash = content_hash(corpus);
    tt_h5 h;
    columns c = {0};
    TT_TRY(tt_h5_create(&h, path, "corpus"));
    tt_status status = tt_h5_put_i64(&h, "/", "format", FORMAT);
    if (status == TT_OK) status = tt_h5_put_text(&h, "/", "name", corpus->name ? corpus->name : "");
    if (status == TT_OK)
        status = tt_h5_write_text(&h, "/provenance", corpus->provenance ? corpus->provenance : "");
    if (status == TT_OK) status = tt_h5_put_i64(&h, "/", "hash", (int64_t)corpus->hash);
    if (status == TT_OK) status = fill_columns(&c, corpus);
    if (status == TT_OK) status = write_columns(&h, &c, corpus->n_questions, corpus->n_reasoning);
    if (status == TT_OK) status = tt_corpus_tokens_write(&h, corpus);
    free_columns(&c);
    if (status != TT_OK) {
        tt_h5_close(&h);
        return status;
    }
    return tt_h5_commit(&h);
}

static tt_status read_numbers(
    const tt_h5 *h, const char *name, hid_t type, size_t size, void *out, size_t n) {
    TT_TRY(tt_alloc(out, n, size, name));
    return tt_h5_read(h, name, (tt_h5_layout){type, n, 0}, *(void **)out);
}

// Offsets must rise from 0 to `total` in steps of at most 26.
static tt_status check_offsets(
    const tt_h5 *h, const char *name, const int64_t *offsets, size_t n, size_t total) {
    bool good = offsets[0] == 0 && offsets[n] == (int64_t)total;
    for (size_t i = 0; i < n && good; ++i)
        good = offsets[i + 1] >= offsets[i] && offsets[i + 1] - offsets[i] <= TT_MAX_OPTIONS;
    return good ? TT_OK : tt_fail(TT_ERR_FORMAT, "%s: %s is damaged", h->path, name);
}

typedef struct texts {
    char **items;
    size_t n;
} texts;

static tt_status read_questions(const tt_h5 *h, tt_corpus *corpus) {
    texts id = {0}, text = {0}, options = {0};
    int32_t *split = NULL, *gold = NULL;
    int64_t *offsets = NULL;
    tt_status status;
    TT_TRY_GOTO(status, tt_h5_read_texts(h, "/questions/id", &id.items, &id.n), done);
    TT_TRY_GOTO(status, tt_h5_read_texts(h, "/questions/text", &text.items, &text.n), done);
    TT_TRY_GOTO(status, tt_h5_read_texts(h, "/questions/options", &options.items, &options.n), done);
    TT_TRY_GOTO(
        status, read_numbers(h, "/questions/split", H5T_NATIVE_INT32, sizeof *split, &split, id.n), done);
    TT_TRY_GOTO(
        status, read_numbers(h, "/questions/gold", H5T_NATIVE_INT32, sizeof *gold, &gold, id.n), done);
    TT_TRY_GOTO(status,
        read_numbers(h, "/questions/option_offsets", H5T_NATIVE_INT64, sizeof *offsets, &offsets, id.n + 1),
        done);
    TT_TRY_GOTO(status, check_offsets(h, "/questions/option_offsets", offsets, id.n, options.n), done);
    for (size_t i = 0; i < id.n && status == TT_OK; ++i) {
        if (text.n != id.n || split[i] < 0 || split[i] >= TT_SPLITS) {
            status = tt_fail(TT_ERR_FORMAT, "%s: question %zu is damaged", h->path, i);
            break;
        }
        status =
            tt_corpus_add_question(corpus, &(tt_question){.id = id.items[i],
                                               .text = text.items[i],
                                               .options = (const char *const *)options.items + offsets[i],
                                               .n_options = (int)(offsets[i + 1] - offsets[i]),
                                               .gold = gold[i],
                                               .split = (tt_split)split[i]});
    }
done:
    free(id.items);
    free(text.items);
    free(options.items);
    free(split);
    free(gold);
    free(offsets);
    return status;
}

static bool same_knowledge(const tt_reasoning *a, const tt_reasoning *b, int n_options) {
    bool same = !a->general || strcmp(a->general, b->general) == 0;
    for (int o = 0; a->specific && o < n_options && same; ++o)
        same = strcmp(a->specific[o], b->specific[o]) == 0;
    return same;
}

// *content receives the hash of the texts as the file has them; tt_corpus_add_reasoning trims and closes knowledge. *mended:
// whether that changed any.
static tt_status read_reasoning(const tt_h5 *h, tt_corpus *corpus, uint64_t *content, bool *mended) {
    texts source = {0}, general = {0}, specific = {0};
    int32_t *question = NULL, *answer = NULL, *has_general = NULL;
    int64_t *offsets = NULL;
    tt_status status;
    TT_TRY_GOTO(status, tt_h5_read_texts(h, "/reasoning/source", &source.items, &source.n), done);
    TT_TRY_GOTO(status, tt_h5_read_texts(h, "/reasoning/general", &general.items, &general.n), done);
    TT_TRY_GOTO(status, tt_h5_read_texts(h, "/reasoning/specific", &specific.items, &specific.n), done);
    const size_t n = source.n;
    TT_TRY_GOTO(status, read_numbers(h, "/reasoning/question", H5T_NATIVE_INT32, 4, &question, n), done);
    TT_TRY_GOTO(status, read_numbers(h, "/reasoning/answer", H5T_NATIVE_INT32, 4, &answer, n), done);
    TT_TRY_GOTO(
        status, read_numbers(h, "/reasoning/has_general", H5T_NATIVE_INT32, 4, &has_general, n), done);
    TT_TRY_GOTO(
        status, read_numbers(h, "/reasoning/specific_offsets", H5T_NATIVE_INT64, 8, &offsets, n + 1), done);
    TT_TRY_GOTO(status, check_offsets(h, "/reasoning/specific_offsets", offsets, n, specific.n), done);
    *content = hash_of_questions(corpus);
    for (size_t i = 0; i < n && status == TT_OK; ++i) {
        const int64_t count = offsets[i + 1] - offsets[i];
        const bool known = question[i] >= 0 && (size_t)question[i] < corpus->n_questions;
        if (general.n != n || !known || (count && count != corpus->questions[question[i]].n_options)) {
            status = tt_fail(TT_ERR_FORMAT, "%s: reasoning %zu is damaged", h->path, i);
            break;
        }
        const tt_reasoning stored = {.question = question[i],
            .general = has_general[i] ? general.items[i] : NULL,
            .specific = count ? (const char *const *)specific.items + offsets[i] : NULL,
            .answer = answer[i],
            .source = source.items[i]};
        const int n_options = corpus->questions[question[i]].n_options;
        *content = mix_reasoning(*content, &stored, n_options);
        status = tt_corpus_add_reasoning(corpus, &stored);
        if (status == TT_OK) *mended |= !same_knowledge(&stored, &corpus->reasoning[i], n_options);
    }
done:
    free(source.items);
    free(general.items);
    free(specific.items);
    free(question);
    free(answer);
    free(has_general);
    free(offsets);
    return status;
}

static tt_status read_attributes(const tt_h5 *h, tt_corpus *corpus, uint64_t *hash) {
    int64_t format, stored;
    char *name, *provenance;
    TT_TRY(tt_h5_get_i64(h, "/", "format", &format));
    if (format != FORMAT)
        return tt_fail(TT_ERR_FORMAT, "%s: corpus format %lld; this program reads format %d", h->path,
            (long long)format, FORMAT);
    TT_TRY(tt_h5_get_i64(h, "/", "hash", &stored));
    TT_TRY(tt_h5_get_text(h, "/", "name", &name));
    corpus->name = tt_arena_strdup(&corpus->memory, name);
    free(name);
    TT_TRY(tt_h5_read_text(h, "/provenance", &provenance));
    corpus->provenance = tt_arena_strdup(&corpus->memory, provenance);
    free(provenance);
    *hash = (uint64_t)stored;
    return corpus->name && corpus->provenance ? TT_OK : TT_ERR_NOMEM;
}

tt_status tt_corpus_load(tt_corpus *out, const char *path) {
    *out = (tt_corpus){0};
    tt_h5 h;
    uint64_t hash = 0, content = 0;
    bool mended = false;
    TT_TRY(tt_h5_open_any(&h, path, "corpus"));
    tt_status status = read_attributes(&h, out, &hash);
    if (status == TT_OK) status = read_questions(&h, out);
    if (status == TT_OK) status = tt_corpus_check(out);
    if (status == TT_OK) status = read_reasoning(&h, out, &content, &mended);
    if (status == TT_OK) status = tt_corpus_tokens_read(&h, out);
    tt_h5_close(&h);
    if (status == TT_OK) {
        out->hash = mended ? content_hash(out) : content;
        if (content != hash) {
            status =
                tt_fail(TT_ERR_FORMAT, "%s: its content does not match its checksum; build it again", path);
        } else if (out->hash != content) {
            tt_corpus_tokens_close(out); // they are of the texts as the file has them
            tt_warn("%s: was written by an earlier version, with knowledge that is not trimmed or does not "
                    "end in a period; both are mended while it is read. Import it again to mend the file",
                path);
        }
    } else if (status == TT_ERR_INPUT) {
        status = tt_context(TT_ERR_FORMAT, "%s", path);
    }
    if (status != TT_OK) tt_corpus_close(out);
    return status;
}
