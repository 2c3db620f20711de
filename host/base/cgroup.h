// The limit that control groups (containers, Slurm, systemd) set on the CPU time of this process.
#ifndef TT_BASE_CGROUP_H
#define TT_BASE_CGROUP_H

#ifdef __cplusplus
extern "C" {
#endif

// The least limit of the process's groups and of those around them, in cores: CPU time for each unit of time, say 2.5.
// 0 if there is none or it cannot be read. Versions 1 (cpu.cfs_quota_us) and 2 (cpu.max) of control groups.
//   mountinfo: "/proc/self/mountinfo", where the groups' file systems are mounted
//   groups:    "/proc/self/cgroup", the groups of the process
// Format of these files: proc_pid_mountinfo(5), cgroups(7).
double tt_cgroup_cores(const char *mountinfo, const char *groups);

#ifdef __cplusplus
}
#endif

#endif
