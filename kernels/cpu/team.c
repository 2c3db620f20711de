#include "kernels/cpu/team.h"

#include "host/base/log.h"

#include <sys/resource.h>

// Alone, a thread loses its core some 10 to 20 times a second; two processes of two threads lose theirs 1,300 times each. One busy
// stranger takes a core some hundred times a second, and all the team waits for that thread: so the bound grows slowly.
static const double period = 0.05, pause = 1, crowded = 240, crowded_thread = 30, shortest = 0.5, longest = 4;

static int quarter(int n) {
    return n < 8 ? 1 : n / 4;
}

bool tt_cpu_team_looks(const tt_cpu_crowd *c, double now) {
    return now - c->seen >= period;
}

int tt_cpu_team_next(tt_cpu_crowd *c, int threads, double now, long switches) {
    int team = c->away < threads ? threads - c->away : 1;
    const bool paused = now - c->called > pause;
    c->called = now;
    if (!tt_cpu_team_looks(c, now)) return team;
    const double rate = (double)(switches - c->switches) / (now - c->seen);
    c->seen = now, c->switches = switches;
    if (paused) return team; // nobody knows what the process did meanwhile
    if (rate > crowded + crowded_thread * team) {
        if (team == 1) return team;
        if (c->grown)
            c->wait = 2 * c->wait < longest ? 2 * c->wait : longest;
        else if (c->away == 0)
            c->wait = shortest;
        c->grown = false;
        team -= quarter(team);
        c->until = now + c->wait;
    } else if (now >= c->until) {
        if (c->grown) c->wait = shortest; // the try has succeeded
        c->grown = team < threads;
        team += quarter(team);
        if (team > threads) team = threads;
        c->until = now + c->wait;
    }
    c->away = threads - team;
    return team;
}

static tt_cpu_crowd crowd;
static int set;

void tt_cpu_team_set(int team) {
    set = team;
    crowd = (tt_cpu_crowd){0};
}

int tt_cpu_team(int threads) {
    struct rusage usage = {.ru_nivcsw = crowd.switches};
    if (set > 0 || threads == 1) return set > 0 && set < threads ? set : threads;
    const double now = tt_seconds();
    if (tt_cpu_team_looks(&crowd, now)) (void)getrusage(RUSAGE_SELF, &usage);
    return tt_cpu_team_next(&crowd, threads, now, usage.ru_nivcsw);
}
