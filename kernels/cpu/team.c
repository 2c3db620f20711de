#include "kernels/cpu/team.h"

#include "host/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

// Alone, a thread loses its core some 10 to 20 times a second; beside a process as large as its own, 600 times and more.
static const double period = 0.05, crowded_thread = 150, shortest = 0.5, longest = 4;

static int quarter(int n) {
    return n < 8 ? 1 : n / 4;
}

int tt_cpu_team_next(tt_cpu_crowd *c, int threads, double now, long switches) {
    const double passed = now - c->seen, rate = passed > 0 ? (double)(switches - c->switches) / passed : 0;
    const bool first = c->seen == 0;
    int team = c->away < threads ? threads - c->away : 1;
    const double crowded = crowded_thread * team;
    if (!first && passed < period) return team;
    c->seen = now, c->switches = switches;
    if (first) return team;
    if (rate > crowded && team > 1) {
        c->wait = !c->grown ? shortest : 2 * c->wait < longest ? 2 * c->wait : longest;
        c->grown = false;
        team -= quarter(team);
        c->until = now + c->wait;
    } else if (rate <= crowded && team < threads && now >= c->until) {
        team += quarter(team);
        if (team > threads) team = threads;
        c->grown = true;
        c->until = now + c->wait;
    } else if (c->grown && now >= c->until) {
        c->grown = false; // the try has succeeded
    }
    c->away = threads - team;
    return team;
}

int tt_cpu_team(int threads) {
    static tt_cpu_crowd crowd;
    static int gives_way = -1;
    static double looked;
    if (threads == 1) return 1;
    if (gives_way < 0) {
        const char *value = getenv("TT_GIVE_WAY");
        gives_way = !value || strcmp(value, "0") != 0;
    }
    if (!gives_way) return threads;
    const double now = tt_seconds();
    if (now - looked < period) return crowd.away < threads ? threads - crowd.away : 1;
    looked = now;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return threads;
    return tt_cpu_team_next(&crowd, threads, now, usage.ru_nivcsw);
}
