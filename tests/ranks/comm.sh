#!/usr/bin/env bash
# Collectives under mpirun and without it; an error that all agree on, and a rank that leaves.
set -u
. "$(dirname "$0")/../common.sh"
have_mpi || skip "no MPI, or built without it"
export OMP_NUM_THREADS=1
launch() { # ranks, arguments
    local ranks=$1
    shift
    EXPECTED_RANKS=$ranks timeout 60 mpirun --oversubscribe -np "$ranks" "$TT_COMM_CHECK" "$@" 2>&1
}
EXPECTED_RANKS=1 "$TT_COMM_CHECK" || failed=1
for ranks in 1 2 3 4; do
    out=$(launch $ranks) && continue
    echo "FAILED on $ranks ranks: $out"
    failed=1
done
for ranks in 1 2 3; do
    out=$(launch $ranks pieces) || { echo "FAILED: pieces by $ranks ranks: $out"; failed=1; }
done
out=$(launch 3 turns) && grep -q "ranks cannot connect to rank 0 by TCP" <<< "$out" || { echo "FAILED: in turn: $out"; failed=1; }
out=$(launch 3 agree)
status=$?
[ $status -eq 2 ] && [ "$(grep -c 'rank 1: the second rank is unhappy' <<< "$out")" = 1 ] ||
    { echo "FAILED: agree: exit status $status: $out"; failed=1; }
out=$(launch 3 leave)
status=$?
[ $status -eq 1 ] && grep -q 'rank 1 of 3: the second rank is gone' <<< "$out" ||
    { echo "FAILED: leave: exit status $status: $out"; failed=1; }
# Rank 1 computes longer than the others wait.
out=$(TT_TIMEOUT=2.5 launch 3 sleep)
status=$?
[ $status -eq 1 ] && grep -q "barrier: no word from rank 1 on $(hostname) within 2.5 seconds" <<< "$out" ||
    { echo "FAILED: sleep: exit status $status: $out"; failed=1; }
exit $failed
