// Token ids as T5 has them: a model's pieces, then sentinels and added tokens.
#include "host/text/tokenizer.h"

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/base/python_json.h"
#include "host/base/signature.h"
#include "host/base/str.h"
#include "host/text/added_tokens.h"
#include "host/text/pipeline.h"
#include "host/text/sentencepiece.h"
#include "host/text/sentencepiece_encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tt_tokenizer {
    tt_spm *spm; // of a .model
    tt_spm_encoder *encoder;
    tt_pipeline pipeline; // of a tokenizer.json, where spm is NULL
    char *bytes, *more;   // the file; what was added, or NULL
    size_t n_bytes;
    int pieces, in_model, extra_ids, first_sentinel,
        size; // in_model: pieces and what of the added tokens is one of them
    uint64_t hash;
    tt_added_tokens added;
    tt_added_tokens raw,
        normalized;    // of a tokenizer.json: those looked for in the text, and those in its normal form
    int32_t *added_at; // [size]: which of `added` has the id, plus 1; else 0
};

static const char *const base_names[] = {[TT_PAD] = "<pad>", [TT_EOS] = "</s>", [TT_UNK] = "<unk>"};

static const char *model_piece(const tt_tokenizer *t, int id) {
    return t->spm ? tt_spm_piece(t->spm, id) : tt_unigram_piece(t->pipeline.unigram, id);
}

// ---- opening

static tt_status check_base_ids(const int *ids) {
    if (ids[TT_PAD] == TT_PAD && ids[TT_EOS] == TT_EOS && ids[TT_UNK] == TT_UNK) return TT_OK;
    return tt_fail(TT_ERR_FORMAT, "the ids of pad, </s> and <unk> are %d, %d, %d; expected 0, 1, 2 as in T5",
        ids[TT_PAD], ids[TT_EOS], ids[TT_UNK]);
}

static tt_status open_spm(tt_tokenizer *t, const void *bytes, size_t n, int extra_ids) {
    TT_TRY(tt_spm_check(bytes, n));
    const char *message = tt_spm_open(&t->spm, bytes, n);
    if (message) return tt_fail(TT_ERR_FORMAT, "not a SentencePiece model (%s)", message);
    TT_TRY(check_base_ids((const int[]){tt_spm_pad(t->spm), tt_spm_eos(t->spm), tt_spm_unk(t->spm)}));
    TT_TRY(tt_spm_encoder_open(&t->encoder, bytes, n));
    t->pieces = t->in_model = tt_spm_size(t->spm);
    for (int id = TT_PAD; id <= TT_UNK; ++id)
        TT_TRY(
            tt_added_put(&t->added, &(tt_added_token){.content = base_names[id], .id = id, .special = true}));
    for (int i = 0; i < extra_ids; ++i) {
        char name[32];
        snprintf(name, sizeof name, "<extra_id_%d>", i);
        const tt_added_token sentinel = {.content = name,
            .id = t->pieces + extra_ids - 1 - i,
            .special = true,
            .lstrip = true,
            .rstrip = true};
        TT_TRY(tt_added_put(&t->added, &sentinel));
    }
    return TT_OK;
}

static tt_status open_json(tt_tokenizer *t, const void *bytes, size_t n) {
    json_t *root;
    TT_TRY(tt_python_json_parse(&root, "tokenizer.json", bytes, n));
    tt_status status = tt_pipeline_open(&t->pipeline, root);
    if (status == TT_OK) status = tt_added_put_all(&t->added, json_object_get(root, "added_tokens"));
    json_decref(root);
    if (status != TT_OK) return status;
    t->pieces = t->in_model = tt_unigram_size(t->pipeline.unigram);
    for (int i = 0; i < t->in_model; ++i) t->pieces -= tt_starts_with(model_piece(t, i), "<extra_id_");
    int ids[3];
    for (int id = TT_PAD; id <= TT_UNK; ++id) ids[id] = tt_tokenizer_find(t, base_names[id]);
    ids[TT_UNK] = tt_unigram_unk(t->pipeline.unigram);
    return check_base_ids(ids);
}

