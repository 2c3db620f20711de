// The tokenizer of a Hugging Face directory. The model comes from spiece.model, else from tokenizer.json; where legacy is
// false, from tokenizer.json, which says how text behind an added token is cut, else from spiece.model. Tokens beside its
// pieces are stated in several places, which are read as transformers 4 reads them: added_tokens_decoder of
// tokenizer_config.json, or, where that is missing, added_tokens.json and the added_tokens of tokenizer.json; special tokens
// without an id get the next free ones.
#include "host/base/fs.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/python_json.h"
#include "host/model/huggingface/huggingface.h"
#include "host/model/huggingface/parts.h"

#include <stdlib.h>
#include <string.h>

typedef struct files {
    const char *directory;
    json_t *config, *special_map, *added, *tokenizer; // NULL where a file is not there
    bool model;                                       // whether spiece.model is read
    bool modern;                                      // whether tokenizer_config.json says "legacy": false
} files;

// What is found out about tokens: id, content and flags of each as in a tokenizer.json, by content.
typedef json_t tokens;

static const char *const special_keys[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
    "cls_token", "mask_token", "additional_special_tokens", "extra_special_tokens"};
enum { SPECIAL_KEYS = sizeof special_keys / sizeof *special_keys };

static tt_status path_of(char path[TT_PATH_MAX], const files *f, const char *name) {
    return tt_path_join(path, TT_PATH_MAX, f->directory, name);
}

static tt_status read_optional(const files *f, const char *name, json_t **out) {
    char path[TT_PATH_MAX];
    TT_TRY(path_of(path, f, name));
    return tt_file_exists(path) ? tt_python_json_read(out, path) : TT_OK;
}

// Tokenizers of other kinds cut texts in another way, or count their ids from another place, with the same files.
static tt_status check_class(const files *f) {
    static const char *const known[] = {"T5Tokenizer", "T5TokenizerFast", "MT5Tokenizer", "MT5TokenizerFast",
        "PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend", "SentencePieceBackend"};
    const char *name = json_string_value(json_object_get(f->config, "tokenizer_class"));
    for (size_t i = 0; name && i < sizeof known / sizeof *known; ++i)
        if (strcmp(name, known[i]) == 0) return TT_OK;
    return !name ? TT_OK
                 : tt_fail(TT_ERR_UNSUPPORTED,
                       "%s/tokenizer_config.json: tokenizer_class is %.60s; supported is T5Tokenizer (a "
                       "Unigram model in "
                       "spiece.model or tokenizer.json)",
                       f->directory, name);
}

static tt_status open_files(files *f) {
    char path[TT_PATH_MAX];
    TT_TRY(path_of(path, f, "spiece.model"));
    f->model = tt_file_exists(path);
    TT_TRY(read_optional(f, "tokenizer_config.json", &f->config));
    TT_TRY(read_optional(f, "special_tokens_map.json", &f->special_map));
    TT_TRY(read_optional(f, "added_tokens.json", &f->added));
    TT_TRY(read_optional(f, "tokenizer.json", &f->tokenizer));
    f->modern = json_is_false(json_object_get(f->config, "legacy"));
    TT_TRY(check_class(f));
    if (f->modern && f->tokenizer) f->model = false;
    if (f->model || f->tokenizer) return TT_OK;
    return tt_fail(TT_ERR_IO,
        "%s: no spiece.model and no tokenizer.json; a checkpoint contains its tokenizer. Save it beside the "
        "model, e.g. with "
        "Python: AutoTokenizer.from_pretrained('NAME').save_pretrained('%s')",
        f->directory, f->directory);
}

static void close_files(files *f) {
    json_decref(f->config);
    json_decref(f->special_map);
    json_decref(f->added);
    json_decref(f->tokenizer);
}

// ---- sentinels of a spiece.model

