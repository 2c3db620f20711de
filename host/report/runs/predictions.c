// predictions.jsonl: the answer to each question and a few examples; and the answers after the phases before
// the last.
#include "host/base/json.h"
#include "host/base/str.h"
#include "host/lab/run_directory.h"
#include "host/report/runs/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Keeps the lines whose ids have the smallest hashes: the same questions in every run, not selected by hand.
static void offer_example(tt_report_answers *a, const json_t *object, const char *id, int right) {
    uint64_t hash = tt_hash(id, strlen(id));
    json_t *line = json_incref((json_t *)object);
    for (int i = 0; i < TT_REPORT_EXAMPLES && line; ++i) {
        if (a->examples[right][i] && a->order[right][i] <= hash) continue;
        json_t *out = a->examples[right][i];
        const uint64_t order = a->order[right][i];
        a->examples[right][i] = line;
        a->order[right][i] = hash;
        line = out;
        hash = order;
    }
    json_decref(line);
}

static void forget_answers(tt_report_answers *a) {
    for (int kind = 0; kind < 2; ++kind)
        for (int i = 0; i < TT_REPORT_EXAMPLES; ++i) json_decref(a->examples[kind][i]);
    *a = (tt_report_answers){0};
}

// The test split is wanted if there is one, else the first split of the file.
static bool is_wanted_split(tt_report_answers *a, const char *split) {
    if (strcmp(split, a->split) == 0) return true;
    if (a->n > 0 && strcmp(split, "test") != 0) return false;
    forget_answers(a);
    snprintf(a->split, sizeof a->split, "%s", split);
    return true;
}

// The score that the answers to `split` belong to; -1 for an unknown split.
static int score_of(const char *split, bool voted) {
    static const char *const places[][2] = {
#define PLACE(word, split, how, heading) {split, how},
        TT_REPORT_SCORE_MAP(PLACE)
#undef PLACE
    };
    for (int k = 0; k < TT_REPORT_BEST; ++k)
        if (strcmp(places[k][0], split) == 0 &&
            strcmp(places[k][1], voted ? "self_consistency" : "greedy") == 0)
            return k;
    return -1;
}

// A vote of one run has no counts of votes; it is recognised by the split's questions beginning again.
static bool is_voted(const tt_report_run *run, const json_t *object, const char *split, const char *id) {
    if (json_object_get(object, "votes")) return true;
    const int greedy = score_of(split, false), voted = score_of(split, true);
    if (greedy < 0 || run->outcomes[greedy].n == 0) return false;
    return run->outcomes[voted].n > 0 || run->outcomes[greedy].items[0].id == tt_hash(id, strlen(id));
}

// Errors: TT_ERR_INPUT where a line does not say whether its answer is right.
static tt_status check_right(const json_t *object) {
    const json_t *right = json_object_get(object, "right");
    if (!right || json_is_boolean(right)) return TT_OK;
    return tt_fail(TT_ERR_INPUT, "\"right\": expected true or false, got %s", tt_json_kind(right));
}

static tt_status take_answer(tt_report_run *run, const json_t *object, void *context) {
    (void)context;
    tt_report_answers *a = &run->answers;
    const char *split = json_string_value(json_object_get(object, "split"));
    const char *id = json_string_value(json_object_get(object, "id"));
    const int gold = tt_report_option_of(tt_outcomes_right_option(object));
    const int answer = tt_report_option_of(json_object_get(object, "answer"));
    const int options = (int)json_array_size(json_object_get(object, "options"));
    if (!split || !id) return TT_OK;
    TT_TRY(check_right(object));
    const bool voted = is_voted(run, object, split, id);
    const int score = score_of(split, voted);
    if (score >= 0) TT_TRY(tt_outcomes_add(&run->outcomes[score], object));
    if (voted || gold < 0 || gold >= options || options > TT_MAX_OPTIONS || !is_wanted_split(a, split))
        return TT_OK;
    if (options > a->options) a->options = options;
    a->table[gold][answer < 0 || answer >= options ? TT_MAX_OPTIONS : answer]++;
    a->chance += 1.0 / options;
    a->n++;
    offer_example(a, object, id, answer == gold);
    return TT_OK;
}

static tt_status take_test(tt_report_run *run, const json_t *object, void *outcomes) {
    (void)run;
    const char *split = json_string_value(json_object_get(object, "split"));
    if (!split || strcmp(split, "test") != 0) return TT_OK;
    TT_TRY(check_right(object));
    return tt_outcomes_add(outcomes, object);
}

// A phase's name comes from the run's files; it is used in a file name only if it is a plain word.
static bool is_plain_name(const char *name) {
    return *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

tt_status tt_report_read_predictions(tt_report_run *run) {
    // The runs of self-consistency are most of the file and not needed. Within a text, the quotes would be
    // escaped.
    static const char runs[] = ",\"runs\":[";
    const tt_report_lines lines = {
        .file = "predictions.jsonl", .mark = ",\"votes\":{", .cut = runs, .take = take_answer};
    TT_TRY(tt_report_read_lines(run, &lines));
    for (int p = 0; p + 1 < run->n_phases; ++p) {
        char file[TT_PATH_MAX];
        tt_outcomes *outcomes = &run->phases[p].outcomes;
        if (!is_plain_name(run->phases[p].name)) continue;
        TT_TRY(tt_run_directory_predictions("", run->phases[p].name, file));
        const tt_report_lines after = {
            .file = file, .mark = runs, .cut = runs, .take = take_test, .context = outcomes};
        TT_TRY(tt_report_read_lines(run, &after));
        tt_outcomes_sort(outcomes);
    }
    for (int k = 0; k < TT_REPORT_BEST; ++k) tt_outcomes_sort(&run->outcomes[k]);
    tt_report_answers *a = &run->answers;
    a->chance = a->n > 0 ? a->chance / (double)a->n : NAN;
    return TT_OK;
}
