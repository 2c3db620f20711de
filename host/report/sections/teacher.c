// What became of the answers that a teacher gave for a run's corpus, where the corpus is still there and says so.
#include "host/data/provenance.h"
#include "host/lab/config_lines.h"
#include "host/report/sections/section.h"
#include "host/report/text.h"
#include "host/teacher/answer.h"

#include <stdlib.h>
#include <string.h>

// The hash of the corpus that the run was trained on; "" where it is not known.
static const char *corpus_hash(const tt_report_run *run) {
    const char *hash = json_string_value(json_object_get(run->environment, "corpus"));
    return hash ? hash : "";
}

// The provenance of the corpus that config.yaml names, or NULL where it can't be read or is another one by now.
static json_t *read_provenance(const tt_report_run *run) {
    tt_config_line line;
    char path[TT_PATH_MAX], hash[20];
    uint64_t found;
    json_t *provenance;
    if (!*corpus_hash(run) || !run->config || !tt_config_line_find(run->config, "corpus", &line)) return NULL;
    tt_config_line_text(&line, path, sizeof path);
    if (!tt_file_exists(path) || tt_provenance_read(path, &found, &provenance) != TT_OK) return NULL;
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)found);
    if (strcmp(hash, corpus_hash(run)) == 0) return provenance;
    json_decref(provenance);
    return NULL;
}

static long long count_of(const json_t *counts, const char *key) {
    return json_integer_value(json_object_get(counts, key));
}

static const char *meaning_of(const char *word) {
    for (int v = 0; v < TT_VERDICTS; ++v)
        if (strcmp(tt_verdict_word((tt_verdict)v), word) == 0) return tt_verdict_meaning((tt_verdict)v);
    return "";
}

static void print_verdicts(tt_str *out, const json_t *counts) {
    const char *word;
    json_t *value;
    const json_t *examples = json_object_get(counts, "examples");
    tt_str_append(out,
        "<div class=\"scroll\"><table>\n<thead><tr><th>answers</th><th class=\"num\">number</th>"
        "<th>which</th></tr></thead>\n<tbody>\n");
    json_object_foreach(json_object_get(counts, "verdicts"), word, value) {
        tt_html_format(out, "<tr><th scope=\"row\">%s</th><td class=\"num\">", word);
        tt_str_format(out, "%lld", (long long)json_integer_value(value));
        tt_html_format(out, "</td><td>%s</td></tr>\n", meaning_of(word));
    }
    tt_str_append(out, "</tbody></table></div>\n");
    json_object_foreach((json_t *)examples, word, value) {
        const char *text = json_string_value(value);
        if (text)
            tt_html_format(out, "<details><summary>The first that is %s</summary>\n<pre>%s</pre></details>\n",
                word, text);
    }
}

static void print_teacher(tt_str *out, const tt_report_run *run, const json_t *teacher) {
    const json_t *counts = json_object_get(teacher, "counts"), *cost = json_object_get(counts, "cost");
    const char *model = json_string_value(json_object_get(teacher, "model")),
               *currency = json_string_value(json_object_get(counts, "currency"));
    if (!json_is_object(counts)) return;
    tt_html_format(out, "<p>Corpus %s, by %s: ", corpus_hash(run), model ? model : "a teacher");
    tt_str_format(out,
        "%lld questions asked, %lld answered; %lld have reasoning, %lld have none. On %lld questions most "
        "answers differ from the data set's gold. %lld prompt and %lld answer tokens",
        count_of(counts, "questions"), count_of(counts, "answered"), count_of(counts, "with_reasoning"),
        count_of(counts, "questions") - count_of(counts, "with_reasoning"), count_of(counts, "relabelled"),
        count_of(counts, "prompt_tokens"), count_of(counts, "completion_tokens"));
    if (json_is_number(cost)) {
        tt_str_format(out, ", %.2f ", json_number_value(cost));
        tt_html_text(out, currency ? currency : "");
    }
    tt_str_append(out, ".</p>\n");
    print_verdicts(out, counts);
}

tt_status tt_report_teacher(tt_str *out, const tt_report *r) {
    for (int i = 0; i < r->n_runs; ++i) {
        bool known = false;
        for (int k = 0; k < i && !known; ++k)
            known = strcmp(corpus_hash(&r->runs[k]), corpus_hash(&r->runs[i])) == 0;
        json_t *provenance = known ? NULL : read_provenance(&r->runs[i]);
        print_teacher(out, &r->runs[i], json_object_get(provenance, "teacher"));
        json_decref(provenance);
    }
    return TT_OK;
}
