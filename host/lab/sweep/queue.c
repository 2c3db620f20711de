#include "host/lab/sweep/queue.h"

#include "host/base/log.h"
#include "host/lab/run_directory.h"
#include "host/lab/sweep/notes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tt_status tt_sweep_queue_open(tt_sweep_queue *out, const tt_sweeps *sweeps, const bool *wanted) {
    const size_t n = (size_t)sweeps->n;
    *out = (tt_sweep_queue){.sweeps = sweeps};
    tt_status status = tt_alloc(&out->wanted, n, sizeof *out->wanted, "runs");
    if (status == TT_OK) status = tt_alloc(&out->going, n, sizeof *out->going, "runs");
    if (status == TT_OK) status = tt_alloc(&out->busy, n, sizeof *out->busy, "runs");
    if (status == TT_OK) status = tt_alloc(&out->states, n, sizeof *out->states, "runs");
    if (status == TT_OK) status = tt_sweep_graph_open(&out->graph, sweeps);
    if (status != TT_OK) {
        tt_sweep_queue_close(out);
        return status;
    }
    memcpy(out->wanted, wanted, n * sizeof *wanted);
    for (size_t i = 0; i < n; ++i) out->states[i] = tt_sweep_state_of(sweeps->runs[i]);
    out->looked = -1;
    return TT_OK;
}

void tt_sweep_queue_close(tt_sweep_queue *queue) {
    if (queue->graph.last) tt_sweep_graph_close(&queue->graph);
    free(queue->wanted);
    free(queue->going);
    free(queue->busy);
    free(queue->states);
    *queue = (tt_sweep_queue){0};
}

// Looks at the runs that this process began, and once a second at those of others.
static void look(tt_sweep_queue *q) {
    const bool all = q->looked < 0 || tt_seconds() >= q->looked + 1;
    for (int i = 0; i < q->sweeps->n; ++i) {
        const tt_sweep_run *run = q->sweeps->runs[i];
        const bool was = q->busy[i];
        if (was || all) q->busy[i] = q->going[i] || tt_run_directory_noted(run->path);
        const bool ended = was && !q->busy[i], counts = all && run->sweep->until_interval > 0;
        if (ended || counts) q->states[i] = tt_sweep_state_of(run);
        if (ended && !all) tt_sweep_graph_look_into(&q->graph, i);
    }
    if (!all) return;
    tt_sweep_graph_look(&q->graph); // after the locks: a run that has ended since has left its phases
    q->looked = tt_seconds();
}

// With `until`, three seeds of a variant begin at once, and then one after another.
static bool is_early(const tt_sweep_queue *q, int run) {
    const tt_sweep_run *mine = q->sweeps->runs[run];
    int going = 0, finished = 0;
    if (mine->sweep->until_interval <= 0 || q->always) return false;
    for (int i = 0; i < q->sweeps->n; ++i) {
        const tt_sweep_run *other = q->sweeps->runs[i];
        if (other->sweep != mine->sweep || strcmp(other->variant, mine->variant) != 0) continue;
        going += q->busy[i];
        finished += !q->busy[i] && q->states[i] == TT_SWEEP_FINISHED;
    }
    return going > 0 && going + finished >= TT_SWEEP_FEWEST_SEEDS;
}

static bool waits(const tt_sweep_queue *q, int run) {
    if (is_early(q, run)) return true;
    for (int i = 0; i < q->sweeps->n; ++i)
        if (q->busy[i] && i != run && tt_sweep_graph_waits(&q->graph, run, i)) return true;
    return false;
}

enum { BEGUN_FIRST = 1000 };

// The best run that can start; TT_QUEUE_WAIT if all that could be taken wait, TT_QUEUE_END if there is none.
static int choose(const tt_sweep_queue *q) {
    int best = TT_QUEUE_END, most = -1;
    bool waiting = false;
    for (int i = 0; i < q->sweeps->n; ++i) {
        if (!q->wanted[i] || q->busy[i]) continue;
        // With `until`, the seeds of a variant come in their order.
        const tt_sweep_run *run = q->sweeps->runs[i];
        int left = run->sweep->until_interval > 0 ? 0 : tt_sweep_graph_left(&q->graph, i);
        if (q->states[i] == TT_SWEEP_BEGUN) left += BEGUN_FIRST;
        if (waits(q, i))
            waiting = true;
        else if (left > most) {
            best = i;
            most = left;
        }
    }
    return best == TT_QUEUE_END && waiting ? TT_QUEUE_WAIT : best;
}

int tt_sweep_queue_next(tt_sweep_queue *q, tt_lock *lock) {
    look(q);
    for (;;) {
        const int run = choose(q);
        if (run < 0) return run;
        const tt_sweep_run *r = q->sweeps->runs[run];
        q->busy[run] = true; // in this process's hands, or taken by another one at this moment
        if (tt_run_directory_claim(r->path, lock) == TT_ERR_BUSY) continue;
        q->wanted[run] = false;
        const tt_sweep_state state = tt_sweep_state_of(r);
        const bool failed = state == TT_SWEEP_FAILED && tt_sweep_failure_stamp(r) != r->failure;
        if (!failed && !tt_sweep_settled(r, state, q->always)) return run;
        tt_lock_release(lock); // another process has run it, or `until` does not need it any more
        if (state == TT_SWEEP_NEW) rmdir(r->path);
    }
}
