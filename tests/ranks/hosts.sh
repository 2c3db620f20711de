#!/usr/bin/env bash
# Several hosts, simulated by network namespaces: ranks meet across links with latency and loss, compute what ranks of one host
# compute, and say who is missing where a link is cut before or after the start.
set -u
. "$(dirname "$0")/../common.sh"
unset SLURM_STEP_ID SLURM_JOB_ID SLURM_PROCID SLURM_NTASKS SLURM_STEP_NUM_TASKS SLURM_SUBMIT_DIR
export OMP_NUM_THREADS=1 TT_RENDEZVOUS=$work/meet
command -v ip >/dev/null || skip "no ip (iproute2)"
space=tt$$
names=(alpha beta gamma)
pids=()
clean() {
    [ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
    for name in "${names[@]}" switch; do ip netns delete "$space-$name" 2>/dev/null; done
    rm -rf "$work"
}
trap clean EXIT
ip netns add "$space-switch" 2>ip.log || skip "network namespaces are not permitted: $(cat ip.log)"
in_space() { ip netns exec "$space-$1" "${@:2}"; }
build() {
    in_space switch ip link add br0 type bridge && in_space switch ip link set br0 up || return
    for i in 0 1 2; do
        ip netns add "$space-${names[i]}" && in_space "${names[i]}" ip link set lo up &&
            ip link add "tt$i-$$" type veth peer name eth0 netns "$space-${names[i]}" &&
            ip link set "tt$i-$$" netns "$space-switch" name "port$i" &&
            in_space switch ip link set "port$i" master br0 up &&
            in_space "${names[i]}" ip address add "10.77.0.$((i + 1))/24" dev eth0 && in_space "${names[i]}" ip link set eth0 up || return
    done
}
build 2>ip.log || skip "no bridge of namespaces can be made here: $(cat ip.log)"
hosts=2
# begin COMMAND...: a rank on each host; each host has a name of its own.
begin() {
    local r
    for ((r = 0; r < hosts; ++r)); do
        TT_RANK=$r TT_WORLD=$hosts EXPECTED_RANKS=$hosts ip netns exec "$space-${names[r]}" \
            unshare --uts sh -c 'hostname "$0" && exec "$@"' "${names[r]}" timeout 100 "$@" >rank-$r.log 2>&1 &
        pids[r]=$!
    done
}
ended() { # rank, expected status
    wait "${pids[$1]}"
    local status=$?
    [ $status = "$2" ] || fail "rank $1: exit status $status, expected $2" rank-*.log
}
says() { grep -Eq -- "$2" "rank-$1.log" || fail "rank $1 does not say '$2'" "rank-$1.log"; }
cut_link() { in_space switch ip link set "port$1" down; }

# Latency and loss.
for i in 0 1 2; do
    in_space switch tc qdisc add dev port$i root netem delay 5ms loss 2% 2>tc.log || { echo "without latency and loss: $(cat tc.log)"; break; }
done
hosts=3
begin "$TT_COMM_CHECK"
for r in 0 1 2; do ended $r 0; done
hosts=2
make_run
runs() { begin "$TINYTHINKER" run run.yaml --set "name=$1" --set acquisition.steps="$2" --set acquisition.log_every=1; }
runs apart 8
ended 0 0
ended 1 0
for r in 0 1; do
    TT_RANK=$r TT_WORLD=2 "$TINYTHINKER" run run.yaml --set name=together --set acquisition.steps=8 >rank-$r.log 2>&1 &
    pids[r]=$!
done
ended 0 0
ended 1 0
"$TINYTHINKER" diff runs/apart/checkpoints/acquisition.h5 runs/together/checkpoints/acquisition.h5 >rank-0.log 2>&1 || fail "other bits" rank-0.log

# A link that is cut on the way: both sides say so, and go on from there when it is mended.
export TT_TIMEOUT=5
runs cut 60
until [ "$(cat runs/cut/metrics.jsonl 2>/dev/null | wc -l)" -ge 3 ] || ! kill -0 "${pids[0]}" 2>/dev/null; do sleep 0.05; done
cut_link 1
ended 0 1
says 0 "no word from rank 1 on beta within 5 seconds; TT_TIMEOUT=seconds waits longer"
ended 1 1
says 1 "no word from rank 0 on alpha within 5 seconds"

# The same link before the start.
rm -f meet
begin "$TT_COMM_CHECK"
ended 0 1
says 0 "1 of 2 ranks did not arrive in time: 1"
wait "${pids[1]}" && fail "rank 1 without a link ends well"
says 1 "rank 1 of 2"
in_space switch ip link set port1 up
pids=()
exit $failed
