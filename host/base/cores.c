#include "host/base/cores.h"

#include "host/base/log.h"

#include <omp.h>

int tt_cores(void) {
    static int cores;
    if (cores == 0) cores = omp_get_num_procs();
    return cores;
}

int tt_cores_limit(int threads, const char *by) {
    const int cores = tt_cores();
    if (threads <= cores) return threads;
    tt_warn("%s: %d threads are more than the %d core%s that this process may use; computing with %d", by,
        threads, cores, cores == 1 ? "" : "s", cores);
    return cores;
}