static tt_status read_extra_ids(const files *f, int *out) {
    const json_t *stated = json_object_get(f->config, "extra_ids"),
                 *special = json_object_get(f->config, "additional_special_tokens");
    *out = 100;
    if (!json_is_array(special)) special = json_object_get(f->config, "extra_special_tokens");
    if (json_is_number(stated)) {
        const double n = json_number_value(stated);
        *out = n >= 0 && n <= 1000 && n == (int)n ? (int)n : -1;
    } else if (stated && !json_is_null(stated)) {
        *out = -1;
    } else if (json_is_array(special)) {
        *out = 0;
        for (size_t i = 0; i < json_array_size(special); ++i) {
            const json_t *token = json_array_get(special, i);
            const char *text =
                json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
            *out += text && strncmp(text, "<extra_id_", 10) == 0;
        }
    }
    if (*out < 0 || *out > 1000)
        return tt_fail(TT_ERR_FORMAT,
            "%s/tokenizer_config.json: extra_ids must be a whole number from 0 to 1000", f->directory);
    return TT_OK;
}

// ---- what the files state

static const char *content_of(const json_t *token) {
    return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

static bool names_token(const json_t *value, const char *content) {
    const char *key, *text = content_of(value);
    size_t i;
    json_t *item;
    if (text) return strcmp(text, content) == 0;
    json_array_foreach(value, i, item) if (names_token(item, content)) return true;
    if (json_is_object(value))
        json_object_foreach((json_t *)value, key, item) if (names_token(item, content)) return true;
    return false;
}

static bool is_special(const files *f, const char *content) {
    for (int i = 0; i < SPECIAL_KEYS; ++i)
        if (names_token(json_object_get(f->config, special_keys[i]), content) ||
            names_token(json_object_get(f->special_map, special_keys[i]), content))
            return true;
    return false;
}

// Adds a token with the flags of `from`, an object or a text.
static tt_status put_token(const files *f, tokens *all, const char *content, double id, const json_t *from) {
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    const json_t *normalized = json_object_get(from, "normalized");
    const bool special = json_is_true(json_object_get(from, "special")) || is_special(f, content);
    json_t *token = json_pack("{s:f, s:s}", "id", id, "content", content);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; ++i)
        json_object_set_new(token, flags[i], json_boolean(json_is_true(json_object_get(from, flags[i]))));
    json_object_set_new(token, "normalized", json_boolean(normalized ? json_is_true(normalized) : !special));
    json_object_set_new(token, "special", json_boolean(special));
    return token && json_object_set_new(all, content, token) == 0
               ? TT_OK
               : tt_fail(TT_ERR_NOMEM, "no memory for added tokens");
}

static tt_status state_token(const files *f, const char *file, tokens *all, const char *content,
    const json_t *id, const json_t *from) {
    char *end = NULL;
    double value = json_is_number(id) ? json_number_value(id) : -1;
    if (json_is_string(id)) value = tt_parse_double(json_string_value(id), &end);
    if (end && (*end || end == json_string_value(id))) value = -1;
    if (!content || !*content || !(value >= 0 && value < 1 << 24 && value == (int)value))
        return tt_fail(TT_ERR_FORMAT,
            "%s/%s: the added token \"%.60s\" needs a content and an id that is a whole number", f->directory,
            file, content ? content : "");
    const json_t *before = json_object_get(json_object_get(all, content), "id");
    if (before && json_number_value(before) != value)
        return tt_fail(TT_ERR_FORMAT,
            "%s/%s: the added token \"%.60s\" has id %.0f here, and %.0f in another place; keep the one that "
            "the "
            "model was trained with",
            f->directory, file, content, value, json_number_value(before));
    return put_token(f, all, content, value, from);
}

// The tokens of added_tokens_decoder have the ids that tokenizer.json gives them.
static tt_status agree_about_tokens(const files *f, const json_t *decoder) {
    const char *key;
    json_t *value;
    size_t i;
    tt_status status = TT_OK;
    json_t *ids = json_object();
    json_array_foreach(json_object_get(f->tokenizer, "added_tokens"), i, value) if (content_of(value))
        json_object_set(ids, content_of(value), json_object_get(value, "id"));
    json_object_foreach((json_t *)decoder, key, value) {
        const json_t *id = content_of(value) ? json_object_get(ids, content_of(value)) : NULL;
        char *end = NULL;
        if (status == TT_OK && json_is_number(id) && json_number_value(id) != tt_parse_double(key, &end))
            status = tt_fail(TT_ERR_FORMAT,
                "%s: the token \"%.60s\" has id %s in tokenizer_config.json, but %.0f in tokenizer.json; "
                "keep the "
                "files that the model was trained with",
                f->directory, content_of(value), key, json_number_value(id));
    }
    json_decref(ids);
    return status;
}

