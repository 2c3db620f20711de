#include "host/teacher/answer.h"

#include "host/base/python_json.h"
#include "host/base/str.h"
#include "host/text/stages.h"

#include <jansson.h>
#include <string.h>

static const struct {
    const char *word, *meaning;
} verdicts[TT_VERDICTS] = {
#define ROW(code, word, meaning) [code] = {word, meaning},
    TT_VERDICT_MAP(ROW)
#undef ROW
};

const char *tt_verdict_word(tt_verdict verdict) {
    return verdicts[verdict].word;
}

const char *tt_verdict_meaning(tt_verdict verdict) {
    return verdicts[verdict].meaning;
}

// Part of a text.
typedef struct piece {
    const char *text;
    size_t length;
} piece;

static piece trimmed(const char *from, const char *to) {
    piece p = {from, (size_t)(to - from)};
    tt_trim(&p.text, &p.length);
    return p;
}

// Removes `prefix` from the piece, if it begins with it.
static bool take_prefix(piece *p, const char *prefix) {
    const size_t n = strlen(prefix);
    if (p->length < n || memcmp(p->text, prefix, n) != 0) return false;
    *p = trimmed(p->text + n, p->text + p->length);
    return true;
}

static tt_status keep_knowledge(piece p, tt_arena *memory, const char **out) {
    tt_str text = {0};
    tt_str_append_n(&text, p.text, p.length);
    tt_stage_close_knowledge(&text);
    tt_status status = tt_str_status(&text);
    if (status == TT_OK && !(*out = tt_arena_strdup(memory, tt_str_text(&text)))) status = TT_ERR_NOMEM;
    tt_str_close(&text);
    return status;
}

// Notes what is said of an option; everything that can be wrong with it becomes the verdict.
static tt_status note_option(
    tt_teacher_choice *out, int option, int n_options, bool correct, piece specific, tt_arena *memory) {
    if (option < 0 || option >= n_options || out->specific[option])
        out->verdict = TT_CHOICE_BAD_OPTION;
    else if (specific.length == 0)
        out->verdict = TT_CHOICE_BAD_VERDICT;
    else if (correct && out->answer != TT_NO_ANSWER)
        out->verdict = TT_CHOICE_TWO_ANSWERS;
    if (out->verdict != TT_CHOICE_KEPT) return TT_OK;
    if (correct) out->answer = option;
    return keep_knowledge(specific, memory, &out->specific[option]);
}

// "B is correct. Because ..." split at the first of the words that begin a reason.
static tt_status read_line(tt_teacher_choice *out, piece line, int n_options, tt_arena *memory) {
    static const char *const words[] = {"Because ", "Because, ", "Although ", "While "};
    const char *end = line.text + line.length, *at = NULL, *after = NULL;
    for (size_t w = 0; w < sizeof words / sizeof *words; ++w) {
        const size_t n = strlen(words[w]);
        const char *found = memmem(line.text, line.length, words[w], n);
        if (found && (!at || found < at)) {
            at = found;
            after = found + n;
        }
    }
    if (!at) {
        out->verdict = TT_CHOICE_BAD_VERDICT;
        return TT_OK;
    }
    const piece verdict = trimmed(line.text, at);
    piece rest = verdict;
    if (verdict.length == 0 || *verdict.text < 'A' || *verdict.text > 'Z') {
        out->verdict = TT_CHOICE_BAD_VERDICT;
        return TT_OK;
    }
    rest.text++;
    rest.length--;
    const bool correct = rest.length == 12 && memcmp(rest.text, " is correct.", 12) == 0;
    const bool incorrect = rest.length == 14 && memcmp(rest.text, " is incorrect.", 14) == 0;
    if (!correct && !incorrect) {
        out->verdict = TT_CHOICE_BAD_VERDICT;
        return TT_OK;
    }
    return note_option(out, *verdict.text - 'A', n_options, correct, trimmed(after, end), memory);
}

static tt_status read_text(tt_teacher_choice *out, piece text, int n_options, tt_arena *memory) {
    static const char mark[] = "Explanations:";
    const char *end = text.text + text.length;
    const char *explanations = memmem(text.text, text.length, mark, sizeof mark - 1);
    piece general = trimmed(text.text, explanations ? explanations : end);
    if (!take_prefix(&general, "Key Information:") || general.length == 0)
        out->verdict = TT_CHOICE_NO_GENERAL;
    else if (!explanations)
        out->verdict = TT_CHOICE_NO_EXPLANATIONS;
    if (out->verdict != TT_CHOICE_KEPT) return TT_OK;
    TT_TRY(keep_knowledge(general, memory, &out->general));
    const char *line = explanations + sizeof mark - 1;
    while (line < end && out->verdict == TT_CHOICE_KEPT) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        const piece one = trimmed(line, stop);
        if (one.length) TT_TRY(read_line(out, one, n_options, memory));
        line = stop < end ? stop + 1 : end;
    }
    return TT_OK;
}

