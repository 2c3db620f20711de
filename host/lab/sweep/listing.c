#include "host/lab/sweep/listing.h"

#include "host/base/number.h"
#include "host/lab/memory_text.h"
#include "host/lab/sweep/cost.h"
#include "host/lab/sweep/state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { OWN_KEYS = 3 }; // seed, name and output end a run's settings

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
        "M tokens", "hours", "memory", "settings");
    for (int i = 0; i < one->n; ++i) {
        const tt_sweep_run *run = one->runs[i];
        char size[32];
        tt_str_format(out, "%4d  %-40s %-14s", run->number, run->name, states[i]);
        append_cost(out, &costs[i]);
        tt_str_format(out, " %9s ", costs[i].known ? memory_text(memory[i], size) : "-");
        for (int k = 0; k + OWN_KEYS < run->n; ++k) tt_str_format(out, " %s", run->overrides[k]);
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

static void list_phases(tt_str *out, const tt_sweep_graph *graph, const tt_sweep_costs *costs) {
    int done = 0;
    tt_sweep_cost all = {0}, once = {0}, left = {.known = true};
    tt_str_format(out, "%-14s %5s  %-8s %9s %9s %8s  %s\n", "phase", "runs", "state", "steps", "M tokens",
        "hours", "of run");
    for (int k = 0; k < graph->n; ++k) {
        const tt_sweep_phase *p = &graph->phases[k];
        const tt_sweep_cost *cost = &costs->phases[k];
        const tt_sweep_run *run = graph->sweeps->runs[p->first];
        done += p->done;
        add(&once, cost);
        if (!p->done) add(&left, cost);
        for (int i = 0; i < p->runs; ++i) add(&all, cost);
        tt_str_format(out, "%-14s %5d  %-8s", p->name, p->runs, p->done ? "trained" : "new");
        append_cost(out, cost);
        tt_str_format(out, "  %s%s%s\n", graph->sweeps->n_items > 1 ? run->sweep->name : "",
            graph->sweeps->n_items > 1 ? "/" : "", run->name);
    }
    static const char *const names[] = {"all runs, each for itself", "each phase once", "of it left"};
    const tt_sweep_cost *const sums[] = {&all, &once, &left};
    for (int i = 0; i < 3; ++i) {
        tt_str_format(out, "%-29s", names[i]);
        append_cost(out, sums[i]);
        tt_str_append(out, "\n");
    }
    tt_str_format(out,
        "%d phases, each trained once; for itself, each run would train %d in all; %d are left\n", graph->n,
        graph->trained, graph->n - done);
}

static void list_notes(
    tt_str *out, const tt_sweep_graph *graph, const tt_sweep_costs *costs, const tt_speeds *speeds) {
    tt_str basis = {0};
    tt_str_format(out, "\nmemory: of one rank's %s at the peak; ", costs->cuda ? "GPU" : "CPU device");
    tt_str_append(out, "reflection's steps depend on its pairs, whose number is assumed\n");
    if (costs->part)
        tt_str_format(out,
            "counted with %d of each corpus's training questions and multiplied; tinythinker plan counts "
            "all\n",
            TT_COST_QUESTIONS);
    tt_speeds_tell(speeds, graph->sweeps->output, &basis);
    if (basis.length)
        tt_str_format(out,
            "hours: an estimate of the time in training steps; validation, generation and evaluation come on "
            "top\n%s",
            tt_str_text(&basis));
    else
        tt_str_format(out,
            "hours: no run in %s has measured a speed for these students yet; --speed or --like gives one\n",
            graph->sweeps->output);
    out->failed |= basis.failed;
    tt_str_close(&basis);
}

static tt_status list_all(
    tt_str *out, const tt_sweep_graph *graph, const tt_sweep_costs *costs, const tt_speeds *speeds) {
    const char **states;
    const tt_sweeps *sweeps = graph->sweeps;
    TT_TRY(tt_alloc(&states, (size_t)sweeps->n, sizeof *states, "runs"));
    tt_sweep_state_texts(sweeps->runs, sweeps->n, states);
    for (int i = 0, first = 0; i < sweeps->n_items; first += sweeps->items[i++].n) {
        const tt_sweeps one = tt_sweeps_only(sweeps, i);
        list_runs(out, &one, states + first, costs->runs + first, costs->memory + first);
    }
    free(states);
    if (graph->n > 0) list_phases(out, graph, costs);
    if (graph->n > 0) list_notes(out, graph, costs, speeds);
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
