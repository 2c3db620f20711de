#!/usr/bin/env bash
# The paper's tables in miniature: every sweep of experiments/paper with tiny students and a few questions, one data set and
# one seed; and what fetches the published weights, from a folder in the hub's place.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data
for data in csqa obqa strategyqa; do cp data/corpus.h5 $data.h5; done
cat >run.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
acquisition: {steps: 2, batch_size: 8, interval: 1}
evaluation: {max_length: 8, samples: 0}
YAML
"$TINYTHINKER" run run.yaml >run.txt 2>err.log || fail "a tiny student" err.log
for size in small base large; do mv runs/run/best.h5 t5-$size.h5 2>/dev/null || cp t5-small.h5 t5-$size.h5; done
rm -r runs

# As they are: several sweeps as one, and no phase twice over all of them.
phases() { sed -n 's/^\([0-9]*\) phases, each trained once; for itself, each run would train \([0-9]*\).*/\1/p' "$1"; }
three=()
alone=0
for table in stages phases interval; do
    three+=("$TT_SOURCE_DIR/experiments/paper/$table.yaml")
    "$TINYTHINKER" sweep "${three[-1]}" --dry-run >list.txt 2>err.log || fail "$table" err.log
    alone=$((alone + $(phases list.txt)))
done
"$TINYTHINKER" sweep "${three[@]}" --dry-run >list.txt 2>err.log || fail "three tables" err.log
# Three seeds; the corpora are the same file here. Four acquisitions for the stages, 3 x 5 reflections, five more intervals.
[ "$alone $(phases list.txt)" = "$((3 * (4 + 3 + 15 + 6))) $((3 * (4 + 15 + 5)))" ] || fail "$alone phases apart, $(phases list.txt) together" list.txt
for config in "$TT_SOURCE_DIR"/configs/{csqa,obqa,strategyqa}-{small,base,large}.yaml; do
    printf 'name: one\nbase: %s\n' "$config" >one.yaml
    "$TINYTHINKER" sweep one.yaml --dry-run >list.txt 2>err.log || fail "$config" err.log
    grep -q "^6 phases" list.txt || fail "$config has other phases" list.txt
done

