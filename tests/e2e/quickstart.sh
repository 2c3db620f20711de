#!/usr/bin/env bash
# The README's commands, shortened: the shipped configurations run to their table, the student answers, and one's
# own questions are imported and scored.
set -eu
. "$(dirname "$0")/../common.sh"
cd "$TT_SOURCE_DIR"
[ -f datasets/everyday/student.h5 ] || skip "no datasets/everyday/student.h5"
short="--set acquisition.steps=21 --set acquisition.validate_every=2 --set acquisition.validation_questions=10
    --set reflection.questions=6 --set reflection.samples=2 --set reflection.cycles=1 --set evaluation.questions=20 --set evaluation.samples=2 --set output=$work --set threads=1"

has() { # file, pattern...
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        grep -Eq -- "$pattern" "$file" || { echo "FAILED: no '$pattern' in:"; cat "$file"; exit 1; }
    done
}

for name in everyday everyday-reflection everyday-summarize-only; do
    "$TINYTHINKER" run "configs/$name.yaml" $short >"$work/$name.out" 2>"$work/$name.err" ||
        { cat "$work/$name.err"; exit 1; }
    for file in config.yaml metrics.jsonl result.json environment.json predictions.jsonl best.h5; do
        [ -s "$work/$name/$file" ] || { echo "FAILED: $name/$file is missing"; exit 1; }
    done
done
has "$work/everyday.out" "test +greedy" "control +greedy" "self-consistency of 2"
has "$work/everyday/predictions.jsonl" '"recall":' '"analyze":\[' '"summarize":' '"id":"everyday-test-0001"'
[ "$(grep -c '"split":"control"' "$work/everyday/predictions.jsonl")" -eq 20 ]

"$TINYTHINKER" compare "$work/everyday" "$work/everyday-reflection" "$work/everyday-summarize-only" >"$work/table"
has "$work/table" "^everyday: all, 21 steps" "^everyday-summarize-only: summarize_only, [0-9]+ steps" "  test, before reflection +[0-9.]+ %" \
    "everyday-reflection after reflection_1, against after acquisition" "everyday-summarize-only against everyday" \
    "  test, greedy +[-+][0-9.]+  \[[-+][0-9.]+, [-+][0-9.]+\].* 20$"

# The stages that decided add up to the answers that are wrong, as many as the run's own evaluation counts.
"$TINYTHINKER" explain "$work/everyday" >"$work/explained"
has "$work/explained" "^test: [0-9]+ of 20 answers are correct" "^The first wrong answer: everyday-test-[0-9]+$" \
    "^  Decided in: (recall|analyze|summarize)[.]$" "^  With the teacher's recall and analyses the student answers "
python3 - "$work/explained" "$work/everyday/result.json" <<'PYTHON' || exit 1
import json, re, sys
text, result = open(sys.argv[1]).read(), json.load(open(sys.argv[2]))["test"]["greedy"]
right = int(re.search(r"test: (\d+) of", text).group(1))
stages = dict(re.findall(r"^  (recall|analyze|summarize) +(\d+)  ", text, re.M))
wanted = round(result["accuracy"] * result["n"])
if right != wanted or len(stages) != 3 or sum(map(int, stages.values())) != result["n"] - right:
    sys.exit(f"FAILED: {wanted} of {result['n']} are right, but explain says: {text}")
PYTHON

"$TINYTHINKER" ask --model "$work/everyday/best.h5" "What holds water?" cup knife rope >"$work/answer"
has "$work/answer" "^Recall$" "^Analyze$" "\(C\) rope: " "^Summarize$" "^Answer$"

cat >"$work/mine.jsonl" <<'JSON'
{"question": "What holds water?", "options": ["cup", "knife"], "gold": "cup", "split": "test", "general": "Hollow things hold water.", "specific": ["A cup is hollow.", "A knife is flat."]}
JSON
"$TINYTHINKER" corpus import jsonl "$work/mine.jsonl" -o "$work/mine.h5" >/dev/null
"$TINYTHINKER" corpus show "$work/mine.h5" >"$work/shown"
has "$work/shown" "recall: Hollow things hold water." "\(A\) cup   <- gold"
"$TINYTHINKER" eval --model "$work/everyday/best.h5" --corpus "$work/mine.h5" --json >"$work/score"
has "$work/score" '"split": "test".*"n": 1'
"$TINYTHINKER" model show datasets/everyday/student.h5 >"$work/student"
has "$work/student" "parameters" "tokenizer"
# The shipped reasoner: three of four questions of the test, at least (88.5 % of all when it was made).
"$TINYTHINKER" corpus build datasets/everyday/world.yaml -o "$work/everyday.h5" >/dev/null
"$TINYTHINKER" eval --model datasets/everyday/reasoner.h5 --corpus "$work/everyday.h5" --limit 40 --max-length 64 --json >"$work/score"
python3 -c 'import json, sys; sys.exit(json.load(open(sys.argv[1]))["accuracy"] < 0.75)' "$work/score" ||
    { echo "FAILED: the reasoner does not reason:"; cat "$work/score"; exit 1; }
echo "the README's commands work"