// Sorts a tokenizer.json's tokens by where they are looked for: in the text, or, spelled in normal form, in its normal form.
static tt_status sort_added(tt_tokenizer *t) {
    tt_added_close(&t->raw);
    tt_added_close(&t->normalized);
    for (int i = 0; i < t->added.n && !t->spm; ++i) {
        tt_added_token token = t->added.items[i];
        tt_str text = {0};
        tt_str_append(&text, token.content);
        if (token.normalized) tt_normalizer_apply(t->pipeline.normalizer, &text);
        tt_status status = tt_str_status(&text);
        token.content = tt_str_text(&text);
        if (status == TT_OK && *token.content)
            status = tt_added_put(token.normalized ? &t->normalized : &t->raw, &token);
        tt_str_close(&text);
        TT_TRY(status);
    }
    return TT_OK;
}

// The piece that is spelled so, or -1.
static int find_piece(const tt_tokenizer *t, const char *content) {
    if (!t->spm) return tt_unigram_find(t->pipeline.unigram, content);
    const int id = tt_spm_find(t->spm, content);
    return id == TT_UNK && strcmp(content, model_piece(t, TT_UNK)) != 0 ? -1 : id;
}

// One token has one id, and one id one token: else a text would lose words on its way to ids and back.
static tt_status check_token(const tt_tokenizer *t, const tt_added_token *a) {
    const int piece = find_piece(t, a->content);
    const char *other = t->added_at[a->id] ? t->added.items[t->added_at[a->id] - 1].content
                        : a->id < t->in_model && piece != a->id ? model_piece(t, a->id)
                                                                : NULL;
    if (piece >= 0 && piece != a->id)
        return tt_fail(TT_ERR_FORMAT, "the added token %s has id %d, but the model has it as piece %d",
            a->content, a->id, piece);
    if (other)
        return tt_fail(
            TT_ERR_FORMAT, "the added token %s has id %d, which %s has, too", a->content, a->id, other);
    return TT_OK;
}

// After tokens were added: which token has which id, where the sentinels are, and the hash. Errors: TT_ERR_FORMAT where two
// have one id.
static tt_status index_added(tt_tokenizer *t) {
    t->size = t->in_model;
    for (int i = 0; i < t->added.n; ++i)
        if (t->added.items[i].id >= t->size) t->size = t->added.items[i].id + 1;
    free(t->added_at);
    TT_TRY(tt_alloc(&t->added_at, (size_t)t->size, sizeof *t->added_at, "added tokens"));
    for (int i = 0; i < t->added.n; ++i) {
        TT_TRY(check_token(t, &t->added.items[i]));
        t->added_at[t->added.items[i].id] = i + 1;
    }
    t->first_sentinel = tt_tokenizer_find(t, "<extra_id_0>");
    t->extra_ids = t->first_sentinel >= 0;
    for (char name[32]; t->extra_ids > 0; ++t->extra_ids) {
        snprintf(name, sizeof name, "<extra_id_%d>", t->extra_ids);
        if (tt_tokenizer_find(t, name) != t->first_sentinel - t->extra_ids ||
            t->extra_ids > t->first_sentinel)
            break;
    }
    return sort_added(t);
}

static tt_status fill_tokenizer(tt_tokenizer *t, const void *bytes, size_t n, int extra_ids) {
    const char *text = bytes;
    size_t length = n;
    if (extra_ids < 0 || extra_ids > 1000)
        return tt_fail(TT_ERR_CONFIG, "tokenizer: %d sentinels; allowed are 0 to 1000", extra_ids);
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, length -= 3;
    tt_trim(&text, &length);
    const bool json = length > 0 && *text == '{';
    TT_TRY(json ? open_json(t, bytes, n) : open_spm(t, bytes, n, extra_ids));
    TT_TRY(tt_alloc(&t->bytes, n + 1, 1, "tokenizer"));
    memcpy(t->bytes, bytes, n);
    t->n_bytes = n;
    TT_TRY(index_added(t));
    if (!json) t->extra_ids = extra_ids;
    t->hash = tt_hash(bytes, n) ^ tt_hash(&t->extra_ids, sizeof t->extra_ids);
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
    tt_status known = TT_OK;
    if (status != TT_OK)
        known = tt_signature_refuse(path, bytes, n, "a SentencePiece model or tokenizer.json");
    free(bytes);
    return status == TT_OK || known != TT_OK ? known : tt_context(status, "%s", path);
}