static tt_status read_stated(const files *f, tokens *all) {
    const json_t *decoder = json_object_get(f->config, "added_tokens_decoder");
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_object(decoder)) {
        TT_TRY(agree_about_tokens(f, decoder));
        json_object_foreach((json_t *)decoder, key, value) {
            json_t *id = json_string(key);
            tt_status status = state_token(f, "tokenizer_config.json", all, content_of(value), id, value);
            json_decref(id);
            TT_TRY(status);
        }
        return TT_OK;
    }
    if (f->added)
        json_object_foreach(f->added, key, value)
            TT_TRY(state_token(f, "added_tokens.json", all, key, value, NULL));
    json_array_foreach(json_object_get(f->tokenizer, "added_tokens"), i, value)
        TT_TRY(state_token(f, "tokenizer.json", all, content_of(value), json_object_get(value, "id"), value));
    return TT_OK;
}

// ---- special tokens without a stated id

typedef struct numbering {
    const files *f;
    const tt_tokenizer *tokenizer;
    tokens *all;
    int next; // free id
} numbering;

static tt_status number_special(numbering *n, const json_t *value) {
    const char *key, *content = content_of(value);
    size_t i;
    json_t *item;
    if (content && *content && !json_object_get(n->all, content)) {
        const int known = tt_tokenizer_find(n->tokenizer, content);
        TT_TRY(put_token(
            n->f, n->all, content, known >= 0 ? known : n->next, json_is_object(value) ? value : NULL));
        n->next += known < 0;
    }
    if (content) return TT_OK;
    json_array_foreach(value, i, item) TT_TRY(number_special(n, item));
    if (json_is_object(value))
        json_object_foreach((json_t *)value, key, item) TT_TRY(number_special(n, item));
    return TT_OK;
}

static tt_status number_all_special(const files *f, const tt_tokenizer *t, tokens *all) {
    const char *key;
    json_t *value;
    numbering n = {.f = f, .tokenizer = t, .all = all, .next = tt_tokenizer_size(t)};
    json_object_foreach(all, key, value) {
        const int after = (int)json_number_value(json_object_get(value, "id")) + 1;
        if (after > n.next) n.next = after;
    }
    for (int i = 0; i < SPECIAL_KEYS; ++i) {
        TT_TRY(number_special(&n, json_object_get(f->config, special_keys[i])));
        if (!json_object_get(f->config, "added_tokens_decoder"))
            TT_TRY(number_special(&n, json_object_get(f->special_map, special_keys[i])));
    }
    return TT_OK;
}

// ---- what the model's own file does not say

// Removes what the model's own file says already. A tokenizer.json also says how its tokens are looked for.
static tt_status drop_known(const files *f, const tt_tokenizer *t, tokens *all) {
    tt_str text = {0};
    size_t i;
    json_t *known;
    tt_tokenizer_all_added(t, &text);
    json_t *array = json_loads(tt_str_text(&text), 0, NULL);
    tt_str_close(&text);
    json_array_foreach(array, i, known) {
        const char *content = content_of(known);
        json_t *token = json_object_get(all, content);
        const double id = json_number_value(json_object_get(known, "id"));
        if (!token || json_number_value(json_object_get(token, "id")) != id) continue;
        json_object_set(token, "id", json_object_get(known, "id"));
        if (!f->model || json_equal(token, known)) json_object_del(all, content);
    }
    json_decref(array);
    return array ? TT_OK : tt_fail(TT_ERR_NOMEM, "no memory for added tokens");
}

