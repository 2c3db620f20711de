// The cores that this process may use.
#ifndef TT_BASE_CORES_H
#define TT_BASE_CORES_H

#ifdef __cplusplus
extern "C" {
#endif

// Their number: those of the machine, or fewer where a launcher, taskset or a container allows fewer. As it was at the first
// call, which a program makes before OpenMP binds its threads. At least 1.
int tt_cores(void);
// A number of threads that was asked for, or tt_cores() with a warning if that is smaller. `by`: what asked for it, for the
// warning: "threads", "OMP_NUM_THREADS".
int tt_cores_limit(int threads, const char *by);

#ifdef __cplusplus
}
#endif

#endif
