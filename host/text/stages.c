// The exact texts of the three stages.
#include "host/text/stages.h"

#include <string.h>

static const char *const stage_names[] = {TT_STAGE_MAP(TT_WORD_TEXT)};
static const char *const set_names[] = {TT_STAGE_SET_MAP(TT_WORD_TEXT)};

const char *tt_stage_name(tt_stage stage) {
    return stage_names[stage];
}

const char *tt_stage_set_name(tt_stage_set set) {
    return set_names[set];
}

tt_status tt_stage_set_parse(tt_stage_set *out, const char *name) {
    static const tt_words words = {
        .what = "stages", .words = set_names, .n = TT_STAGE_SETS, .error = TT_ERR_CONFIG};
    int set;
    TT_TRY(tt_word_parse(&words, name, &set));
    *out = (tt_stage_set)set;
    return TT_OK;
}

bool tt_stage_set_has(tt_stage_set set, tt_stage stage) {
    if (stage == TT_RECALL) return set == TT_SET_ALL || set == TT_SET_NO_ANALYZE;
    if (stage == TT_ANALYZE) return set == TT_SET_ALL || set == TT_SET_NO_RECALL;
    return true;
}

bool tt_stage_set_trains(tt_stage_set set, tt_stage stage) {
    return tt_stage_set_has(set, stage) || (set == TT_SET_STEP_BY_STEP && stage == TT_RECALL);
}

void tt_stage_block(tt_str *out, const char *question, const char *const *options, int n_options) {
    tt_str_format(out, "%s\n", question);
    for (int i = 0; i < n_options; ++i) tt_str_format(out, "%s(%c) %s", i ? " " : "", 'A' + i, options[i]);
}

void tt_stage_recall_input(tt_str *out, const char *block) {
    tt_str_format(out, "%s\nRecall:", block);
}

static void append_general(tt_str *out, const char *block, const char *general) {
    tt_str_append(out, block);
    if (general) tt_str_format(out, "\nRecall: %s", general);
}

void tt_stage_analyze_input(tt_str *out, const char *block, const char *general, int option) {
    append_general(out, block, general);
    tt_str_format(out, "\nAnalyze: For option %c,", 'A' + option);
}

void tt_stage_summarize_input(
    tt_str *out, const char *block, const char *general, const char *const *specific, int n_options) {
    append_general(out, block, general);
    if (specific) {
        tt_str_append(out, "\nAnalyze:");
        for (int i = 0; i < n_options; ++i) tt_str_format(out, " For option %c, %s", 'A' + i, specific[i]);
    }
    tt_str_append(out, "\nSummarize:");
}

void tt_stage_single_input(tt_str *out, tt_stage_set set, const char *block) {
    if (set == TT_SET_CHAIN_OF_THOUGHT)
        tt_str_format(out, "%s\nReason:", block);
    else
        tt_str_format(out, "[label] %s", block);
}

void tt_stage_rationale_input(tt_str *out, const char *block) {
    tt_str_format(out, "[rationale] %s", block);
}

void tt_stage_rationale(tt_str *out, const char *general, const char *const *specific, int n_options) {
    if (general) tt_str_append(out, general);
    for (int i = 0; specific && i < n_options; ++i)
        tt_str_format(out, "%sFor option %c, %s", i || general ? " " : "", 'A' + i, specific[i]);
}

void tt_stage_answer(tt_str *out, int option) {
    tt_str_format(out, "So the answer is option %c.", 'A' + option);
}

void tt_stage_close_knowledge(tt_str *knowledge) {
    const char *text = tt_str_text(knowledge);
    size_t n = knowledge->length;
    tt_trim(&text, &n);
    if (n < knowledge->length) {
        memmove(knowledge->data, text, n);
        knowledge->data[n] = '\0';
        knowledge->length = n;
    }
    const char last = knowledge->length ? knowledge->data[knowledge->length - 1] : '\0';
    if (last != '.' && last != '"' && last != '\'') tt_str_append(knowledge, ".");
}

int tt_stage_read_answer(const char *text) {
    static const char phrase[] = "the answer is option ";
    for (const char *p = strstr(text, phrase); p; p = strstr(p + 1, phrase)) {
        const char *letter = p + sizeof phrase - 1;
        if (letter[0] >= 'A' && letter[0] <= 'Z' && letter[1] == '.') return letter[0] - 'A';
    }
    return TT_NO_ANSWER;
}
