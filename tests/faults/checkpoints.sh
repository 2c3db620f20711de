#!/usr/bin/env bash
# Checkpoints to resume from: how many there are and what they are called; a damaged one is named and put aside, the one before
# it is used, and the run ends in the same bits; by one rank and by two.
set -u
[ -w /dev/shm ] && export TMPDIR=/dev/shm # nothing is timed, and a fsync costs nothing there
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_run
sed -i 's/d_model: 16/d_model: 8/' run.yaml
shown=(err.log)
cat >>run.yaml <<'YAML'
pretraining: {text: [data/text.txt], window: 32, steps: 4, batch_size: 8, save_every: 2}
YAML
sets="--set acquisition.steps=80 --set acquisition.save_every=10 --set acquisition.validate_every=0 --set acquisition.log_every=20
    --set evaluation.splits=[]"
run() { "$TINYTHINKER" run run.yaml $sets --set name="$1" "${@:2}" >out.log 2>err.log; }
has() { # name, files
    [ "$(cd "runs/$1/checkpoints" && echo *)" = "$2" ] || fail "$1: $(cd "runs/$1/checkpoints" && echo *), expected $2"
}
# stopped NAME FILE SETTINGS...: a run that is killed once the file is there.
stopped() {
    local pid
    "$TINYTHINKER" run run.yaml $sets --set name="$1" "${@:3}" >out.log 2>err.log &
    pid=$!
    until [ -e "runs/$1/checkpoints/$2" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.005; done
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ ! -e "runs/$1/result.json" ] || fail "$1 ended before it could be killed"
    rm -f "runs/$1"/checkpoints/*.tmp
}
damage() {
    local at=$(($(wc -c <"$1") / 2))
    printf '\xa5\x5a\xa5\x5a' | dd of="$1" bs=1 seek=$at conv=notrunc 2>/dev/null
}
same() { # name
    run "$1" "${@:2}" || fail "$1 cannot be resumed"
    "$TINYTHINKER" diff runs/straight/checkpoints/acquisition.h5 "runs/$1/checkpoints/acquisition.h5" >diff.log 2>&1 ||
        fail "$1: other bits" diff.log
    "$TINYTHINKER" diff --only weights runs/straight/best.h5 "runs/$1/best.h5" >diff.log 2>&1 || fail "$1: other bits" diff.log
}

run straight || die "a run"
has straight acquisition.h5 # those before the last are gone when the run is finished
grep -Eq "^checkpoints: 2 of [0-9.]+ MB each and the best, together [0-9.]+ MB; [0-9.]+ [GM]B are free in " err.log ||
    fail "the disk space is not told"

# The newest is damaged.
stopped newest acquisition.1.h5
has newest "acquisition.1.h5 acquisition.h5"
mkdir old && cp -r runs/newest old/ # for what follows
damage runs/newest/checkpoints/acquisition.h5
same newest
grep -q "warning: .*newest/checkpoints/acquisition.h5: .*damaged.*; the checkpoint before it is tried" err.log || fail "not named"
grep -q "acquisition: resuming after step [1-9]" err.log || fail "the one before is not used"
has newest "acquisition.damaged.h5 acquisition.h5"

# The newest is missing, as after a crash on a file system without hard links; a directory of an earlier version, with one
# checkpoint alone; several ranks; one more start with fewer to keep.
for name in missing single ranks fewer; do
    cp -r old/newest runs/$name
    sed -i "s/^name: .*/name: \"$name\"/" runs/$name/config.yaml
done
rm runs/missing/checkpoints/acquisition.h5
same missing
grep -q "acquisition: resuming after step [1-9]" err.log || fail "the one before a missing one is not used"
rm runs/single/checkpoints/acquisition.1.h5
sed -i '/^checkpoints:/,$d; /skip_limit/d' runs/single/config.yaml
same single --set checkpoints.keep=1
grep -q "acquisition: resuming after step [1-9]" err.log || fail "a single one is not used"
if have_mpi; then
    damage runs/ranks/checkpoints/acquisition.h5
    timeout 60 mpirun --oversubscribe -np 2 "$TINYTHINKER" run run.yaml $sets --set name=ranks >out.log 2>err.log || fail "ranks"
    [ "$(grep -c 'the checkpoint before it is tried' err.log)" = 1 ] || fail "two ranks do not name the damage once"
    grep -q "acquisition: resuming after step [1-9]" err.log || fail "two ranks do not use the one before"
fi

# None is sound: said so, and nothing is touched.
damage runs/fewer/checkpoints/acquisition.h5
damage runs/fewer/checkpoints/acquisition.1.h5
run fewer && fail "a run over damaged checkpoints"
grep -q "fewer/checkpoints/acquisition.h5: .*damaged.*; no earlier checkpoint can be read; without these files the phase starts over" \
    err.log || fail "not told"
has fewer "acquisition.1.h5 acquisition.h5"
rm runs/fewer/checkpoints/*
same fewer --set checkpoints.keep=1

# As many as the key says; --fresh removes them all.
stopped many acquisition.3.h5 --set checkpoints.keep=4
has many "acquisition.1.h5 acquisition.2.h5 acquisition.3.h5 acquisition.h5"
stopped one acquisition.h5 --set checkpoints.keep=1
has one acquisition.h5
cp runs/many/checkpoints/acquisition.1.h5 runs/many/checkpoints/acquisition.2.damaged.h5
cp runs/many/checkpoints/acquisition.1.h5 runs/many/checkpoints/acquisition.mine.h5
run many --fresh || fail "--fresh"
has many "acquisition.h5 acquisition.mine.h5"

# A phase that others followed is not trained again behind their backs.
sets="$sets --set pretraining.enabled=true"
run straight --fresh || die "a run with pretraining"
stopped later acquisition.h5
damage runs/later/checkpoints/pretraining.h5
run later && fail "a phase is lost before one that has begun"
grep -q "later/checkpoints/pretraining.h5 of the end of this phase is lost.*remove .*later/checkpoints/acquisition.h5" err.log ||
    fail "not told"
rm runs/later/checkpoints/acquisition*
same later
exit $failed
