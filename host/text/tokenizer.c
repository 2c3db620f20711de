// Token ids as T5 has them: SentencePiece's pieces, then the sentinels.
#include "host/text/tokenizer.h"

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/base/str.h"
#include "host/text/sentencepiece.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tt_tokenizer {
    tt_spm *spm;
    char *bytes;
    size_t n_bytes;
    int pieces, extra_ids;
    uint64_t hash;
    char (*sentinels)[24];
};

static tt_status fill_tokenizer(tt_tokenizer *t, const void *bytes, size_t n, int extra_ids) {
    if (extra_ids < 0 || extra_ids > 1000)
        return tt_fail(TT_ERR_CONFIG, "tokenizer: %d sentinels; allowed are 0 to 1000", extra_ids);
    const char *message = tt_spm_open(&t->spm, bytes, n);
    if (message) return tt_fail(TT_ERR_FORMAT, "not a SentencePiece model (%s)", message);
    if (tt_spm_pad(t->spm) != TT_PAD || tt_spm_eos(t->spm) != TT_EOS || tt_spm_unk(t->spm) != TT_UNK)
        return tt_fail(TT_ERR_FORMAT,
            "the ids of pad, </s> and <unk> are %d, %d, %d; expected 0, 1, 2 as in T5", tt_spm_pad(t->spm),
            tt_spm_eos(t->spm), tt_spm_unk(t->spm));
    TT_TRY(tt_alloc(&t->bytes, n, 1, "tokenizer"));
    memcpy(t->bytes, bytes, n);
    t->n_bytes = n;
    t->pieces = tt_spm_size(t->spm);
    t->extra_ids = extra_ids;
    t->hash = tt_hash(bytes, n) ^ tt_hash(&extra_ids, sizeof extra_ids);
    TT_TRY(tt_alloc(&t->sentinels, (size_t)extra_ids, sizeof *t->sentinels, "tokenizer"));
    for (int i = 0; i < extra_ids; ++i)
        snprintf(t->sentinels[i], sizeof t->sentinels[i], "<extra_id_%d>", extra_ids - 1 - i);
    return TT_OK;
}

tt_status tt_tokenizer_parse(tt_tokenizer **out, const void *bytes, size_t n, int extra_ids) {
    *out = NULL;
    tt_tokenizer *t;
    TT_TRY(tt_alloc(&t, 1, sizeof *t, "tokenizer"));
    tt_status status = fill_tokenizer(t, bytes, n, extra_ids);
    if (status != TT_OK)
        tt_tokenizer_close(t);
    else
        *out = t;
    return status;
}

tt_status tt_tokenizer_load(tt_tokenizer **out, const char *path, int extra_ids) {
    char *bytes;
    size_t n;
    *out = NULL;
    TT_TRY(tt_read_file(path, (size_t)256 << 20, &bytes, &n));
    tt_status status = tt_tokenizer_parse(out, bytes, n, extra_ids);
    free(bytes);
    return status == TT_OK ? TT_OK : tt_context(status, "%s", path);
}

void tt_tokenizer_close(tt_tokenizer *t) {
    if (!t) return;
    tt_spm_close(t->spm);
    free(t->bytes);
    free(t->sentinels);
    free(t);
}

int tt_tokenizer_size(const tt_tokenizer *t) {
    return t->pieces + t->extra_ids;
}
int tt_tokenizer_pieces(const tt_tokenizer *t) {
    return t->pieces;
}
int tt_tokenizer_extra_ids(const tt_tokenizer *t) {
    return t->extra_ids;
}
uint64_t tt_tokenizer_hash(const tt_tokenizer *t) {
    return t->hash;
}

const void *tt_tokenizer_bytes(const tt_tokenizer *t, size_t *n) {
    *n = t->n_bytes;
    return t->bytes;
}

const char *tt_tokenizer_piece(const tt_tokenizer *t, int id) {
    if (id < 0 || id >= tt_tokenizer_size(t)) return "<out of range>";
    return id < t->pieces ? tt_spm_piece(t->spm, id) : t->sentinels[id - t->pieces];
}

typedef struct sink {
    tt_ids *ids;
    tt_status status;
} sink;

static void append_id(void *context, int id) {
    sink *s = context;
    tt_ids *ids = s->ids;
    if (s->status == TT_OK)
        s->status = tt_grow(&ids->items, &ids->capacity, (size_t)ids->n + 1, sizeof *ids->items, "token ids");
    if (s->status == TT_OK) ids->items[ids->n++] = id;
}

