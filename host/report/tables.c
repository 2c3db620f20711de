// A report as tables: Markdown and CSV.
#include "host/report/grid.h"
#include "host/report/report.h"
#include "host/report/runs/changes.h"
#include "host/report/text.h"

#include <math.h>
#include <stdlib.h>

static const char *state_text(const tt_report_run *run) {
    if (run->state == TT_REPORT_DAMAGED) return "damaged";
    if (run->state == TT_REPORT_UNFINISHED) return *run->failure ? "failed" : "unfinished";
    if (run->old) return "to start over";
    return run->repeated ? "repeated" : "finished";
}

// ---- Markdown

static void markdown_groups(tt_str *out, const tt_report *r) {
    tt_str_append(out, "| group | stages | runs |");
    for (int k = 0; k < TT_REPORT_SCORES; ++k)
        if (tt_report_any_score(r, (tt_report_score_kind)k))
            tt_str_format(out, " %s |", tt_report_score_heading((tt_report_score_kind)k));
    tt_str_append(out, " of | tokens/s | wall time |\n|---|---|---:|");
    for (int k = 0; k < TT_REPORT_SCORES; ++k)
        if (tt_report_any_score(r, (tt_report_score_kind)k)) tt_str_append(out, "---:|");
    tt_str_append(out, "---|---:|---:|\n");
    for (int g = 0; g < r->n_groups; ++g) {
        const tt_report_group *group = &r->groups[g];
        tt_str_append(out, "| ");
        tt_markdown_text(out, group->label);
        tt_str_append(out, " | ");
        tt_markdown_text(out, r->runs[group->runs[0]].stages);
        tt_str_format(out, " | %d |", tt_report_counted(r, group));
        for (int k = 0; k < TT_REPORT_SCORES; ++k) {
            if (!tt_report_any_score(r, (tt_report_score_kind)k)) continue;
            const tt_report_mean m = tt_report_group_score(r, group, (tt_report_score_kind)k);
            tt_str_append(out, " ");
            tt_text_mean(out, &m);
            tt_str_append(out, " |");
        }
        const tt_report_mean test = tt_report_group_score(r, group, TT_REPORT_TEST);
        tt_str_append(out, " ");
        tt_text_count(out, &test);
        tt_str_append(out, " | ");
        tt_text_number(out, tt_report_group_number(r, group, tt_report_run_speed).mean, 0);
        tt_str_append(out, " | ");
        tt_text_seconds(out, tt_report_group_number(r, group, tt_report_run_wall).mean);
        tt_str_append(out, " |\n");
    }
}

static void markdown_grid(tt_str *out, const tt_grid *grid) {
    const int each = grid->voted ? 2 : 1;
    tt_str caption = {0};
    tt_str_append(out, "\n## ");
    tt_markdown_text(out, grid->sweep);
    tt_str_append(out, "\n\n| |");
    for (int c = 0; c < each * grid->n_columns; ++c) {
        tt_str_append(out, " ");
        tt_markdown_text(out, grid->columns[c / each]);
        tt_str_append(out, !grid->voted ? " |" : c % 2 ? ", voted |" : ", greedy |");
    }
    tt_str_append(out, "\n|---|");
    for (int c = 0; c < each * grid->n_columns; ++c) tt_str_append(out, "---:|");
    tt_str_append(out, "\n");
    for (int i = 0; i < grid->n; ++i) {
        tt_str_append(out, "| ");
        tt_markdown_text(out, grid->rows[i].label);
        tt_str_append(out, " |");
        for (int c = 0; c < each * grid->n_columns; ++c) {
            const tt_grid_cell *cell = &grid->rows[i].cells[c / each][c % each];
            tt_str_append(out, isfinite(cell->score.mean) ? " " : " " TT_REPORT_DASH);
            tt_grid_number(out, cell, " \u00b1 ");
            tt_str_format(out, "%s%s |", cell->sure ? " \\*" : "", cell->old ? " " TT_REPORT_OLD : "");
        }
        tt_str_append(out, "\n");
    }
    tt_grid_caption(&caption, grid);
    tt_str_append(out, "\n");
    tt_markdown_text(out, tt_str_text(&caption));
    tt_str_append(out, "\n");
    tt_str_close(&caption);
}

