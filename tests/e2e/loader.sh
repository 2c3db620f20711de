#!/usr/bin/env bash
# The program started by a loader that is called by hand, as a bundle's `run` does: /proc/self/exe is the loader then. It starts
# itself anew, finds shipped files and starts the runs of a sweep all the same.
set -u
. "$(dirname "$0")/../common.sh"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT # with either of them the program does not start itself anew
make_run

loader=$(ldd "$TINYTHINKER" | awk '$1 ~ /^\/.*ld-/ { print $1 }')
[ -x "$loader" ] || { echo "skipped: ldd names no loader"; exit 77; }
# A relative path, and a name that is a word of the arguments too.
mkdir bin share
cp "$TINYTHINKER" bin/device
ln -s "$TT_SOURCE_DIR" share/tinythinker # as it is installed
"$loader" bin/device device > out.txt 2>&1 || { fail "device"; cat out.txt; }
grep -q '^cpu ' out.txt || { fail "no line of the CPU"; cat out.txt; }

# A name that is the program's own file, and a folder with a newline in its name.
"$loader" --argv0 bin/device bin/device device > out.txt 2>&1 || { fail "--argv0"; cat out.txt; }
mkdir $'new\nline'
cp "$TINYTHINKER" $'new\nline/device'
for start in "" "$loader"; do
    $start $'new\nline/device' device > out.txt 2>&1 || { fail "a newline in the path"; cat out.txt; }
done

cat > sweep.yaml <<'YAML'
name: toy
base: run.yaml
axes: {stages: [all, summarize_only]}
YAML
"$loader" bin/device sweep sweep.yaml --jobs 2 > out.txt 2>&1 || { fail "the sweep"; cat out.txt runs/toy/*/log.txt; }
[ "$(ls runs/toy/*/result.json | wc -l)" = 2 ] || { fail "two runs should have a result"; cat out.txt; }

TT_DATA= "$loader" bin/device plan configs/everyday.yaml > out.txt 2>&1
grep -q 'reading .*/configs/everyday.yaml' out.txt || { fail "a shipped file is not found"; cat out.txt; }
exit $failed
