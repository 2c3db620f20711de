// tinythinker tokenizer: trains a SentencePiece model, shows one, cuts texts.
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/output.h"
#include "host/base/str.h"
#include "host/base/text_file.h"
#include "host/cli/args.h"
#include "host/cli/cli.h"
#include "host/model/huggingface/huggingface.h"
#include "host/text/tokenizer.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_FILES = 64 };

// Texts to learn from; what is not in the files' own memory lies in `memory`.
typedef struct text_list {
    const char **items;
    size_t n, capacity;
    tt_arena memory;
} text_list;

static tt_status add_text(text_list *list, const char *text) {
    TT_TRY(tt_grow(&list->items, &list->capacity, list->n + 1, sizeof *list->items, "texts"));
    list->items[list->n++] = text;
    return TT_OK;
}

// Adds every text within a JSON value, except keys, ids and splits, which are not language.
static tt_status add_json(text_list *list, const json_t *value) {
    size_t i;
    json_t *item;
    const char *key;
    json_array_foreach(value, i, item) TT_TRY(add_json(list, item));
    json_object_foreach((json_t *)value, key, item) if (strcmp(key, "id") != 0 && strcmp(key, "split") != 0)
        TT_TRY(add_json(list, item));
    if (!json_is_string(value)) return TT_OK;
    const char *copy = tt_arena_strdup(&list->memory, json_string_value(value));
    return copy ? add_text(list, copy) : TT_ERR_NOMEM;
}

// Whether a line is JSON rather than language: {"... or [{..., or what a file over several lines is laid out with.
static bool is_json(const char *line, size_t n) {
    tt_trim(&line, &n);
    if (n == 0 || (line[0] != '{' && line[0] != '[')) return false;
    return n == 1 || line[1 + strspn(line + 1, " \t")] == (line[0] == '{' ? '"' : '{');
}

// Adds the texts of a JSON object that fills a line.
static tt_status add_object(text_list *list, const char *path, const tt_lines *lines) {
    json_t *object;
    tt_status status = tt_json_parse(&object, path, lines->number, lines->line, lines->length);
    if (status == TT_OK && !json_is_object(object))
        status = tt_fail(TT_ERR_INPUT, "%s:%d: expected an object {...}, got a list", path, lines->number);
    if (status == TT_OK) status = add_json(list, object);
    json_decref(object);
    if (status != TT_ERR_INPUT) return status;
    tt_str message = {0};
    tt_str_append(&message, tt_error_message());
    tt_fail(TT_ERR_INPUT,
        "%s; expected one text or one JSON object a line: jq -c '.[]' OLD > NEW writes such lines of a list, "
        "jq -c . of "
        "objects",
        tt_str_text(&message));
    tt_str_close(&message);
    return TT_ERR_INPUT;
}

// Adds a file's lines: a plain line as it is, of a JSON object (a question, a reading task) the texts in it.
static tt_status split_lines(char *data, size_t size, const char *path, text_list *list) {
    for (tt_lines lines = {.at = data, .end = data + size}; tt_lines_next(&lines);) {
        char *line = data + (lines.line - data);
        if (tt_text_blank(line, lines.length)) continue;
        if (is_json(line, lines.length)) {
            TT_TRY(add_object(list, path, &lines));
        } else {
            line[lines.length] = '\0';
            TT_TRY(add_text(list, line));
        }
    }
    return TT_OK;
}