// The id of the special token at the start of `text`, whose length in bytes *length receives; -1 where there is none.
static int special_at(const tt_tokenizer *t, const char *text, size_t *length) {
    static const char *const names[] = {[TT_PAD] = "<pad>", [TT_EOS] = "</s>", [TT_UNK] = "<unk>"};
    for (int id = TT_PAD; id <= TT_UNK; ++id)
        if (tt_starts_with(text, names[id])) {
            *length = strlen(names[id]);
            return id;
        }
    int number = -1;
    if (sscanf(text, "<extra_id_%d>", &number) != 1 || number < 0 || number >= t->extra_ids) return -1;
    const int id = tt_tokenizer_size(t) - 1 - number;
    const char *name = tt_tokenizer_piece(t, id);
    *length = strlen(name);
    return tt_starts_with(text, name) ? id : -1; // sscanf also reads <extra_id_01>
}

tt_status tt_tokenizer_encode(const tt_tokenizer *t, const char *text, bool eos, tt_ids *ids) {
    size_t length = strlen(text), bad = 0;
    if (!tt_utf8_valid(text, length, &bad))
        return tt_fail(TT_ERR_INPUT, "invalid UTF-8 at byte %zu of \"%.40s\"", bad, text);
    sink s = {.ids = ids};
    ids->n = 0;
    const char *from = text, *end = text + length;
    while (from < end && s.status == TT_OK) {
        size_t skip = 0;
        int id = -1;
        const char *mark = from;
        for (; (mark = strchr(mark, '<')) != NULL; ++mark)
            if ((id = special_at(t, mark, &skip)) >= 0) break;
        const size_t plain = (size_t)((mark ? mark : end) - from);
        const char *message = plain ? tt_spm_encode(t->spm, from, plain, append_id, &s) : NULL;
        if (message) return tt_fail(TT_ERR_INPUT, "cannot tokenise \"%.40s\": %s", from, message);
        if (id >= 0) append_id(&s, id);
        from += plain + skip;
    }
    if (eos && !(s.status == TT_OK && ids->n > 0 && ids->items[ids->n - 1] == TT_EOS)) append_id(&s, TT_EOS);
    return s.status;
}

// Removes the space before each `what`, in place; " ' " loses both of its spaces.
static void close_up_spaces(tt_str *text, const char *what) {
    const size_t n = strlen(what), kept = strcmp(what, " ' ") == 0 ? n - 2 : n - 1;
    char *to = text->data, *from = text->data;
    for (char *hit; (hit = strstr(from, what)) != NULL; from = hit + n) {
        memmove(to, from, (size_t)(hit - from));
        to += hit - from;
        memcpy(to, what + 1, kept);
        to += kept;
    }
    const size_t rest = strlen(from);
    memmove(to, from, rest + 1);
    text->length = (size_t)(to - text->data) + rest;
}

// Removes spaces at both ends, in place.
static void strip_spaces(tt_str *text) {
    const size_t skip = strspn(text->data, " ");
    text->length -= skip;
    memmove(text->data, text->data + skip, text->length + 1);
    while (text->length && text->data[text->length - 1] == ' ') text->data[--text->length] = '\0';
}

static void append_text(void *context, const char *text, size_t n) {
    tt_str_append_n(context, text, n);
}

tt_status tt_tokenizer_decode(const tt_tokenizer *t, const int32_t *ids, int n, char **text) {
    *text = NULL;
    int32_t *kept;
    int m = 0;
    TT_TRY(tt_alloc(&kept, (size_t)n, sizeof *kept, "token ids"));
    for (int i = 0; i < n && ids[i] != TT_EOS; ++i)
        if (ids[i] > TT_UNK && ids[i] < t->pieces) kept[m++] = ids[i];
    tt_str out = {0};
    tt_str_append(&out, "");
    const char *message = tt_spm_decode(t->spm, kept, m, append_text, &out);
    free(kept);
    if (message || out.failed) {
        tt_str_close(&out);
        return tt_fail(TT_ERR_INPUT, "cannot decode token ids: %s", message ? message : "out of memory");
    }
    strip_spaces(&out);
    // clean_up_tokenization_spaces, in Hugging Face's order.
    static const char *const close[] = {" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're"};
    for (size_t i = 0; i < sizeof close / sizeof *close; ++i) close_up_spaces(&out, close[i]);
    *text = out.data;
    return TT_OK;
}

tt_status tt_tokenizer_train(
    const char *const *texts, size_t n, const tt_tokenizer_training *how, const char *path) {
    tt_str model = {0};
    const char *message = tt_spm_train(texts, n, how, append_text, &model);
    tt_status status =
        message ? tt_fail(TT_ERR_INPUT, "training a tokenizer of %d pieces: %s", how->pieces, message)
                : tt_str_status(&model);
    if (status == TT_OK) status = tt_write_file(path, model.data, model.length);
    tt_str_close(&model);
    return status;
}