static void markdown_phases(tt_str *out, const tt_report *r) {
    bool any = false;
    for (int g = 0; g < r->n_groups; ++g) {
        const tt_report_run *run = tt_report_first_run(r, g);
        for (int p = 0; p < run->n_phases && run->n_phases > 1; ++p) {
            const tt_report_mean test = tt_report_group_phase(r, &r->groups[g], run->phases[p].name, true),
                                 best = tt_report_group_phase(r, &r->groups[g], run->phases[p].name, false);
            if (test.seeds == 0 && best.seeds == 0) continue;
            if (!any)
                tt_str_append(out, "\n## Phases\n\n| group | phase | test, greedy | best validation |\n"
                                   "|---|---|---:|---:|\n");
            any = true;
            tt_str_append(out, "| ");
            tt_markdown_text(out, r->groups[g].label);
            tt_str_append(out, " | ");
            tt_markdown_text(out, run->phases[p].name);
            tt_str_append(out, " | ");
            tt_text_mean(out, &test);
            tt_str_append(out, " | ");
            tt_text_mean(out, &best);
            tt_str_append(out, " |\n");
        }
    }
}

static void markdown_change(tt_str *out, const tt_report *r, const tt_report_change *c) {
    tt_str label = {0};
    tt_report_change_label(&label, r, c);
    tt_str_append(out, "| ");
    tt_markdown_text(out, r->groups[c->group].label);
    tt_str_append(out, " | ");
    tt_markdown_text(out, tt_str_text(&label));
    tt_str_format(out, " | %s | ", tt_report_score_heading(c->answers));
    tt_text_points(out, c->difference);
    tt_str_append(out, " | ");
    if (*c->why)
        tt_markdown_text(out, c->why);
    else
        tt_text_points_interval(out, c->low, c->high);
    tt_str_append(out, tt_report_sure(c->low, c->high) ? " \\* | " : " | ");
    tt_text_points_interval(out, c->seeds_low, c->seeds_high);
    tt_str_append(out, tt_report_sure(c->seeds_low, c->seeds_high) ? " \\* |" : " |");
    if (c->questions > 0)
        tt_str_format(out, " %lld | %lld |", (long long)c->to_right, (long long)c->to_wrong);
    else
        tt_str_append(out, " " TT_REPORT_DASH " | " TT_REPORT_DASH " |");
    if (c->pairs > 1) tt_str_format(out, " %d seeds%s", c->pairs, c->questions > 0 ? "," : "");
    if (c->questions > 0) tt_str_format(out, " n = %lld", (long long)c->questions);
    if (tt_report_other_seed(c))
        tt_str_format(out, " (seed %lld against %lld)", (long long)c->seed_after, (long long)c->seed_before);
    tt_str_append(out, " |\n");
    tt_str_close(&label);
}

static tt_status markdown_changes(tt_str *out, const tt_report *r) {
    tt_report_change *changes;
    int n;
    TT_TRY(tt_report_changes(r, &changes, &n));
    if (n > 0)
        tt_str_append(out,
            "\n## Differences on the same questions\n\n| group | compared | answers | points | 95 %, over "
            "questions | 95 %, over seeds | to right | to wrong | of |\n"
            "|---|---|---|---:|---:|---:|---:|---:|---|\n");
    for (int i = 0; i < n; ++i) markdown_change(out, r, &changes[i]);
    if (n > 0)
        tt_str_append(out, "\n\\* the interval excludes 0; about one interval in twenty does so by chance. "
                           "Over questions: Tango's score "
                           "interval of the paired difference; of several seeds Student's t over the "
                           "questions' mean changes. "
                           "Over seeds: Student's t over the seeds' differences. Changes to right and to "
                           "wrong are counted over "
                           "all seeds.\n");
    free(changes);
    return TT_OK;
}

static void markdown_runs(tt_str *out, const tt_report *r) {
    tt_str_append(out, "\n## Runs\n\n| run | group | seed | state | test, greedy | best validation |\n"
                       "|---|---|---:|---|---:|---:|\n");
    for (int i = 0; i < r->n_runs; ++i) {
        const tt_report_run *run = &r->runs[i];
        tt_str_append(out, "| ");
        tt_markdown_text(out, run->name);
        tt_str_append(out, " | ");
        tt_markdown_text(out, r->groups[run->group].label);
        if (run->seed >= 0)
            tt_str_format(out, " | %lld", (long long)run->seed);
        else
            tt_str_append(out, " | " TT_REPORT_DASH);
        tt_str_format(out, " | %s", state_text(run));
        if (*run->failure) tt_str_append(out, ": ");
        tt_markdown_text(out, run->failure);
        tt_str_append(out, " | ");
        tt_text_percent(out, run->scores[TT_REPORT_TEST].accuracy);
        tt_str_append(out, " | ");
        tt_text_percent(out, run->scores[TT_REPORT_BEST].accuracy);
        tt_str_append(out, " |\n");
    }
}