// {"key_information": "...", "explanations": [{"option": "A", "correct": false, "because": "..."}, ...]}
static tt_status read_object(tt_teacher_choice *out, const json_t *object, int n_options, tt_arena *memory) {
    const char *general = json_string_value(json_object_get(object, "key_information"));
    const json_t *list = json_object_get(object, "explanations"), *item;
    if (!general || !json_is_array(list)) {
        out->verdict = TT_CHOICE_BAD_JSON;
        return TT_OK;
    }
    const piece text = trimmed(general, general + strlen(general));
    if (text.length == 0) {
        out->verdict = TT_CHOICE_NO_GENERAL;
        return TT_OK;
    }
    TT_TRY(keep_knowledge(text, memory, &out->general));
    size_t i;
    json_array_foreach(list, i, item) {
        const char *option = json_string_value(json_object_get(item, "option"));
        const char *because = json_string_value(json_object_get(item, "because"));
        const json_t *correct = json_object_get(item, "correct");
        if (!option || !because || !json_is_boolean(correct)) {
            out->verdict = TT_CHOICE_BAD_JSON;
            return TT_OK;
        }
        const int index = strlen(option) == 1 ? *option - 'A' : -1;
        TT_TRY(note_option(out, index, n_options, json_is_true(correct),
            trimmed(because, because + strlen(because)), memory));
        if (out->verdict != TT_CHOICE_KEPT) return TT_OK;
    }
    return TT_OK;
}

static tt_status read_json(tt_teacher_choice *out, piece text, int n_options, tt_arena *memory) {
    json_t *object = tt_json_load(text.text, text.length, JSON_REJECT_DUPLICATES, NULL);
    tt_status status = TT_OK;
    if (object)
        status = read_object(out, object, n_options, memory);
    else
        out->verdict = TT_CHOICE_BAD_JSON;
    json_decref(object);
    return status;
}

// The text behind thoughts, whose begin may stand in the prompt; nothing where they never end.
static piece without_thoughts(piece text) {
    static const char open[] = "<think>", close[] = "</think>";
    const char *end = memmem(text.text, text.length, close, sizeof close - 1);
    if (end) return trimmed(end + sizeof close - 1, text.text + text.length);
    const bool begun = text.length >= sizeof open - 1 && memcmp(text.text, open, sizeof open - 1) == 0;
    return begun ? (piece){text.text, 0} : text;
}

// The text between ```json (or another word, or none) and ```.
static piece without_fence(piece text) {
    const char *end = text.text + text.length, *line = memchr(text.text, '\n', text.length);
    if (text.length < 6 || !line || memcmp(text.text, "```", 3) != 0 || memcmp(end - 3, "```", 3) != 0)
        return text;
    return line < end - 3 ? trimmed(line, end - 3) : text;
}

// How the text is to be read.
static bool is_json(const tt_teacher_text *text, piece *all) {
    static const char label[] = "Key Information:";
    if (!text->json) return false;
    *all = without_fence(*all);
    return all->length < sizeof label - 1 || memcmp(all->text, label, sizeof label - 1) != 0;
}

tt_status tt_teacher_read(
    tt_teacher_choice *out, const tt_teacher_text *text, int n_options, tt_arena *memory) {
    *out = (tt_teacher_choice){.answer = TT_NO_ANSWER};
    const char *written = text->text ? text->text : "";
    piece all = trimmed(written, written + strlen(written));
    if (text->cut)
        out->verdict = TT_CHOICE_CUT;
    else if (text->refused)
        out->verdict = TT_CHOICE_REFUSED;
    else if (text->broken || !tt_utf8_valid(all.text, all.length, NULL))
        out->verdict = TT_CHOICE_ENCODING;
    else if ((all = without_thoughts(all)).length == 0)
        out->verdict = TT_CHOICE_EMPTY;
    if (out->verdict != TT_CHOICE_KEPT) return TT_OK;
    const size_t bytes = (size_t)n_options * sizeof *out->specific;
    if (!(out->specific = tt_arena_alloc(memory, bytes))) return TT_ERR_NOMEM;
    memset(out->specific, 0, bytes);
    TT_TRY((is_json(text, &all) ? read_json : read_text)(out, all, n_options, memory));
    if (out->verdict == TT_CHOICE_KEPT && out->answer == TT_NO_ANSWER) out->verdict = TT_CHOICE_NO_ANSWER;
    if (out->verdict != TT_CHOICE_KEPT)
        *out = (tt_teacher_choice){.verdict = out->verdict, .answer = TT_NO_ANSWER};
    return TT_OK;
}
