#!/usr/bin/env bash
# Makes the golden files again and compares them with tests/golden, then trains a small T5 for 200 steps on 500
# StrategyQA questions in our program and in PyTorch and compares the loss curves (tools/golden_curves.py). The results are
# written to build/golden/curves. Last, it exports adapters and loads them with PEFT (tools/golden_adapters.py).
#   DATA=FOLDER           the published data sets (tools/fetch_datasets.sh); default ../shared/data
#   GOLDEN_PYTHON=PYTHON  a Python with tools/requirements-golden.txt; default: one that is made under build/golden
#   TINYTHINKER=PROGRAM   default: build/default/tinythinker
set -euo pipefail
cd "$(dirname "$0")/.."
data=${DATA:-../shared/data}
work=build/golden
program=${TINYTHINKER:-build/default/tinythinker}
python=${GOLDEN_PYTHON:-$work/env/bin/python}
[ -f "$data/strategyqa/train.json" ] || {
    echo "$data/strategyqa/train.json: no such file; tools/fetch_datasets.sh DIR fetches it, then DATA=DIR" >&2
    exit 1
}
[ -x "$program" ] || {
    cmake --preset default >/dev/null
    cmake --build --preset default --target tinythinker_cli -- --quiet
}
mkdir -p "$work"
if [ -z "${GOLDEN_PYTHON:-}" ] && [ ! -x "$python" ]; then
    python3 -m venv "$work/env"
    "$work/env/bin/pip" install --quiet -r tools/requirements-golden.txt
fi

echo "== golden files"
"$python" -W ignore tools/make_golden.py --data "$data" --out "$work/files" 2>/dev/null
"$python" - tests/golden "$work/files" <<'PY'
import os, sys
import h5py, numpy as np
committed, again = sys.argv[1:]
worst = [0.0]
for name in sorted(os.listdir(committed)):
    with h5py.File(f"{committed}/{name}") as a, h5py.File(f"{again}/{name}") as b:
        def compare(key, item):
            if not isinstance(item, h5py.Dataset):
                return
            x, y = item[()], b[key][()]
            if x.dtype.kind in "fc":
                distance = np.linalg.norm(x - y) / max(np.linalg.norm(x), 1e-30)
                worst[0] = max(worst[0], distance)
                # bf16 on another CPU flips other ReLUs
                assert distance <= (0.5 if key == "bf16_distance" else 1e-5), f"{name}: {key} is {distance:.2g} away"
            else:
                assert (x == y).all(), f"{name}: {key} differs"
        a.visititems(compare)
print(f"all data sets agree; largest relative difference {worst[0]:.1g}")
PY

echo "== loss curves"
rm -rf "$work/run" && mkdir -p "$work/run"
"$python" - "$data/strategyqa/train.json" "$work/run" <<'PY'
import json, sys
source, out = sys.argv[1:]
questions = json.load(open(source, encoding="utf-8"))[:625]  # 500 after the split of 80/10/10
json.dump(questions, open(f"{out}/questions.json", "w"))
with open(f"{out}/texts.txt", "w") as f:
    for q in questions:
        f.write(q["question"] + "\n" + " ".join(q["facts"]).replace("\n", " ") + "\n")
    f.write("So the answer is option A.\nSo the answer is option B.\n(A) yes (B) no Recall: Summarize:\n")
PY
"$program" tokenizer train "$work/run/texts.txt" -o "$work/run/t.model" --pieces 2000
"$program" corpus import strategyqa "$work/run/questions.json" --facts-as-recall \
    --tokenizer "$work/run/t.model" -o "$work/run/corpus.h5"
"$program" model init --tokenizer "$work/run/t.model" --d-model 128 --d-kv 32 --heads 4 --d-ff 512 \
    --layers 3 -o "$work/run/start.h5"
cat >"$work/run/run.yaml" <<YAML
name: curves
output: $work/run
corpus: $work/run/corpus.h5
stages: no_analyze
precision: fp32
model: {start: $work/run/start.h5}
acquisition: {steps: 200, batch_size: 16, interval: 1, learning_rate: 1e-4, dropout: 0, log_every: 1,
  validate_every: 0, validation_questions: 1}
evaluation: {splits: []}
YAML
"$program" run "$work/run/run.yaml" >/dev/null
"$python" -W ignore tools/golden_curves.py "$work/run/curves" "$work/run/start.h5" "$work/run/corpus.h5" "$work/curves"

echo "== adapters"
adapt() { # name, start, settings...
    local name=$1 start=$2
    shift 2
    "$program" run "$work/run/run.yaml" --set name="$name" --set model.start="$start" --set acquisition.steps=20 \
        --set acquisition.learning_rate=1e-2 --set model.adapters.rank=8 "$@" >/dev/null
    for what in "" --adapters; do
        "$program" model export "$work/run/$name/best.h5" -o "$work/run/$name-export$what" $what
    done
}
"$program" model export "$work/run/start.h5" -o "$work/run/base-export"
adapt one "$work/run/start.h5" --set model.adapters.alpha=12
adapt two "$work/run/one/best.h5" --set model.adapters.rank=3 --set "model.adapters.targets=k, o, wi, wo"
for name in one two; do
    "$python" -W ignore tools/golden_adapters.py "$work/run/base-export" "$work/run/$name-export--adapters" "$work/run/$name-export"
done