tt_status tt_tokenizer_add(tt_tokenizer *t, const char *json) {
    json_error_t error;
    if (t->more) return tt_fail(TT_ERR_INTERNAL, "tokens are added to a tokenizer twice");
    json_t *array = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    tt_status status =
        array ? tt_added_put_all(&t->added, array) : tt_fail(TT_ERR_FORMAT, "added tokens: %s", error.text);
    json_decref(array);
    if (status == TT_OK) status = tt_strdup(&t->more, json);
    if (status == TT_OK) status = index_added(t);
    t->hash ^= 3 * tt_hash(json, strlen(json));
    return status;
}

void tt_tokenizer_close(tt_tokenizer *t) {
    if (!t) return;
    tt_spm_close(t->spm);
    tt_spm_encoder_close(t->encoder);
    tt_pipeline_close(&t->pipeline);
    tt_added_close(&t->added);
    tt_added_close(&t->raw);
    tt_added_close(&t->normalized);
    free(t->added_at);
    free(t->bytes);
    free(t->more);
    free(t);
}

// ---- what it has

static const tt_added_token *added_with(const tt_tokenizer *t, int id) {
    return id >= 0 && id < t->size && t->added_at[id] ? &t->added.items[t->added_at[id] - 1] : NULL;
}

int tt_tokenizer_size(const tt_tokenizer *t) {
    return t->size;
}
int tt_tokenizer_pieces(const tt_tokenizer *t) {
    return t->pieces;
}
int tt_tokenizer_extra_ids(const tt_tokenizer *t) {
    return t->extra_ids;
}
int tt_tokenizer_first_sentinel(const tt_tokenizer *t) {
    return t->first_sentinel;
}
uint64_t tt_tokenizer_hash(const tt_tokenizer *t) {
    return t->hash;
}
bool tt_tokenizer_is_json(const tt_tokenizer *t) {
    return !t->spm;
}
const char *tt_tokenizer_added(const tt_tokenizer *t) {
    return t->more;
}

void tt_tokenizer_all_added(const tt_tokenizer *t, tt_str *json) {
    json_t *array = json_array();
    for (int id = 0; id < t->size; ++id) {
        const tt_added_token *a = added_with(t, id);
        if (!a) continue;
        json_array_append_new(
            array, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", a->content,
                       "single_word", a->single_word, "lstrip", a->lstrip, "rstrip", a->rstrip, "normalized",
                       a->normalized, "special", a->special));
    }
    char *text = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    if (text)
        tt_str_append(json, text);
    else
        json->failed = true;
    free(text);
}

const void *tt_tokenizer_bytes(const tt_tokenizer *t, size_t *n) {
    *n = t->n_bytes;
    return t->bytes;
}

const char *tt_tokenizer_piece(const tt_tokenizer *t, int id) {
    const tt_added_token *token = added_with(t, id);
    if (token) return token->content;
    if (id < 0 || id >= t->size) return "<out of range>";
    return id < t->in_model ? model_piece(t, id) : "<no token>";
}

int tt_tokenizer_find(const tt_tokenizer *t, const char *piece) {
    const tt_added_token *token = tt_added_find(&t->added, piece, strlen(piece));
    if (token) return token->id;
    return find_piece(t, piece);
}

// ---- text to ids

typedef struct sink {
    const tt_tokenizer *tokenizer;
    tt_ids *ids;
    tt_status status; // of append_id
} sink;

static void append_id(void *context, int id) {
    sink *s = context;
    tt_ids *ids = s->ids;
    if (s->status == TT_OK)
        s->status = tt_grow(&ids->items, &ids->capacity, (size_t)ids->n + 1, sizeof *ids->items, "token ids");
    if (s->status == TT_OK) ids->items[ids->n++] = id;
}

static tt_status append_token(void *context, const tt_added_token *token) {
    append_id(context, token->id);
    return ((sink *)context)->status;
}

// A piece of a stretch. A token that is part of a longer word (single_word) is in the stretch, and its characters may be no
// pieces: the unknown becomes an added token where it is spelled like one.
static void append_piece(void *context, int id, const char *text, size_t n) {
    const tt_tokenizer *t = ((const sink *)context)->tokenizer;
    const tt_added_token *token = id == TT_UNK && t->more ? tt_added_find(&t->added, text, n) : NULL;
    append_id(context, token ? token->id : id);
}

static tt_status append_pieces(void *context, const char *text, size_t n, bool at_start) {
    (void)at_start; // a stretch of text always begins a word
    sink *s = context;
    TT_TRY(tt_spm_encode(s->tokenizer->encoder, text, n, &(tt_spm_sink){append_piece, s}));
    return s->status;
}

