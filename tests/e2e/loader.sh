#!/usr/bin/env bash
# The program started by a loader that is called by hand, as a bundle's `run` does: /proc/self/exe is the loader then. It starts
# itself anew, finds shipped files and starts the runs of a sweep all the same.
set -u
. "$(dirname "$0")/../common.sh"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT # with either of them the program does not start itself anew
make_data

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
base: base.yaml
axes: {stages: [all, summarize_only]}
YAML
cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 8, d_ff: 32, num_heads: 2}
acquisition: {steps: 2, batch_size: 4, interval: 1, validate_every: 0}
evaluation: {max_length: 4, samples: 0}
precision: fp32
YAML
"$loader" bin/device sweep sweep.yaml --jobs 2 > out.txt 2>&1 || { fail "the sweep"; cat out.txt runs/toy/*/log.txt; }
[ "$(ls runs/toy/*/result.json | wc -l)" = 2 ] || { fail "two runs should have a result"; cat out.txt; }

TT_DATA= "$loader" bin/device plan configs/everyday.yaml > out.txt 2>&1
grep -q 'reading .*/configs/everyday.yaml' out.txt || { fail "a shipped file is not found"; cat out.txt; }
exit $failed
