// All runs, the differences of their configurations, the configurations, and the machines.
#include "host/lab/config_lines.h"
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void print_state(tt_str *out, const tt_report_run *run) {
    if (run->state == TT_REPORT_DAMAGED)
        tt_str_append(out, "<td class=\"warn\">result damaged");
    else if (run->state == TT_REPORT_FINISHED && run->old)
        tt_str_append(out, "<td class=\"warn\">to start over: this result is from before");
    else if (run->state == TT_REPORT_FINISHED)
        tt_str_append(
            out, run->repeated ? "<td class=\"warn\">same seed again, not counted" : "<td>finished");
    else if (*run->failure)
        tt_html_format(out, "<td class=\"warn\">failed: %s", run->failure);
    else if (run->n_phases > 0)
        tt_html_format(out, "<td class=\"warn\">unfinished: %s, step %d", run->phases[run->n_phases - 1].name,
            (int)run->phases[run->n_phases - 1].last);
    else
        tt_str_append(out, "<td class=\"warn\">unfinished: no step logged");
    if (run->damaged_lines > 0)
        tt_str_format(out, "<small class=\"warn\">%d damaged lines</small>", run->damaged_lines);
    if (run->lost_losses > 0)
        tt_str_format(out, "<small class=\"warn\">%d losses that are not finite</small>", run->lost_losses);
    tt_str_append(out, "</td>");
}

static void print_score(tt_str *out, const tt_report_score *s) {
    tt_str_append(out, "<td class=\"num\">");
    tt_text_percent(out, s->accuracy);
    if (s->n > 0) {
        tt_str_append(out, "<small>");
        tt_text_interval(out, s->low, s->high);
        tt_str_format(out, " n = %lld</small>", (long long)s->n);
    }
    tt_str_append(out, "</td>");
}

static void print_run(tt_str *out, const tt_report *r, const tt_report_run *run) {
    const tt_report_score *test = &run->scores[TT_REPORT_TEST];
    tt_html_format(out, "<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"num\">", run->name,
        r->groups[run->group].label);
    if (run->seed >= 0)
        tt_str_format(out, "%lld", (long long)run->seed);
    else
        tt_str_append(out, TT_REPORT_DASH);
    tt_str_append(out, "</td>");
    print_state(out, run);
    print_score(out, test);
    tt_str_append(out, "<td class=\"num\">");
    if (test->n > 0 && test->unanswered >= 0)
        tt_str_format(out, "%lld", (long long)test->unanswered);
    else
        tt_str_append(out, TT_REPORT_DASH);
    tt_str_append(out, "</td>");
    print_score(out, &run->scores[TT_REPORT_BEST]);
    tt_str_append(out, "<td class=\"num\">");
    tt_text_number(out, run->n_phases > 0 ? (double)tt_report_run_steps(run) : NAN, 0);
    tt_str_append(out, "</td><td class=\"num\">");
    tt_text_seconds(out, run->wall_seconds);
    tt_html_format(out, "</td><td class=\"path\">%s</td></tr>\n", run->path);
}

static void print_runs(tt_str *out, const tt_report *r) {
    tt_str_append(out,
        "<h3>All runs</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th>run</th><th>group</th>"
        "<th class=\"num\">seed</th><th>state</th><th class=\"num\">test, greedy</th>"
        "<th class=\"num\">unreadable</th><th class=\"num\">best validation</th><th class=\"num\">steps</th>"
        "<th class=\"num\">wall time</th><th>folder</th></tr></thead>\n<tbody>\n");
    for (int g = 0; g < r->n_groups; ++g)
        for (int i = 0; i < r->groups[g].n; ++i) print_run(out, r, &r->runs[r->groups[g].runs[i]]);
    tt_str_append(out, "</tbody></table></div>\n");
}

// ---- configurations

static bool same_value(const tt_report_run *run, const tt_config_line *line) {
    tt_config_line other;
    return run->resolved && tt_config_line_find(run->resolved, line->key, &other) &&
           other.length == line->length && memcmp(other.value, line->value, (size_t)line->length) == 0;
}