static tt_status train_model(int argc, char **argv) {
    const char *out = NULL;
    int64_t pieces = 2000;
    bool keep_punctuation = false;
    tt_texts symbols = {0}, rest;
    bool help;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.model", TT_OUTPUT_STREAM, "The tokenizer to write."),
        TT_OPTION_INTEGER(
            "pieces", &pieces, "N", 8, 1e6, "Size of the vocabulary without sentinels (default 2000)."),
        TT_OPTION_TEXTS("symbol", &symbols, "TEXT",
            "Makes this text always a piece of its own, e.g. (A). May be repeated."),
        TT_OPTION_FLAG("keep-punctuation", &keep_punctuation, "Lets pieces contain . , ? ! : and ;"),
    };
    const tt_args args = {.usage = "tinythinker tokenizer train -o F.model [options] FILE...",
        .about =
            "Trains a SentencePiece unigram model on text files, one text a line, and on JSONL files, of "
            "which it takes every text except ids and splits.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 1,
        .most = MOST_FILES,
        .inputs = TT_ALL_INPUTS};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    if (!out)
        return tt_fail(TT_ERR_USAGE, "tokenizer train: -o F.model is missing; it names the file to write");
    text_list texts = {0};
    char *data[MOST_FILES] = {0};
    size_t size;
    tt_status status = TT_OK;
    for (int i = 0; i < rest.n && status == TT_OK; ++i) {
        status = tt_text_read(rest.items[i], 0, &data[i], &size);
        if (status == TT_OK) status = split_lines(data[i], size, rest.items[i], &texts);
    }
    const tt_tokenizer_training how = {.pieces = (int)pieces,
        .symbols = symbols.items,
        .n_symbols = symbols.n,
        .split_punctuation = !keep_punctuation};
    if (status == TT_OK) status = tt_tokenizer_train(texts.items, texts.n, &how, out);
    if (status == TT_OK)
        tt_info("wrote %s: %lld pieces from %zu texts", tt_output_name(out), (long long)pieces, texts.n);
    for (int i = 0; i < rest.n; ++i) free(data[i]);
    free(texts.items);
    tt_arena_close(&texts.memory);
    return status;
}

// Opens the tokenizer of a file, a checkpoint or a Hugging Face directory.
static tt_status open_tokenizer(tt_tokenizer **out, const char *path) {
    if (tt_dir_exists(path)) return tt_huggingface_tokenizer_read(out, path, INT_MAX);
    if (!tt_ends_with(path, ".h5")) return tt_tokenizer_load(out, path, 0);
    tt_checkpoint c;
    tt_device *device;
    TT_TRY(tt_device_open(&device, "cpu", TT_FP32, 0));
    tt_status status = tt_checkpoint_load(&c, path, device);
    if (status == TT_OK) {
        *out = c.tokenizer;
        c.tokenizer = NULL;
        tt_checkpoint_close(&c);
    }
    tt_device_close(device);
    return status;
}