// Whether all sentinels and special tokens of `all` have the ids that the tokenizer gives them anyway, and whether there is
// any other token (`more`).
static void compare(const tt_tokenizer *t, const tokens *all, bool *same, bool *more) {
    const char *content;
    json_t *token;
    *same = true, *more = false;
    json_object_foreach((json_t *)all, content, token) {
        const int id = (int)json_number_value(json_object_get(token, "id"));
        const bool sentinel = tt_starts_with(content, "<extra_id_");
        const bool base = id <= TT_UNK && tt_tokenizer_find(t, content) == id;
        *same &= !sentinel || tt_tokenizer_find(t, content) == id;
        *more |= !sentinel && !base;
    }
}

static int by_id(const void *left, const void *right) {
    const json_t *const *a = left, *const *b = right;
    const double x = json_number_value(json_object_get(*a, "id")),
                 y = json_number_value(json_object_get(*b, "id"));
    return x < y ? -1 : x > y;
}

// The tokens as the text that tt_tokenizer_add takes, in order of their ids.
static tt_status to_text(const tokens *all, char **out) {
    const size_t n = json_object_size(all);
    const char *content;
    json_t *token, **sorted;
    size_t i = 0;
    TT_TRY(tt_alloc(&sorted, n, sizeof(void *), "added tokens"));
    json_object_foreach((json_t *)all, content, token) sorted[i++] = token;
    qsort(sorted, n, sizeof(void *), by_id);
    json_t *array = json_array();
    for (i = 0; i < n; ++i) {
        json_object_set_new(
            sorted[i], "id", json_integer((json_int_t)json_number_value(json_object_get(sorted[i], "id"))));
        json_array_append(array, sorted[i]);
    }
    free(sorted);
    *out = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    return *out ? TT_OK : tt_fail(TT_ERR_NOMEM, "no memory for added tokens");
}

static tt_status load(tt_tokenizer **out, const files *f, int extra_ids) {
    char path[TT_PATH_MAX];
    TT_TRY(path_of(path, f, f->model ? "spiece.model" : "tokenizer.json"));
    tt_tokenizer_close(*out);
    *out = NULL;
    tt_status status = tt_tokenizer_load(out, path, extra_ids);
    if (status != TT_ERR_UNSUPPORTED || f->model) return status;
    tt_str said = {0};
    tt_str_append(&said, tt_error_message());
    TT_TRY(path_of(path, f, "spiece.model"));
    if (f->modern && tt_file_exists(path))
        tt_fail(status,
            "%s; to read spiece.model in its place, remove \"legacy\": false from %s/tokenizer_config.json: "
            "ids then differ behind added tokens",
            tt_str_text(&said), f->directory);
    else
        tt_fail(status,
            "%s; where the tokenizer was made from a SentencePiece model, put that file beside it as %s",
            tt_str_text(&said), path);
    tt_str_close(&said);
    return status;
}

static tt_status add_tokens(tt_tokenizer **out, const files *f, int extra_ids, tokens *all) {
    bool same, more;
    TT_TRY(read_stated(f, all));
    TT_TRY(number_all_special(f, *out, all));
    TT_TRY(drop_known(f, *out, all));
    compare(*out, all, &same, &more);
    if (same && !more) return TT_OK; // flags of sentinels alone change nothing: white space is no token
    char *text;
    TT_TRY(to_text(all, &text));
    if (!same) extra_ids = 0;
    tt_status status = same ? TT_OK : load(out, f, extra_ids);
    if (status == TT_OK) status = tt_tokenizer_add(*out, text);
    if (status == TT_OK && f->model &&
        tt_tokenizer_extra_ids(*out) != extra_ids) { // as a checkpoint will state it
        status = load(out, f, tt_tokenizer_extra_ids(*out));
        if (status == TT_OK) status = tt_tokenizer_add(*out, text);
    }
    free(text);
    return status == TT_ERR_FORMAT && !strstr(tt_error_message(), f->directory)
               ? tt_context(status, "%s", f->directory)
               : status;
}

