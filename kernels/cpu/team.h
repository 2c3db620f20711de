// How many threads work on an operation: all that the device may have, or fewer while other programs want the same cores.
// A thread that waits for one that has lost its core gains nothing by waiting, and keeps others from theirs: two programs with as
// many threads as there are cores each then take several times as long as one after the other. Results do not depend on it.
#ifndef TT_KERNELS_CPU_TEAM_H
#define TT_KERNELS_CPU_TEAM_H

#include <stdbool.h>

// Threads of the parallel region that begins, at most `threads` (>= 1). Called by one thread at a time. Memory for each thread is
// made for `threads`, since the answer changes from region to region. TT_GIVE_WAY=0 in the environment: always `threads`.
int tt_cpu_team(int threads);

// What is remembered; zeroed at the beginning.
typedef struct tt_cpu_crowd {
    int away;      // threads that stay away
    bool grown;    // the last change was to try more threads
    long switches; // as of `seen`
    double seen, until, wait;
} tt_cpu_crowd;

// The rule, for tests. now: seconds of a clock that never goes back. switches: how often threads of this process have lost their
// core to others so far (involuntary context switches). Above 150 a second for each thread of the team a quarter of it stays away,
// at least one thread; half a second later one more try is made with a quarter more, and after each try that fails the wait is
// twice as long, up to four seconds. Returns the threads of the team.
int tt_cpu_team_next(tt_cpu_crowd *crowd, int threads, double now, long switches);

#endif