// Control characters as in C, so that each text stays on its line.
static void print_escaped(const char *text) {
    for (; *text; ++text) {
        const unsigned char c = (unsigned char)*text;
        if (c == '\n')
            fputs("\\n", stdout);
        else if (c == '\t')
            fputs("\\t", stdout);
        else if (c < ' ' || c == 127)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

static tt_status show_ids(const tt_tokenizer *t, const tt_ids *ids) {
    char *text;
    for (int k = 0; k < ids->n; ++k) {
        printf("%s%d ", k ? ", " : "", ids->items[k]);
        print_escaped(tt_tokenizer_piece(t, ids->items[k]));
    }
    TT_TRY(tt_tokenizer_decode(t, ids->items, ids->n, &text));
    fputs("\n    read back: ", stdout);
    print_escaped(text);
    putchar('\n');
    free(text);
    return TT_OK;
}

static tt_status show_model(int argc, char **argv) {
    tt_texts rest;
    bool help;
    const tt_args args = {.usage = "tinythinker tokenizer show FILE|DIR [TEXT...]",
        .about = "Shows the size and hash of a tokenizer, and into which tokens it cuts the texts. FILE is a "
                 "SentencePiece "
                 "model, a tokenizer.json or a checkpoint (.h5), DIR a Hugging Face directory.",
        .least = 1,
        .most = 64,
        .inputs = 1};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    tt_tokenizer *t;
    TT_TRY(open_tokenizer(&t, rest.items[0]));
    printf("%s: %d pieces, hash %016llx\n", rest.items[0], tt_tokenizer_pieces(t),
        (unsigned long long)tt_tokenizer_hash(t));
    const int more = tt_tokenizer_size(t) - tt_tokenizer_pieces(t);
    if (more > 0) printf("and %d ids of sentinels and added tokens\n", more);
    tt_ids ids = {0};
    tt_status status = TT_OK;
    for (int i = 1; i < rest.n && status == TT_OK; ++i) {
        status = tt_tokenizer_encode(t, rest.items[i], true, &ids);
        if (status == TT_OK) status = show_ids(t, &ids);
    }
    free(ids.items);
    tt_tokenizer_close(t);
    return status;
}

// What files came to as tokens.
typedef struct encoding {
    const tt_tokenizer *tokenizer;
    FILE *out; // receives the ids of each text on a line; NULL: none
    tt_ids ids;
    long long texts, tokens, unknown;
    int longest;
    double seconds; // of one core
} encoding;

static double core_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void write_ids(FILE *out, const tt_ids *ids) {
    fputc('[', out);
    for (int i = 0; i < ids->n; ++i) fprintf(out, i ? ", %d" : "%d", ids->items[i]);
    fputs("]\n", out);
}

static tt_status encode_lines(char *data, size_t size, const char *path, encoding *e) {
    for (tt_lines lines = {.at = data, .end = data + size}; tt_lines_next(&lines);) {
        char *line = data + (lines.line - data);
        line[lines.length] = '\0';
        const double began = core_seconds();
        const tt_status status = tt_tokenizer_encode(e->tokenizer, line, true, &e->ids);
        e->seconds += core_seconds() - began;
        if (status != TT_OK) return tt_context(status, "%s:%d", path, lines.number);
        e->texts++;
        e->tokens += e->ids.n;
        if (e->ids.n > e->longest) e->longest = e->ids.n;
        for (int i = 0; i < e->ids.n; ++i) e->unknown += e->ids.items[i] == TT_UNK;
        if (e->out) write_ids(e->out, &e->ids);
    }
    return TT_OK;
}

static tt_status encode_files(const tt_texts *files, encoding *e) {
    for (int i = 1; i < files->n; ++i) {
        char *data;
        size_t size;
        TT_TRY(tt_text_read(files->items[i], 0, &data, &size));
        const tt_status status = encode_lines(data, size, files->items[i], e);
        free(data);
        TT_TRY(status);
    }
    return TT_OK;
}

static tt_status encode_texts(int argc, char **argv) {
    const char *out = NULL;
    tt_texts rest;
    bool help;
    const tt_arg options[] = {
        TT_OPTION_PATH("o", &out, "F.jsonl", TT_OUTPUT_STREAM, "Writes the ids of each text on a line."),
    };
    const tt_args args = {.usage = "tinythinker tokenizer encode FILE|DIR TEXTS... [-o F.jsonl]",
        .about = "Cuts texts, one a line of the files TEXTS, into tokens: says how many there are, how many "
                 "the longest text has, and how fast one core was. FILE|DIR as for show.",
        .options = options,
        .n = sizeof options / sizeof *options,
        .least = 2,
        .most = MOST_FILES,
        .inputs = TT_ALL_INPUTS};
    TT_TRY(tt_args_parse(argc, argv, &args, &rest, &help));
    if (help) return TT_OK;
    tt_tokenizer *t;
    TT_TRY(open_tokenizer(&t, rest.items[0]));
    tt_output output = {0};
    tt_status status = out ? tt_output_open(&output, out) : TT_OK;
    encoding e = {.tokenizer = t, .out = output.file};
    if (status == TT_OK) status = tt_output_close(&output, encode_files(&rest, &e));
    if (status == TT_OK) {
        tt_print(stdout, "%lld texts, %lld tokens with </s>, %lld of them unknown, %d in the longest text",
            e.texts, e.tokens, e.unknown, e.longest);
        if (e.seconds > 0)
            tt_print(stdout, "; one core: %.2f s, %.2f million tokens/s", e.seconds,
                1e-6 * (double)e.tokens / e.seconds);
        tt_print(stdout, "\n");
    }
    free(e.ids.items);
    tt_tokenizer_close(t);
    return status;
}

tt_status tt_cmd_tokenizer(int argc, char **argv) {
    static const tt_subcommand commands[] = {
        {"train", train_model, "Trains a SentencePiece unigram model on text files."},
        {"show", show_model, "Shows the size of a tokenizer and how it cuts texts into tokens."},
        {"encode", encode_texts, "Cuts the lines of files into tokens; how many, and how fast."},
    };
    return tt_subcommand_run("tokenizer", commands, sizeof commands / sizeof *commands, argc, argv);
}