static tt_status append_words(void *context, const char *text, size_t n, bool at_start) {
    sink *s = context;
    const tt_pipeline_sink to = {append_id, s};
    TT_TRY(tt_pipeline_encode(&s->tokenizer->pipeline, text, n, at_start, &to));
    return s->status;
}

// A stretch between tokens that are looked for in the text itself: its normal form, cut at those that are looked for in that.
static tt_status append_normalized(void *context, const char *text, size_t n, bool at_start) {
    sink *s = context;
    tt_str normal = {0};
    tt_str_append_n(&normal, text, n);
    tt_normalizer_apply(s->tokenizer->pipeline.normalizer, &normal);
    tt_status status = tt_str_status(&normal);
    const tt_added_sink to = {append_token, append_words, s};
    if (status == TT_OK)
        status =
            tt_added_cut_fast(&s->tokenizer->normalized, tt_str_text(&normal), normal.length, at_start, &to);
    tt_str_close(&normal);
    return status;
}

tt_status tt_tokenizer_encode(const tt_tokenizer *t, const char *text, bool eos, tt_ids *ids) {
    size_t length = strlen(text), bad = 0;
    if (!tt_utf8_valid(text, length, &bad))
        return tt_fail(TT_ERR_INPUT, "invalid UTF-8 at byte %zu of \"%.40s\"", bad, text);
    sink s = {.tokenizer = t, .ids = ids};
    ids->n = 0;
    if (t->spm) {
        TT_TRY(tt_added_cut(&t->added, text, length, &(tt_added_sink){append_token, append_pieces, &s}));
        eos = eos && !(ids->n > 0 && ids->items[ids->n - 1] == TT_EOS);
    } else {
        const tt_added_sink to = {append_token, append_normalized, &s};
        TT_TRY(tt_added_cut_fast(&t->raw, text, length, true, &to));
    }
    if (eos) append_id(&s, TT_EOS);
    return s.status;
}

// ---- ids to text

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

// Appends the text of pieces side by side, which T5Tokenizer trims and puts a space before.
static tt_status append_decoded(const tt_tokenizer *t, const int32_t *ids, int n, tt_str *out) {
    tt_str part = {0};
    tt_str_append(&part, "");
    const char *message = n ? tt_spm_decode(t->spm, ids, n, append_text, &part) : NULL;
    tt_status status =
        message ? tt_fail(TT_ERR_INPUT, "cannot decode token ids: %s", message) : tt_str_status(&part);
    if (status == TT_OK) strip_spaces(&part);
    if (status == TT_OK && part.length) tt_str_format(out, "%s%s", out->length ? " " : "", part.data);
    tt_str_close(&part);
    return status;
}

// Puts a space on both sides of an added token, as T5Tokenizer does.
static tt_status decode_pieces(const tt_tokenizer *t, const int32_t *ids, int n, tt_str *out) {
    int from = 0;
    for (int i = 0; i <= n; ++i) {
        const tt_added_token *token = i < n ? added_with(t, ids[i]) : NULL;
        if (i < n && !token) continue;
        TT_TRY(append_decoded(t, ids + from, i - from, out));
        if (token) tt_str_format(out, "%s%s", out->length ? " " : "", token->content);
        from = i + 1;
    }
    return TT_OK;
}

tt_status tt_tokenizer_decode(const tt_tokenizer *t, const int32_t *ids, int n, char **text) {
    *text = NULL;
    int32_t *kept;
    int m = 0;
    TT_TRY(tt_alloc(&kept, (size_t)n, sizeof *kept, "token ids"));
    for (int i = 0; i < n && ids[i] != TT_EOS; ++i) {
        const tt_added_token *token = added_with(t, ids[i]);
        if (ids[i] > TT_UNK && (token ? !token->special : ids[i] < t->in_model)) kept[m++] = ids[i];
    }
    tt_str out = {0};
    tt_str_append(&out, "");
    tt_status status = t->spm ? decode_pieces(t, kept, m, &out) : TT_OK;
    for (int i = 0; i < m && !t->spm; ++i) {
        const tt_added_token *token = added_with(t, kept[i]);
        if (token)
            tt_str_append(&out, token->content);
        else
            tt_pipeline_decode(&t->pipeline, kept[i], i == 0, &out);
    }
    free(kept);
    if (status == TT_OK) status = tt_str_status(&out);
    if (status != TT_OK) {
        tt_str_close(&out);
        return status;
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
