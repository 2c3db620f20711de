#!/usr/bin/env bash
# What the program does about a machine that it shares: threads that wait give up their core soon, without a variable being
# set; a container's share of the processors is how many threads there are.
set -u
. "$(dirname "$0")/../common.sh"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT KMP_BLOCKTIME KMP_LIBRARY OMP_NUM_THREADS

# What a program that waits for its input has as variables, as OpenMP says itself when it begins, the last time; and its name.
mkfifo questions
look() { # variables and a launcher
    env "$@" OMP_DISPLAY_ENV=verbose "$TINYTHINKER" corpus import jsonl questions -o out.h5 >look.log 2>&1 &
    local pid=$!
    exec 9>questions # returns when it has opened its end
    cat "/proc/$pid/comm" >name
    exec 9>&-
    wait "$pid"
    count=$(sed -n "s/.*GOMP_SPINCOUNT = '\([0-9]*\)'.*/\1/p" look.log | tail -n 1)
    begun=$(grep -c "OPENMP DISPLAY ENVIRONMENT BEGIN" look.log)
}
# From a shell it begins once; without the variable `_` it starts itself anew (host/cli/spinning.h).
for way in "_=x 1" "-u_ 2"; do
    look "${way% *}"
    grep -q GOMP_SPINCOUNT look.log || { echo "another OpenMP than GCC's: its waiting is not looked at"; break; }
    [[ $count =~ ^[0-9]+$ ]] && [ "$count" -ge 100 ] && [ "$count" -lt 100000 ] ||
        fail "${way% *}: rounds of waiting: '$count', expected some thousands" look.log
    [ -z "${TT_FAULTY:-}" ] || [ "$begun" = "${way#* }" ] || fail "${way% *}: begun $begun times, expected ${way#* }" look.log
    [ "$(cat name)" = "$(basename "$TINYTHINKER" | cut -c1-15)" ] || fail "the process is called $(cat name)"
    grep -q "questions" look.log || fail "arguments are lost" look.log
    look "${way% *}" OMP_WAIT_POLICY=passive
    [ "$count" = 0 ] && [ "$begun" = 1 ] || fail "the user's choice was changed" look.log
    look "${way% *}" GOMP_SPINCOUNT=7
    [ "$count" = 7 ] && [ "$begun" = 1 ] || fail "the user's choice was changed" look.log
done

# A group with the time of half a core, of version 2 or 1, where this user may make one.
group=
for place in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct; do
    [ -e "$place/cgroup.procs" ] && mkdir "$place/tinythinker-$$" 2>/dev/null || continue
    if { [ -e "$place/tinythinker-$$/cpu.max" ] && echo "50000 100000" >"$place/tinythinker-$$/cpu.max"; } 2>/dev/null ||
        { [ -e "$place/tinythinker-$$/cpu.cfs_quota_us" ] && echo 50000 >"$place/tinythinker-$$/cpu.cfs_quota_us"; } 2>/dev/null; then
        group=$place/tinythinker-$$
        # shellcheck disable=SC2064 # the group of now
        trap "rmdir '$group'; rm -rf '$work'" EXIT
        break
    fi
    rmdir "$place/tinythinker-$$"
done
if [ -z "$group" ]; then
    echo "no control group can be made here: its limit is not tried"
else
    shown=$(bash -c "echo \$\$ >'$group/cgroup.procs' && exec '$TINYTHINKER' device" 2>&1) || fail "device failed in a group: $shown"
    [[ $shown == *"1 thread of 1 core,"* ]] || fail "a group with half a core: $shown"
fi
exit $failed
