#!/usr/bin/env bash
# HDF5 files that are damaged, of an earlier version, or on a disk that is full: each with a message, status 1, and nothing
# lost or left behind.
set -u
[ -x "$TINYTHINKER" ] || { echo "no program at $TINYTHINKER"; exit 1; }
. "$(dirname "$0")/../common.sh"
make_data
shown=(out.log err.log)

# expect STATUS PATTERN ARGUMENTS...: what the program prints must match PATTERN.
expect() {
    local status=$1 pattern=$2 got
    shift 2
    timeout 60 "$TINYTHINKER" "$@" >out.log 2>err.log </dev/null
    got=$?
    [ $got -eq "$status" ] || fail "$*: exit status $got, expected $status"
    cat out.log err.log | grep -Eq -- "$pattern" || fail "$*: no '$pattern'"
    ! grep -q 'HDF5-DIAG\|AddressSanitizer\|runtime error' err.log || fail "$*: noise"
}

# A corpus of version 0.1.0: read through a copy up to 256 MiB, refused beyond that, with the command that renews it; renewed in
# place, then like any other.
cp data/old.h5 old.h5
sum=$(cksum <old.h5)
mkdir tmp
TMPDIR=tmp expect 0 "old.h5: has no checksum.*'tinythinker renew old.h5'" corpus show old.h5
[ "$sum" = "$(cksum <old.h5)" ] || fail "a file that was read has changed"
[ -z "$(ls -A tmp)" ] || fail "a copy stayed: $(ls tmp)"
mkdir full
if mount -t tmpfs -o size=8k tmpfs full 2>/dev/null; then
    TMPDIR=full expect 1 "old.h5: cannot make a checked copy: .*No space left" corpus show old.h5
    umount full
fi
TMPDIR=nowhere expect 1 "old.h5: cannot make a checked copy: nowhere/tinythinker-.*No such file" corpus show old.h5
cp old.h5 large.h5
truncate -s $((256 << 20)) large.h5
expect 0 "^corpus toy" corpus show large.h5
truncate -s $(((256 << 20) + 1)) large.h5
expect 1 "large.h5: has no checksum.*'tinythinker renew large.h5'" corpus show large.h5
rm large.h5
expect 0 "old.h5: renewed .corpus." renew old.h5
expect 0 "^corpus toy" corpus show old.h5
"$TINYTHINKER" corpus show data/corpus.h5 | tail -n +2 >want
"$TINYTHINKER" corpus show old.h5 | tail -n +2 | cmp -s - want || fail "a renewed corpus is another"
expect 0 "old.h5: is sound.*nothing to do" renew old.h5

# A damaged one stays as it is; others on the same line are renewed.
cp data/old.h5 other.h5
head -c 20000 data/old.h5 >cut.h5
sum=$(cksum <cut.h5)
expect 1 "cut.h5: " renew cut.h5 other.h5
grep -q "1 of 2 files could not be renewed" err.log || fail "the failures are not counted"
grep -q "other.h5: renewed" out.log || fail "a damaged file kept others from being renewed"
[ "$sum" = "$(cksum <cut.h5)" ] || fail "a damaged file was changed"
expect 1 "text.txt: not an HDF5 file" renew data/text.txt
expect 1 "nowhere.h5: no such file" renew nowhere.h5
expect 1 "data: is a folder; expected an HDF5 file" renew data
mkfifo pipe
expect 1 "pipe: is a pipe; expected an HDF5 file" renew pipe
ln -s circle circle
expect 1 "explain: circle: cannot open: Too many levels" explain circle
expect 2 "" renew
for left in *.renewed* *.tmp; do [ -e "$left" ] && fail "$left stayed"; done

# One bit of a sealed file, anywhere: also where only words for people lie.
size=$(wc -c <data/corpus.h5)
for at in 0 7 30 200 511 512 600 $((size / 2)) $((size - 1)); do
    cp data/corpus.h5 flip.h5
    byte=$(od -An -tu1 -j "$at" -N 1 flip.h5)
    printf "%b" "\\x$(printf %x $((byte ^ 4)))" | dd of=flip.h5 bs=1 seek="$at" conv=notrunc 2>/dev/null
    expect 1 "flip.h5: .*(damaged|truncated|checksum)" corpus show flip.h5
done
head -c $((size - 1)) data/corpus.h5 >cut.h5
expect 1 "cut.h5: truncated: it has $((size - 1)) bytes, but $size were written" corpus show cut.h5
expect 1 "cut.h5: truncated" renew cut.h5
{ cat data/corpus.h5; echo; } >long.h5
expect 1 "long.h5: damaged: it has $((size + 1)) bytes, but $size were written" corpus show long.h5

# Other programs' files.
expect 1 "corpus.h5: expected a checkpoint, got a corpus" model show data/corpus.h5

# A disk that is full.
mkdir full
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
    trap 'umount "$work/full"; rm -rf "$work"' EXIT
    expect 0 "" model init --tokenizer data/tokenizer.model --d-model 16 --d-kv 4 --d-ff 32 --heads 4 --extra-ids 7 -o small.h5
    head -c 40960 /dev/zero >full/other
    for command in "model convert small.h5" "corpus merge data/corpus.h5 other.h5"; do
        expect 1 "full/x.h5: .*No space left on device" $command -o full/x.h5
        [ "$(ls full)" = other ] || fail "$command: $(ls full | tr '\n' ' ')in a full folder"
    done
else
    echo "not tried: a full disk, which takes root and tmpfs"
fi
exit $failed
