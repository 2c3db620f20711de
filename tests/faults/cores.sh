#!/usr/bin/env bash
# What the program does about a machine that it shares: threads that wait give up their core soon, without a variable being
# set; a container's share of the processors is how many threads there are.
set -u
. "$(dirname "$0")/../common.sh"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT KMP_BLOCKTIME KMP_LIBRARY OMP_NUM_THREADS

# What a program that waits for its input has as variables, and its name.
mkfifo questions
look() { # variables and a launcher
    env "$@" "$TINYTHINKER" corpus import jsonl questions -o out.h5 >look.log 2>&1 &
    local pid=$!
    exec 9>questions # returns when it has opened its end
    tr '\0' '\n' <"/proc/$pid/environ" | grep -E '^(GOMP_SPINCOUNT|OMP_WAIT_POLICY)=' >variables
    cat "/proc/$pid/comm" >name
    exec 9>&-
    wait "$pid"
}
look A=b
count=$(sed -n 's/^GOMP_SPINCOUNT=//p' variables)
[[ $count =~ ^[0-9]+$ ]] && [ "$count" -ge 100 ] && [ "$count" -lt 100000 ] || fail "rounds of waiting: '$count', expected some thousands"
[ "$(cat name)" = "$(basename "$TINYTHINKER" | cut -c1-15)" ] || fail "the process is called $(cat name)"
grep -q "questions" look.log || fail "arguments are lost: $(cat look.log)"
look OMP_WAIT_POLICY=passive
[ "$(cat variables)" = OMP_WAIT_POLICY=passive ] || fail "the user's choice was changed: $(cat variables)"
look GOMP_SPINCOUNT=7
[ "$(cat variables)" = GOMP_SPINCOUNT=7 ] || fail "the user's choice was changed: $(cat variables)"

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
