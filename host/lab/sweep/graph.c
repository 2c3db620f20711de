#include "host/lab/sweep/graph.h"

#include "host/lab/needs.h"
#include "host/lab/run_directory.h"
#include "host/lab/shared_phases.h"

#include <stdlib.h>
#include <string.h>

// What `auto` stands for here; a run that has begun keeps its own.
static tt_status set_precision(tt_config *config) {
    char kept[16] = "";
    tt_run_directory dir;
    tt_needs_machine machine;
    if (strcmp(config->precision, tt_precision_name(TT_PRECISION_AUTO)) != 0) return TT_OK;
    TT_TRY(tt_run_directory_name(&dir, config));
    TT_TRY(tt_run_directory_kept(&dir, "precision", kept, sizeof kept));
    if (*kept) return tt_config_set(config, "precision", kept);
    TT_TRY(tt_needs_machine_here(&machine, config, false));
    return tt_config_set(config, "precision", tt_precision_name(machine.precision));
}

static int find(
    const tt_sweep_graph *graph, const tt_str *identity, const char *hash, const char *generation) {
    for (int k = 0; k < graph->n; ++k)
        if (strcmp(graph->phases[k].hash, hash) == 0 &&
            strcmp(graph->phases[k].generation, generation) == 0 &&
            strcmp(tt_str_text(&graph->phases[k].identity), tt_str_text(identity)) == 0)
            return k;
    return -1;
}

// Takes `identity`.
static tt_status add(
    tt_sweep_graph *graph, const char *name, const char *generation, tt_str *identity, int run) {
    char hash[TT_PHASE_HASH];
    tt_phase_hash(tt_str_text(identity), hash);
    int k = find(graph, identity, hash, generation);
    if (k < 0) {
        TT_TRY(
            tt_grow(&graph->phases, &graph->capacity, (size_t)graph->n + 1, sizeof *graph->phases, "phases"));
        k = graph->n++;
        graph->phases[k] =
            (tt_sweep_phase){.identity = *identity, .generation = generation, .before = graph->last[run]};
        *identity = (tt_str){0};
        snprintf(graph->phases[k].name, TT_PHASE_NAME, "%s", name);
        memcpy(graph->phases[k].hash, hash, sizeof hash);
    }
    graph->last[run] = k;
    return TT_OK;
}

static tt_status add_run(tt_sweep_graph *graph, int run) {
    const tt_sweep_run *r = graph->sweeps->runs[run];
    const tt_sweep *sweep = r->sweep;
    tt_config config;
    char name[TT_PHASE_NAME];
    int iteration;
    TT_TRY(tt_config_load(&config, sweep->base, r->overrides, r->n));
    tt_status status = set_precision(&config);
    for (int i = 0; status == TT_OK && tt_phase_at(&config, i, name, &iteration); ++i) {
        tt_str identity = {0};
        status = tt_phase_settings(&config, i, &identity);
        if (i > 0) tt_phase_after(&identity, graph->phases[graph->last[run]].hash);
        if (status == TT_OK) {
            const bool over = r->over && tt_phase_is_behind(&config, name, sweep->over_from);
            status = add(graph, name, over ? sweep->generation : "", &identity, run);
        }
        tt_str_close(&identity);
    }
    tt_config_close(&config);
    return status;
}

tt_status tt_sweep_graph_open(tt_sweep_graph *out, const tt_sweeps *sweeps) {
    *out = (tt_sweep_graph){.sweeps = sweeps};
    tt_status status = tt_alloc(&out->last, (size_t)sweeps->n, sizeof *out->last, "runs");
    if (status == TT_OK) status = tt_alloc(&out->why, (size_t)sweeps->n, sizeof *out->why, "runs");
    for (int i = 0; i < sweeps->n && status == TT_OK; ++i) out->last[i] = -1;
    for (int i = 0; i < sweeps->n && status == TT_OK; ++i) {
        status = add_run(out, i);
        if (status == TT_ERR_IO || status == TT_ERR_CONFIG || status == TT_ERR_FORMAT ||
            status == TT_ERR_INPUT)
            status = tt_strdup(&out->why[i], tt_error_message());
    }
    if (status != TT_OK) tt_sweep_graph_close(out);
    return status;
}

void tt_sweep_graph_close(tt_sweep_graph *graph) {
    for (int k = 0; k < graph->n; ++k) tt_str_close(&graph->phases[k].identity);
    for (int i = 0; graph->why && i < graph->sweeps->n; ++i) free(graph->why[i]);
    free(graph->phases);
    free(graph->last);
    free(graph->why);
    *graph = (tt_sweep_graph){0};
}

// A phase that was found.
static bool mark_done(void *self, const char *name, const char *identity, const tt_phase_found *found) {
    tt_sweep_graph *graph = self;
    char hash[TT_PHASE_HASH];
    tt_phase_hash(identity, hash);
    for (int k = 0; k < graph->n; ++k) {
        tt_sweep_phase *p = &graph->phases[k];
        if (p->done || strcmp(p->hash, hash) != 0 || strcmp(p->name, name) != 0 ||
            strcmp(tt_str_text(&p->identity), identity) != 0)
            continue;
        if (*p->generation && strcmp(p->generation, found->generation) != 0) continue;
        p->done = true;
    }
    return false;
}

void tt_sweep_graph_look(tt_sweep_graph *graph) {
    tt_phases_walk(graph->sweeps->output, mark_done, graph);
}

void tt_sweep_graph_look_into(tt_sweep_graph *graph, int run) {
    tt_phases_visit(graph->sweeps->runs[run]->path, mark_done, graph);
}

int tt_sweep_graph_left(const tt_sweep_graph *graph, int run) {
    int n = 0;
    for (int k = graph->last[run]; k >= 0; k = graph->phases[k].before) n += !graph->phases[k].done;
    return n;
}

bool tt_sweep_graph_waits(const tt_sweep_graph *graph, int a, int b) {
    for (int k = graph->last[a]; k >= 0; k = graph->phases[k].before)
        for (int l = graph->last[b]; l >= 0; l = graph->phases[l].before)
            if (k == l) return !graph->phases[k].done;
    return false;
}
