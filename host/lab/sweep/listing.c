#include "host/lab/sweep/listing.h"

#include "host/base/number.h"
#include "host/lab/memory_text.h"
#include "host/lab/sweep/cost.h"
#include "host/lab/sweep/state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *memory_text(double bytes, char out[32]) {
    double unit;
    const char *name = tt_memory_unit(bytes, &unit);
    tt_format(out, 32, "%.1f %s", bytes / unit, name);
    return out;
}

// Steps, millions of tokens and hours, each at least as wide as its heading.
static void append_cost(tt_str *out, const tt_sweep_cost *c) {
    char tokens[32] = "-", hours[32] = "-", steps[32] = "-";
    if (c->known) tt_format(steps, sizeof steps, "%.0f", c->steps);
    if (c->known) tt_format(tokens, sizeof tokens, "%.1f", c->tokens / 1e6);
    if (c->known && isfinite(c->seconds)) tt_format(hours, sizeof hours, "%.2f", c->seconds / 3600);
    tt_str_format(out, " %9s %9s %8s", steps, tokens, hours);
}

static void list_runs(tt_str *out, const tt_sweeps *one, const char *const *states,
    const tt_sweep_cost *costs, const double *memory) {
    tt_str_format(out, "%4s  %-40s %-14s %9s %9s %8s %9s  %s\n", "no.", one->items->name, "state", "steps",
        "M tokens", "train h", "memory", "settings");
    for (int i = 0; i < one->n; ++i) {
        const tt_sweep_run *run = one->runs[i];
        char size[32];
        tt_str_format(out, "%4d  %-40s %-14s", run->number, run->name, states[i]);
        append_cost(out, &costs[i]);
        tt_str_format(out, " %9s ", costs[i].known ? memory_text(memory[i], size) : "-");
        for (int k = 0; k < run->n_said; ++k) tt_str_format(out, " %s", run->overrides[k]);
        tt_str_append(out, "\n");
    }
    tt_str_format(out, "%d runs in %s/%s\n\n", one->n, one->output, one->items->name);
}

static void add(tt_sweep_cost *sum, const tt_sweep_cost *one) {
    sum->known = true;
    sum->steps += one->steps;
    sum->tokens += one->tokens;
    sum->seconds += one->seconds;
}

// The listed runs that need a phase: not those that `until` leaves out.
typedef struct use {
    int runs, first;
} use;

static bool is_needed(const char *state) {
    return strcmp(state, TT_SWEEP_NOT_NEEDED) != 0;
}

static void count_uses(const tt_sweep_graph *graph, const char *const *states, use *uses) {
    for (int i = 0; i < graph->sweeps->n; ++i)
        for (int k = is_needed(states[i]) ? graph->last[i] : -1; k >= 0; k = graph->phases[k].before)
            if (uses[k].runs++ == 0) uses[k].first = i;
}

static const char *why_of(const tt_sweep_graph *graph, const tt_sweep_costs *costs, int run) {
    return costs->why[run] ? costs->why[run] : graph->why[run];
}

static void list_sums(tt_str *out, const tt_sweep_cost sums[3], bool part) {
    static const char *const names[] = {"all runs, each for itself", "each phase once", "of it left"};
    for (int i = 0; i < 3; ++i) {
        tt_str_format(out, "%-29s", names[i]);
        append_cost(out, &sums[i]);
        tt_str_append(out, part ? "  at least\n" : "\n");
    }
}

static void list_phases(
    tt_str *out, const tt_sweep_graph *graph, const tt_sweep_costs *costs, const use *uses, bool part) {
    int n = 0, trained = 0, left = 0;
    tt_sweep_cost sums[3] = {{.known = true}, {.known = true}, {.known = true}}; // as list_sums names them
    tt_str_format(out, "%-14s %5s  %-8s %9s %9s %8s  %s\n", "phase", "runs", "state", "steps", "M tokens",
        "train h", "of run");
    for (int k = 0; k < graph->n; ++k) {
        const tt_sweep_phase *p = &graph->phases[k];
        const tt_sweep_cost *cost = &costs->phases[k];
        const tt_sweep_run *run = graph->sweeps->runs[uses[k].first];
        if (uses[k].runs == 0) continue;
        ++n;
        trained += uses[k].runs;
        left += !p->done;
        for (int i = 0; i < uses[k].runs; ++i) add(&sums[0], cost);
        add(&sums[1], cost);
        if (!p->done) add(&sums[2], cost);
        tt_str_format(out, "%-14s %5d  %-8s", p->name, uses[k].runs, p->done ? "trained" : "new");
        append_cost(out, cost);
        tt_str_format(out, "  %s%s%s\n", graph->sweeps->n_items > 1 ? run->sweep->name : "",
            graph->sweeps->n_items > 1 ? "/" : "", run->name);
    }
    list_sums(out, sums, part);
    tt_str_format(out,
        "%d phases, each trained once; for itself, each run would train %d in all; %d are left%s\n", n,
        trained, left, part ? ", at least" : "");
}