static bool value_differs(const tt_report *r, const tt_config_line *line) {
    for (int i = 0; i < r->n_runs; ++i)
        if (r->runs[i].resolved && !same_value(&r->runs[i], line)) return true;
    return false;
}

// Prints the value that all runs of a group have, or that there are several.
static void print_value(tt_str *out, const tt_report *r, const tt_report_group *g, const char *key) {
    tt_config_line line, first = {0};
    bool same = true;
    for (int i = 0; i < g->n; ++i) {
        const tt_report_run *run = &r->runs[g->runs[i]];
        if (!run->resolved || !tt_config_line_find(run->resolved, key, &line)) continue;
        if (!first.value) first = line;
        same = same && same_value(run, &first);
    }
    tt_str_append(out, "<td>");
    tt_str text = {0};
    if (first.value) tt_str_append_n(&text, first.value, (size_t)first.length);
    tt_html_text(out, !first.value ? TT_REPORT_DASH : same ? tt_str_text(&text) : "several values");
    tt_str_close(&text);
    tt_str_append(out, "</td>");
}

// Prints the keys that differ, in the order of the first configuration that has them.
static void print_differences(tt_str *out, const tt_report *r) {
    tt_str rows = {0};
    for (int i = 0; i < r->n_runs; ++i) {
        tt_config_line line = {.rest = r->runs[i].resolved ? r->runs[i].resolved : ""};
        while (tt_config_line_next(&line)) {
            bool done = tt_report_key_ignored(line.key);
            tt_config_line other;
            for (int k = 0; k < i && !done; ++k)
                done = r->runs[k].resolved && tt_config_line_find(r->runs[k].resolved, line.key, &other);
            if (done || !value_differs(r, &line)) continue;
            tt_html_format(&rows, "<tr><th scope=\"row\"><code>%s</code></th>", line.key);
            for (int g = 0; g < r->n_groups; ++g) print_value(&rows, r, &r->groups[g], line.key);
            tt_str_append(&rows, "</tr>\n");
        }
    }
    if (rows.length > 0 && r->n_groups > 1) {
        tt_str_append(out, "<h3>What the groups differ in</h3>\n<div class=\"scroll\"><table>\n<thead><tr>"
                           "<th>key</th>");
        for (int g = 0; g < r->n_groups; ++g) tt_html_format(out, "<th>%s</th>", r->groups[g].label);
        tt_str_format(out, "</tr></thead>\n<tbody>\n%s</tbody></table></div>\n", tt_str_text(&rows));
    }
    tt_str_close(&rows);
}

static void print_configurations(tt_str *out, const tt_report *r) {
    tt_str_append(out, "<h3>Configurations</h3>\n");
    for (int g = 0; g < r->n_groups; ++g) {
        const tt_report_run *run = &r->runs[r->groups[g].runs[0]];
        tt_html_format(out, "<details><summary>%s: %s</summary>\n<pre>%s</pre></details>\n",
            r->groups[g].label, run->name, run->config ? run->config : "no config.yaml");
    }
}

// ---- machines