// Where both spiece.model, which was read, and tokenizer.json are there, they have the same pieces: one of them is otherwise
// another model's.
static tt_status agree_about_pieces(const files *f, const tt_tokenizer *t) {
    const json_t *model = json_object_get(f->tokenizer, "model"), *vocab = json_object_get(model, "vocab");
    const char *type = json_string_value(json_object_get(model, "type"));
    if (!f->model || !json_is_array(vocab) || (type && strcmp(type, "Unigram") != 0)) return TT_OK;
    const size_t n = json_array_size(vocab);
    for (int id = 0; id < tt_tokenizer_pieces(t); ++id) {
        const char *there =
            (size_t)id < n ? json_string_value(json_array_get(json_array_get(vocab, (size_t)id), 0)) : NULL;
        if (there && strcmp(there, tt_tokenizer_piece(t, id)) == 0) continue;
        return tt_fail(TT_ERR_FORMAT,
            "%s: piece %d is \"%.60s\" in spiece.model, but %s%.60s%s in tokenizer.json: remove the file "
            "that the model "
            "was not trained with",
            f->directory, id, tt_tokenizer_piece(t, id), there ? "\"" : "", there ? there : "not there",
            there ? "\"" : "");
    }
    return TT_OK;
}

static tt_status check_eos(const files *f, const tt_tokenizer *t) {
    const json_t *value = json_object_get(f->config, "eos_token");
    if (!value || json_is_null(value)) value = json_object_get(f->special_map, "eos_token");
    const char *content = content_of(value);
    if (!content || tt_tokenizer_find(t, content) == TT_EOS) return TT_OK;
    return tt_fail(TT_ERR_UNSUPPORTED, "%s: eos_token is %s, whose id is %d; T5 ends its texts with id 1",
        f->directory, content, tt_tokenizer_find(t, content));
}

// The sentinels that follow the pieces without being stated may be more than fit, as in mT5, whose pieces fill its vocabulary.
static tt_status fit(tt_tokenizer **out, const files *f, int vocab_size, int *extra_ids) {
    const int pieces = tt_tokenizer_pieces(*out);
    if (tt_tokenizer_size(*out) <= vocab_size || !f->model) return TT_OK;
    if (pieces > vocab_size)
        return tt_fail(TT_ERR_FORMAT, "%s/spiece.model: %d pieces, but the model's vocabulary has %d",
            f->directory, pieces, vocab_size);
    tt_warn("%s: %d sentinels do not fit after the pieces; %d are used", f->directory, *extra_ids,
        vocab_size - pieces);
    *extra_ids = vocab_size - pieces;
    return load(out, f, *extra_ids);
}

static tt_status import(tt_tokenizer **out, const files *f, int vocab_size) {
    int extra_ids;
    TT_TRY(read_extra_ids(f, &extra_ids));
    TT_TRY(load(out, f, extra_ids));
    TT_TRY(agree_about_pieces(f, *out));
    TT_TRY(fit(out, f, vocab_size, &extra_ids));
    tokens *all = json_object();
    tt_status status =
        all ? add_tokens(out, f, extra_ids, all) : tt_fail(TT_ERR_NOMEM, "no memory for added tokens");
    json_decref(all);
    TT_TRY(status);
    TT_TRY(check_eos(f, *out));
    const int size = tt_tokenizer_size(*out);
    if (f->modern && f->model)
        tt_warn("%s/tokenizer_config.json: legacy is false, which spiece.model alone cannot give: behind an "
                "added "
                "token in a text, e.g. <extra_id_0>, a new word begins, as with legacy true. If such texts "
                "are used, "
                "save tokenizer.json with transformers 4: python3 -c \"from transformers import "
                "AutoTokenizer as T; "
                "T.from_pretrained('%s').save_pretrained('%s')\"",
            f->directory, f->directory, f->directory);
    if (size <= vocab_size) return TT_OK;
    return tt_fail(TT_ERR_FORMAT,
        "%s: the token %s has id %d, but the model's vocabulary has %d rows; in Python, "
        "resize_token_embeddings makes it larger",
        f->directory, tt_tokenizer_piece(*out, size - 1), size - 1, vocab_size);
}

tt_status tt_huggingface_tokenizer_read(tt_tokenizer **out, const char *directory, int vocab_size) {
    files f = {.directory = directory};
    *out = NULL;
    tt_status status = open_files(&f);
    if (status == TT_OK) status = import(out, &f, vocab_size);
    close_files(&f);
    if (status != TT_OK) {
        tt_tokenizer_close(*out);
        *out = NULL;
    }
    return status;
}
