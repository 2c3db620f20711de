// How many threads work on an operation: all that the device has, or fewer while other programs want the same cores.
// A thread that waits for one that has lost its core gains nothing by waiting, and keeps others from theirs: two programs with as
// many threads as there are cores each then take several times as long as one after the other. Results do not depend on it.
#ifndef TT_KERNELS_CPU_TEAM_H
#define TT_KERNELS_CPU_TEAM_H

#include <stdbool.h>

// Returns how many threads the next parallel region should have, at most `threads` (>= 1). What is remembered belongs to the process,
// so that one thread at a time may call it. Memory for each thread is made for `threads`, since the answer changes from region
// to region.
int tt_cpu_team(int threads);
// From now on: `team` threads, or as many as there are if that is less. 0: by the rule below, as at the beginning.
void tt_cpu_team_set(int team);

// What is remembered; zeroed at the beginning.
typedef struct tt_cpu_crowd {
    int away;      // threads that stay away
    bool grown;    // the last change was to try more threads
    long switches; // as of `seen`
    double called, seen, until, wait;
} tt_cpu_crowd;

// The rule, for tests. now: seconds of a clock that never goes back. switches: how often threads of this process have lost their
// core to others so far (involuntary context switches); it is looked at every 50 ms, and not after a pause of more than a second.
// With more than 240 + 30 for each thread of the team in a second, a quarter of the team stays away, at least one thread. Half a
// second later a quarter more are tried. After each try that fails the wait is twice as long, up to four seconds; after one that
// succeeds it is half a second again. Returns the threads of the team.
int tt_cpu_team_next(tt_cpu_crowd *crowd, int threads, double now, long switches);
// Whether tt_cpu_team_next would look at `switches`.
bool tt_cpu_team_looks(const tt_cpu_crowd *crowd, double now);

#endif