# In miniature, to the report.
mkdir -p tree/tools tree/experiments
cp -r "$TT_SOURCE_DIR/configs" tree/configs
cp -r "$TT_SOURCE_DIR/experiments/paper" tree/experiments/paper
cp "$TT_SOURCE_DIR/tools/paper.sh" tree/tools/
sed -i 's/^seeds: .*/seeds: [1]/; s/csqa.h5, obqa.h5, strategyqa.h5/csqa.h5/' tree/experiments/paper/*.yaml
settings=(acquisition.steps=4 acquisition.batch_size=8 acquisition.validate_every=0 acquisition.dropout=0 reflection.samples=2
    reflection.cycles=1 reflection.questions=8 reflection.batch_size=8 evaluation.max_length=8 evaluation.questions=8 threads=1)
tree/tools/paper.sh --dry-run "${settings[@]/#/--set=}" >list.txt 2>err.log || fail "--dry-run" err.log
[ "$(grep -c 'runs in runs/paper-' list.txt) $(grep -c 'each trained once' list.txt)" = "10 1" ] || fail "not ten tables" list.txt
phases=$(phases list.txt)
tree/tools/paper.sh "${settings[@]/#/--set=}" >out.txt 2>err.log || fail "paper.sh" err.log out.txt
all=$(find runs -name result.json | wc -l)
grep -q "^10 sweeps: $all of $all runs are finished" out.txt || fail "runs are missing" out.txt
# Every phase that a run trained has a file of its own; those that were taken are further names of it.
trained=$(grep -L '"from"' runs/*/*/phases.json | wc -l)
files=$(stat -c %i runs/*/*/checkpoints/*[a-z0-9].h5 | sort -u | wc -l)
names=$(find runs -path '*/checkpoints/*.h5' | wc -l)
once=$(find runs -path '*/checkpoints/*.h5' ! -name '*_best.h5' -printf '%i\n' | sort -u | wc -l)
[ "$once" = "$phases" ] || fail "$once phases were trained, $phases were planned" list.txt
[ "$trained" -gt 0 ] && [ "$files" -lt $((names / 2)) ] || fail "$files files for $names names: phases were trained again"
for table in sizes stages phases targets iterations interval augmentations self-consistency beta-alpha baselines; do
    grep -q "paper-$table" runs/paper.md || fail "$table is not in the report" out.txt
    grep -q "caption{paper-$table" runs/paper.tex || fail "$table is not in the LaTeX" out.txt
done
[ "$(wc -l <runs/summary.csv)" = $(($(find runs -name result.json | wc -l) + 1)) ] || fail "runs/summary.csv" runs/summary.csv
# A data set is missing: the others are in the report, and the runs count as open, now and later; then it is there.
mkdir missing
cp -r tree missing/tree
sed -i 's/corpus: \[csqa.h5\]/corpus: [csqa.h5, later.h5]/; s/^  stages: \[.*/  stages: [all]/' missing/tree/experiments/paper/stages.yaml
ln -s ../csqa.h5 ../t5-base.h5 missing/
for retry in "" "" --retry; do
    [ -z "$retry" ] || ln -s ../csqa.h5 missing/later.h5
    rm -f missing/runs/paper.*
    (cd missing && tree/tools/paper.sh --tables stages $retry "${settings[@]/#/--set=}") >out.txt 2>err.log
    got=$?
    [ $got = $([ -n "$retry" ]; echo $?) ] || fail "paper.sh $retry with a missing data set ends with $got" err.log out.txt
    grep -q "caption{paper-stages" missing/runs/paper.tex || fail "no report of what there is" err.log
    [ $got = 0 ] || grep -q "1 are open" err.log || fail "the missing data set is not told" err.log
done
(cd missing && tree/tools/paper.sh --tables stages --nonsense) >out.txt 2>err.log
[ $? = 2 ] || fail "a wrong option" err.log
"$TT_SOURCE_DIR/tools/paper.sh" --tables "sizes nothing" >out.txt 2>err.log
[ $? = 2 ] && grep -q "nothing is none of the tables" err.log || fail "a table that is none" err.log
(cd missing && tree/tools/paper.sh --tables) >out.txt 2>err.log
[ "$? $(cat err.log)" = "2 $(sed -n 's/^all="\(.*\)"$/paper: --tables needs names out of: \1/p' "$TT_SOURCE_DIR/tools/paper.sh")" ] || fail "--tables without names" err.log

# Published weights: right, wrong, missing, resumed.
if ! command -v curl >/dev/null; then exit $failed; fi
mkdir -p hub/t5-tiny/{raw,resolve}/main
echo '{"d_model": 16}' >hub/t5-tiny/resolve/main/config.json
head -c 70000 data/corpus.h5 >hub/t5-tiny/resolve/main/spiece.model
head -c 90000 data/corpus.h5 >hub/t5-tiny/resolve/main/model.safetensors
cp hub/t5-tiny/{resolve,raw}/main/config.json
for file in spiece.model model.safetensors; do
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 1\n' \
        "$(sha256sum hub/t5-tiny/resolve/main/$file | cut -d' ' -f1)" >hub/t5-tiny/raw/main/$file
done
export TT_HUB=file://$PWD/hub TT_WEIGHTS=weights
fetch() { "$TT_SOURCE_DIR/tools/fetch_weights.sh" t5-tiny >out.txt 2>err.log; }
fetch && grep -q "model import weights/t5-tiny -o t5-tiny.h5" out.txt || fail "fetch_weights.sh" err.log
cmp hub/t5-tiny/resolve/main/model.safetensors weights/t5-tiny/model.safetensors || fail "fetched another file"
fetch && [ ! -s err.log ] || fail "what is there was fetched again" err.log
head -c 1000 weights/t5-tiny/spiece.model >weights/t5-tiny/spiece.model.part
rm weights/t5-tiny/spiece.model
fetch && cmp hub/t5-tiny/resolve/main/spiece.model weights/t5-tiny/spiece.model || fail "not resumed" err.log
echo damage >>hub/t5-tiny/resolve/main/model.safetensors
rm weights/t5-tiny/model.safetensors
fetch && fail "a file with another SHA-256 was taken"
grep -q "has not the published SHA-256" err.log && [ ! -e weights/t5-tiny/model.safetensors ] || fail "the wrong file" err.log
rm hub/t5-tiny/raw/main/model.safetensors
fetch && fail "a file that is not published was taken"
grep -q "has no t5-tiny/model.safetensors" err.log || fail "a file that is missing" err.log
exit $failed
