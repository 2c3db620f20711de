// Which run comes next, of one sweep or several, among any number of processes that work on the same: they see each
// other's runs by the locks of the run directories. Private to host/lab/sweep.
#ifndef TT_LAB_SWEEP_QUEUE_H
#define TT_LAB_SWEEP_QUEUE_H

#include "host/base/lock.h"
#include "host/lab/sweep/graph.h"
#include "host/lab/sweep/state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_sweep_queue {
    const tt_sweeps *sweeps;
    tt_sweep_graph graph;
    bool *wanted; // [sweeps->n]: not taken here yet
    bool *going;  // [sweeps->n]: by child processes of this one; set by the caller
    bool *busy;   // [sweeps->n]: another process is at it, or a child process of this one
    bool always;  // also runs that `until` does not need
    // [sweeps->n]: as they were when the queue was opened, or when the run was last seen to end. With thousands of
    // runs, all directories are not read for each run that begins.
    tt_sweep_state *states;
    double looked; // when other processes' runs were looked at, in seconds
} tt_sweep_queue;

enum {
    TT_QUEUE_WAIT = -1, // what is left waits for phases that other runs are training
    TT_QUEUE_END = -2   // nothing is left for this process
};

// `wanted` [sweeps->n] is copied. tt_sweep_queue_close frees *out. Errors: as tt_sweep_graph_open.
tt_status tt_sweep_queue_open(tt_sweep_queue *out, const tt_sweeps *sweeps, const bool *wanted) TT_MUST_CHECK;
void tt_sweep_queue_close(tt_sweep_queue *queue);

// The next run, whose directory this process then has the lock of, or one of the numbers above. Of the runs that wait
// for no phase that another one is training, those that have begun come first, then those with the most phases left: long
// ones do not come last, alone. Runs that others have finished or are at are passed over, and those that failed elsewhere
// since this command began (run->failure); what others do is looked at once a second. Where the directory of a run cannot
// be made or locked, it is returned without a lock (its file is -1), and fails where it is begun.
int tt_sweep_queue_next(tt_sweep_queue *queue, tt_lock *lock);

#ifdef __cplusplus
}
#endif

#endif
