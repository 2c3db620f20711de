#include "host/base/cores.h"

#include "host/base/cgroup.h"
#include "host/base/log.h"

#include <omp.h>
#include <stdlib.h>
#include <unistd.h>

int tt_cores_machine(void) {
    static int cores;
    if (cores == 0) {
        const long there = sysconf(_SC_NPROCESSORS_ONLN);
        const double granted = tt_cgroup_cores("/proc/self/mountinfo", "/proc/self/cgroup");
        cores = there > 0 ? (int)there : 1;
        // Not rounded up: threads that wait for one whose time is used up lose more than half a core.
        if (granted > 0 && granted < cores) cores = granted < 1 ? 1 : (int)granted;
    }
    return cores;
}

int tt_cores(void) {
    static int cores;
    if (cores == 0) {
        const int bound = omp_get_num_procs();
        cores = bound < tt_cores_machine() ? bound : tt_cores_machine();
    }
    return cores;
}

int tt_cores_limit(int threads, const char *by) {
    const int cores = tt_cores();
    if (threads <= cores) return threads;
    tt_warn("%s: %d threads are more than the %d core%s that this process may use; computing with %d", by,
        threads, cores, cores == 1 ? "" : "s", cores);
    return cores;
}

int tt_cores_threads(void) {
    if (!getenv("OMP_NUM_THREADS")) return tt_cores();
    return tt_cores_limit(omp_get_max_threads(), "OMP_NUM_THREADS");
}