tt_status tt_report_markdown(tt_str *out, const tt_report *r, const char *source) {
    tt_str_append(out, "# ");
    tt_markdown_text(out, source);
    tt_str_append(out, "\n\n");
    if (tt_report_old_runs(r) > 0)
        tt_str_format(out,
            "**%d of %d runs are to start over: what is marked with %s has results from before.**\n\n",
            tt_report_old_runs(r), r->n_runs, TT_REPORT_OLD);
    markdown_groups(out, r);
    tt_str_append(out,
        "\n95 % intervals: over seeds Student's t, for these questions; over questions (of "
        "one run, or of the mean of several) Wilson's. Checkpoints are selected on validation.");
    if (isfinite(r->chance)) tt_str_format(out, " Chance is %.1f %%.", 100 * r->chance);
    tt_str_append(out, "\n");
    for (int i = 0; i < r->n_grids; ++i)
        if (r->grids[i].sweep_number >= 0) markdown_grid(out, &r->grids[i]); // others are in the summary
    markdown_phases(out, r);
    TT_TRY(markdown_changes(out, r));
    markdown_runs(out, r);
    return tt_str_status(out);
}

// ---- CSV

static void csv_number(tt_str *out, double value) {
    tt_str_append(out, ",");
    if (isfinite(value)) tt_str_format(out, "%.9g", value);
}

static void csv_field(tt_str *out, const char *text) {
    tt_str_append(out, ",");
    tt_csv_text(out, text);
}

// Differences of a run: after the last iteration of reflection, of the votes, and from its partner in the
// first group.
static const char *const differences[] = {"reflection", "votes", "first"};

static tt_status csv_changes(tt_str *out, const tt_report *r, const tt_report_run *run) {
    const tt_report_phase *before = tt_report_before(run), *after = tt_report_after(run);
    const tt_report_run *partner = tt_report_partner(r, run);
    const tt_report_change which[] = {
        {.kind = TT_CHANGE_REFLECTION, .phase = before && after ? after->name : ""},
        {.kind = TT_CHANGE_VOTING, .answers = TT_REPORT_TEST_VOTED},
        {.kind = TT_CHANGE_GROUP, .answers = TT_REPORT_TEST}};
    for (size_t i = 0; i < sizeof which / sizeof *which; ++i) {
        tt_report_change c;
        TT_TRY(tt_report_change_of_run(run, partner, &which[i], &c));
        csv_number(out, c.difference);
        csv_number(out, c.low);
        csv_number(out, c.high);
        csv_number(out, c.questions > 0 ? (double)c.to_right : NAN);
        csv_number(out, c.questions > 0 ? (double)c.to_wrong : NAN);
        csv_number(out, c.mcnemar);
    }
    csv_field(out, partner ? partner->path : "");
    return TT_OK;
}

tt_status tt_report_csv(tt_str *out, const tt_report *r) {
    tt_str_append(out, "path,name,group,sweep,variant,stages,seed,state");
    for (int k = 0; k < TT_REPORT_SCORES; ++k) {
        const char *word = tt_report_score_word((tt_report_score_kind)k);
        tt_str_format(out, ",%s,%s_low,%s_high,%s_n,%s_unanswered", word, word, word, word, word);
    }
    tt_str_append(out, ",chance,steps,tokens_per_second,wall_seconds,parameters");
    for (size_t i = 0; i < sizeof differences / sizeof *differences; ++i) {
        const char *word = differences[i];
        tt_str_format(out, ",%s_change,%s_change_low,%s_change_high,%s_to_right,%s_to_wrong,%s_mcnemar_p",
            word, word, word, word, word, word);
    }
    tt_str_append(out, ",first,reason\n");
    for (int i = 0; i < r->n_runs; ++i) {
        const tt_report_run *run = &r->runs[i];
        tt_csv_text(out, run->path);
        csv_field(out, run->name);
        csv_field(out, r->groups[run->group].label);
        csv_field(out, run->sweep);
        csv_field(out, run->variant);
        csv_field(out, run->stages);
        csv_number(out, run->seed >= 0 ? (double)run->seed : NAN);
        csv_field(out, state_text(run));
        for (int k = 0; k < TT_REPORT_SCORES; ++k) {
            const tt_report_score *s = &run->scores[k];
            csv_number(out, s->accuracy);
            csv_number(out, s->low);
            csv_number(out, s->high);
            csv_number(out, s->n > 0 ? (double)s->n : NAN);
            csv_number(out, s->n > 0 && s->unanswered >= 0 ? (double)s->unanswered : NAN);
        }
        csv_number(out, run->answers.chance);
        csv_number(out, run->n_phases > 0 ? (double)tt_report_run_steps(run) : NAN);
        csv_number(out, run->tokens_per_second);
        csv_number(out, run->wall_seconds);
        csv_number(out, run->parameters);
        TT_TRY(csv_changes(out, r, run));
        csv_field(out, run->failure);
        tt_str_append(out, "\n");
    }
    return tt_str_status(out);
}
