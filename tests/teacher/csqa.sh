#!/usr/bin/env bash
# 500 questions of CommonsenseQA, 30 % of all requests disturbed, the program killed twice: the corpus is the one without
# disturbances, and no question whose answer arrived is asked again, as the server counts.
. "$TT_SOURCE_DIR/tests/common.sh"
csqa=$TT_SOURCE_DIR/../shared/data/csqa
[ -f "$csqa/train_rand_split.jsonl" ] || skip "no CommonsenseQA in $csqa"
. "$TT_SOURCE_DIR/tests/teacher/setup.bash"

"$TINYTHINKER" corpus import csqa "$csqa"/{train,dev}_rand_split.jsonl -o questions.h5 >out 2>&1 || die "import" out
teach() { "$TINYTHINKER" teach "$@" --limit 500; }
texts="prompts: $TT_SOURCE_DIR/datasets/prompts/csqa.yaml"
csqa_plan() { # name
    plan "$1" "in_flight: 8"
    sed -i "s|^prompts:.*|$texts|; s/^exemplars:.*/exemplars: 8/; s/^n_augment:.*/n_augment: 8/; s/^choices:.*/choices: 8/" "$1.yaml"
}
content=(--rate-format 0.15 --rate-disagree 0.1 --rate-length 0.1)
serve "${content[@]}" --count plain.counts
csqa_plan plain
teach plain.yaml >plain.out 2>log || die "without faults" log
stop_servers
port=${url##*:} port=${port%%/*} # the address is part of where a corpus comes from
serve "${content[@]}" --port "$port" --rate-429 0.06 --rate-500 0.06 --rate-503 0.04 --rate-close 0.05 --rate-cut 0.04 \
    --rate-malformed 0.03 --rate-empty 0.02 --retry-after 0 --latency-ms 20 --count faulty.counts
csqa_plan faulty
kills=0
for lines in 150 400; do
    "$TINYTHINKER" teach faulty.yaml --limit 500 >out 2>log &
    child=$!
    while [ "$(wc -l 2>/dev/null <faulty.journal.jsonl || echo 0)" -lt $lines ] && kill -0 $child 2>/dev/null; do sleep 0.02; done
    kill -9 $child 2>/dev/null && kills=$((kills + 1))
    wait $child 2>/dev/null
done
[ $kills -eq 2 ] || fail "killed $kills times, not twice"
teach faulty.yaml >faulty.out 2>log || die "with faults" log
stop_servers
show() { "$TINYTHINKER" corpus show "$1.h5" --examples 10000; } # with its hash and where it comes from
cmp <(show plain) <(show faulty) || fail "faults and kills change the corpus"
show plain | sed -n '1p; /^collected/,/^split/p' | grep -v '^split' | sed '/^  first that/,$d'
python3 - <<'PYTHON' || failed=1
import json, sys
plain, faulty = (json.load(open(f"{name}.counts")) for name in ("plain", "faulty"))
again = {q: n - plain["per_question"].get(q, 0) for q, n in faulty["per_question"].items()}
lost = sum(again.values())
# Of the answers that could not be read only the cost is kept.
kept = sum('"choices":[]' not in line for line in open("faulty.journal.jsonl")) - 1
faults = sum(faulty["faults"].values()) if faulty["faults"] else 0
print(f"requests: {plain['requests']} without faults; {faulty['requests']} with {faults} faults and two kills")
print(f"answers sent: {plain['answered']} and {faulty['answered']}; kept in the journal: {kept}")
print(f"sent to a killed program and asked again: {lost}, at most 8 at each kill")
# Of each question exactly the requests that were answered without faults, but for those in flight when it was killed.
if min(again.values()) < 0 or sorted(again) != sorted(plain["per_question"]) or lost > 16 or kept != plain["answered"]:
    sys.exit("FAILED: answered questions were asked again, or are missing")
PYTHON
exit $failed
