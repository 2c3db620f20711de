// The cores that this process may use, and the number of threads that follows.
#ifndef TT_BASE_CORES_H
#define TT_BASE_CORES_H

#ifdef __cplusplus
extern "C" {
#endif

// Those of the machine, or of the container that the process runs in (whole ones: 2 where it is given the time of 2.5). At
// least 1.
int tt_cores_machine(void);
// Those that this process may use: tt_cores_machine(), or fewer where a launcher or taskset binds it to fewer. As it was at the
// first call, which a program makes before OpenMP binds its threads. At least 1.
int tt_cores(void);
// A number of threads that was asked for, or tt_cores() with a warning if that is smaller. `by`: what asked for it, for the
// warning: "threads", "--threads".
int tt_cores_limit(int threads, const char *by);
// The number of threads where nothing asks for one: that of OMP_NUM_THREADS, limited as above, or tt_cores().
int tt_cores_threads(void);

#ifdef __cplusplus
}
#endif

#endif
