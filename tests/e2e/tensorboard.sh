#!/usr/bin/env bash
# Event files as the tensorboard package reads them: the numbers of metrics.jsonl, none left out. Skipped where
# Python has no such package (GOLDEN_PYTHON: an interpreter that has).
set -u
. "$(dirname "$0")/../common.sh"
python=${GOLDEN_PYTHON:-python3}
"$python" -c "import tensorboard" 2> /dev/null || skip "no tensorboard package"
make_data
cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
log: tensorboard
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4}
acquisition: {steps: 40, batch_size: 16, interval: 1, learning_rate: 5e-3, validate_every: 1, log_every: 3}
reflection: {iterations: 1, questions: 10, samples: 3, batch_size: 16, cycles: 1, log_every: 1}
evaluation: {splits: [], max_length: 16}
precision: fp32
YAML
"$TINYTHINKER" run base.yaml > log 2>&1 || { cat log; exit 1; }
"$python" -W ignore - <<'PY'
import json
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator("runs/run/tensorboard", size_guidance={"scalars": 0})
events.Reload()
got = {(tag, e.step): e.value for tag in events.Tags()["scalars"] for e in events.Scalars(tag)}
want = {}
def put(prefix, step, item):
    for key, value in item.items():
        if isinstance(value, dict):
            put(f"{prefix}/{key}", step, value)
        elif key != "step" and isinstance(value, (int, float)) and not isinstance(value, bool):
            want[f"{prefix}/{key}", step] = value
for line in map(json.loads, open("runs/run/metrics.jsonl")):
    put(line["phase"] + ("/" + line["stage"] if "stage" in line else ""), line["step"], line)
assert got.keys() == want.keys(), got.keys() ^ want.keys()
assert all(abs(got[k] - want[k]) <= 1e-6 * max(1, abs(want[k])) for k in want)
assert any("rewards/margins" in tag for tag, _ in want) and len(want) > 100
print(f"{len(want)} numbers agree")
PY