// A line for each reason why runs are not counted; returns whether there is one.
static bool list_reasons(
    tt_str *out, const tt_sweep_graph *graph, const tt_sweep_costs *costs, const char *const *states) {
    const int n = graph->sweeps->n;
    bool any = false;
    for (int i = 0; i < n; ++i) {
        const char *why = is_needed(states[i]) ? why_of(graph, costs, i) : NULL;
        int runs = 0;
        for (int k = 0; k < n && why; ++k) {
            const char *other = is_needed(states[k]) ? why_of(graph, costs, k) : NULL;
            if (!other || strcmp(other, why) != 0) continue;
            if (k < i) break;
            ++runs;
        }
        if (runs == 0) continue;
        any = true;
        tt_str_format(out, "%d run%s not counted: %s\n", runs, runs == 1 ? "" : "s", why);
    }
    return any;
}

static void list_notes(
    tt_str *out, const tt_sweep_graph *graph, const tt_sweep_costs *costs, const tt_speeds *speeds) {
    tt_str basis = {0};
    bool reflects = false;
    for (int k = 0; k < graph->n; ++k) reflects |= strncmp(graph->phases[k].name, "reflection", 10) == 0;
    tt_str_format(out, "\nmemory: of one rank's %s at the peak%s\n", costs->cuda ? "GPU" : "CPU device",
        reflects ? "; reflection's steps depend on its pairs, whose number is assumed" : "");
    if (costs->part)
        tt_str_format(out,
            "counted with %d of each corpus's training questions and multiplied; tinythinker plan counts "
            "all\n",
            TT_COST_QUESTIONS);
    tt_speeds_tell(speeds, graph->sweeps->output, &basis);
    if (basis.length)
        tt_str_format(out,
            "train h: estimated hours of training steps alone; generating pairs, validation and evaluation "
            "are not in them\n"
            "%s",
            tt_str_text(&basis));
    else
        tt_str_format(out,
            "train h: no run in %s has measured a speed for these students yet; --speed or --like gives "
            "one\n",
            graph->sweeps->output);
    out->failed |= basis.failed;
    tt_str_close(&basis);
}

static tt_status list_all(
    tt_str *out, const tt_sweep_graph *graph, const tt_sweep_costs *costs, const tt_speeds *speeds) {
    const char **states;
    use *uses;
    const tt_sweeps *sweeps = graph->sweeps;
    TT_TRY(tt_alloc(&uses, (size_t)graph->n + 1, sizeof *uses, "phases"));
    tt_status status = tt_alloc(&states, (size_t)sweeps->n, sizeof *states, "runs");
    if (status != TT_OK) {
        free(uses);
        return status;
    }
    tt_sweep_state_texts(sweeps->runs, sweeps->n, states);
    for (int i = 0, first = 0; i < sweeps->n_items; first += sweeps->items[i++].n) {
        const tt_sweeps one = tt_sweeps_only(sweeps, i);
        list_runs(out, &one, states + first, costs->runs + first, costs->memory + first);
    }
    count_uses(graph, states, uses);
    const bool part = list_reasons(out, graph, costs, states);
    free(states);
    if (graph->n > 0) list_phases(out, graph, costs, uses, part);
    if (graph->n > 0) list_notes(out, graph, costs, speeds);
    free(uses);
    return tt_str_status(out);
}

tt_status tt_sweep_list(const tt_sweeps *sweeps, double speed, tt_str *out) {
    tt_sweep_graph graph;
    tt_sweep_costs costs = {0};
    tt_speeds *speeds;
    TT_TRY(tt_sweep_graph_open(&graph, sweeps));
    tt_sweep_graph_look(&graph);
    tt_status status = tt_alloc(&speeds, 1, sizeof *speeds, "speeds");
    if (status == TT_OK) {
        speeds->given = speed;
        tt_speeds_read(speeds, sweeps->output);
        status = tt_sweep_costs_open(&costs, &graph, speeds);
    }
    if (status == TT_OK) status = list_all(out, &graph, &costs, speeds);
    tt_sweep_costs_close(&costs);
    tt_sweep_graph_close(&graph);
    free(speeds);
    return status;
}