static void print_member(tt_str *out, const json_t *value) {
    if (json_is_string(value))
        tt_html_text(out, json_string_value(value));
    else if (json_is_integer(value))
        tt_str_format(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        tt_str_format(out, "%.6g", json_real_value(value));
    else
        tt_str_append(out, TT_REPORT_DASH);
}

static void print_environment(tt_str *out, const json_t *environment) {
    static const char *const own[] = {"processor", "cores", "memory_gb", "system"};
    static const char *const rest[] = {
        "device", "isa", "precision", "ranks", "threads", "version", "commit", "corpus"};
    const json_t *machine = json_object_get(environment, "machine");
    for (int i = 0; i < 4; ++i) {
        tt_str_append(out, "<td>");
        print_member(out, json_object_get(machine, own[i]));
        tt_str_append(out, "</td>");
    }
    for (int i = 0; i < 8; ++i) {
        tt_str_append(out, "<td>");
        print_member(out, json_object_get(environment, rest[i]));
        tt_str_append(out, "</td>");
    }
}

// Prints a row for each different environment, apart from the starting time, with its runs.
static tt_status print_machines(tt_str *out, const tt_report *r) {
    json_t **kinds;
    TT_TRY(tt_alloc(&kinds, (size_t)r->n_runs, sizeof(void *), "environments"));
    for (int i = 0; i < r->n_runs; ++i) {
        kinds[i] = r->runs[i].environment ? json_deep_copy(r->runs[i].environment) : NULL;
        if (kinds[i]) json_object_del(kinds[i], "started");
    }
    tt_str_append(out,
        "<h3>Machines</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th>runs</th><th>processor</th>"
        "<th>cores</th><th>memory, GB</th><th>system</th><th>device</th><th>isa</th><th>precision</th>"
        "<th>ranks</th><th>threads</th><th>version</th><th>commit</th><th>corpus</th></tr></"
        "thead>\n<tbody>\n");
    for (int i = 0; i < r->n_runs; ++i) {
        bool known = !kinds[i];
        for (int k = 0; k < i && !known; ++k) known = kinds[k] && json_equal(kinds[k], kinds[i]);
        if (known) continue;
        tt_html_format(out, "<tr><th scope=\"row\">%s", r->runs[i].name);
        for (int k = i + 1; k < r->n_runs; ++k)
            if (kinds[k] && json_equal(kinds[k], kinds[i])) tt_html_format(out, ", %s", r->runs[k].name);
        tt_str_append(out, "</th>");
        print_environment(out, kinds[i]);
        tt_str_append(out, "</tr>\n");
    }
    tt_str_append(out, "</tbody></table></div>\n");
    for (int i = 0; i < r->n_runs; ++i) json_decref(kinds[i]);
    free(kinds);
    return TT_OK;
}

static void print_corpora(tt_str *out, const tt_report *r) {
    const char *first = NULL;
    bool several = false;
    for (int i = 0; i < r->n_runs; ++i) {
        const char *hash = json_string_value(json_object_get(r->runs[i].environment, "corpus"));
        if (!hash) continue;
        several = several || (first && strcmp(first, hash) != 0);
        first = hash;
    }
    if (several)
        tt_str_append(out, "<p class=\"warn\">The runs used different corpora (see their hashes), so that "
                           "their accuracies may be about different questions.</p>\n");
}

// Says for each corpus how often training counts the teacher's answer as right though the data set has
// another.
static void print_teachers(tt_str *out, const tt_report *r) {
    for (int i = 0; i < r->n_runs; ++i) {
        const json_t *environment = r->runs[i].environment,
                     *teacher = json_object_get(environment, "teacher");
        const json_t *hash = json_object_get(environment, "corpus");
        const json_int_t questions = json_integer_value(json_object_get(teacher, "questions")),
                         differing = json_integer_value(json_object_get(teacher, "differing")),
                         left_out = json_integer_value(json_object_get(teacher, "left_out"));
        bool known = questions == 0;
        for (int k = 0; k < i && !known; ++k)
            known = json_equal(hash, json_object_get(r->runs[k].environment, "corpus"));
        if (known) continue;
        tt_html_format(out,
            "<p>Corpus %s: the teacher answered %d training questions; on %d of them its answer differs from "
            "the data set's gold, and training counts the teacher's as right.",
            json_is_string(hash) ? json_string_value(hash) : "", (int)questions, (int)differing);
        if (left_out > 0)
            tt_html_format(out,
                " %d of its answers disagree with most of its answers to the same question and are not used "
                "in training.",
                (int)left_out);
        tt_str_append(out, " Validation and test are scored by the data set's gold.</p>\n");
    }
}

tt_status tt_report_setup(tt_str *out, const tt_report *r) {
    print_corpora(out, r);
    print_teachers(out, r);
    print_runs(out, r);
    print_differences(out, r);
    print_configurations(out, r);
    return print_machines(out, r);
}
