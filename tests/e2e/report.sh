#!/usr/bin/env bash
# Reports of made-up run directories: what the page, the Markdown and the CSV say, and what is said of runs that
# are unfinished, damaged or missing.
set -eu
. "$(dirname "$0")/../common.sh"

has() { # file, text...
    local file=$1 text
    shift
    for text in "$@"; do grep -qF -- "$text" "$file" || die "no '$text' in $file"; done
}

# name, seed, variant, accuracy (per mille)
make_run() {
    local dir=runs/sweep/$1 a=0.$4
    mkdir -p "$dir"
    cat >"$dir/config.yaml" <<YAML
name: "$1"
seed: $2
stages: "all"
reflection:
  targets: "$3"
  loss: "sigmoid"
  beta: 0.25
  nll_weight: 0.5
  label_smoothing: 0
  length_normalised: false
YAML
    echo "{\"sweep\": \"pairs\", \"variant\": \"$3\", \"seed\": $2}" >"$dir/sweep.json"
    cat >"$dir/environment.json" <<JSON
{"version": "0.1.0", "commit": "abc", "machine": {"processor": "Imagined <CPU>", "cores": 2}, "corpus": "c0"}
JSON
    cat >"$dir/metrics.jsonl" <<JSON
{"phase": "acquisition", "step": 10, "stage": "recall", "loss": 2.5, "lr": 1e-3, "grad_norm": 1, "tokens": 9, "seconds": 1}
{"phase": "acquisition", "step": 20, "stage": "analyze", "loss": nan, "lr": 1e-3, "grad_norm": nan, "tokens": 9, "seconds": 1}
{"phase": "acquisition", "step": 20, "validation": {"accuracy": 0.7, "n": 40, "ci95": [0.55, 0.82], "unanswered": 2, "recall": {"mean_tokens": 9, "unended": 0}}, "best": true, "seconds": 1}
{"phase": "reflection_1", "step": 5, "stage": "recall", "loss": 0.69, "lr": 1e-5, "grad_norm": 1, "rewards/chosen": -0.125, "rewards/rejected": -0.5, "rewards/accuracies": 0.8, "rewards/margins": 0.375, "logps/chosen": -3, "logps/rejected": -4, "nll_loss": 0.2, "tokens": 20, "seconds": 2}
{"phase": "reflection_1", "step": 10, "validation": {"accuracy": 0.75, "n": 40, "ci95": [0.6, 0.86], "unanswered": 0}, "best": true, "seconds": 1}
JSON
    local score="{\"accuracy\": $a, \"n\": 1000, \"ci95\": [0.1, 0.9], \"unanswered\": 4}"
    cat >"$dir/result.json" <<JSON
{"name": "$1", "stages": "all", "test": {"greedy": $score},
 "phases": [
  {"name": "acquisition", "steps": 20, "best_step": 20, "best_validation": 0.7, "test": {"accuracy": 0.5, "n": 1000, "ci95": [0.4, 0.6], "unanswered": 1}},
  {"name": "reflection_1", "steps": 10, "best_step": 10, "best_validation": 0.75,
   "pairs": {"recall": 123, "analyze": 456, "questions": 789, "skipped": 11}, "test": $score}],
 "tokens_per_second": 12345, "wall_seconds": 60}
JSON
    cat >"$dir/predictions.jsonl" <<'JSON'
{"id":"q1","split":"test","question":"1 < 2 & why?","options":["yes","no"],"gold":"A","answer":"A","right":true,"runs":[{"recall":"Numbers <grow>.","analyze":["one","two"],"summarize":"So the answer is option A.","answer":"A"}]}
{"id":"q2","split":"test","question":"Is it?","options":["yes","no"],"gold":"B","answer":null,"right":false,"runs":[{"recall":"r","analyze":["one","two"],"summarize":"Who knows","answer":null}]}
{"id":"q2","split":"test","question":"Is it?","options":["yes","no"],"gold":"B","answer":"B","right":true,"votes":{"B":2},"runs":[]}
JSON
}

make_run both-1 1 both 800
make_run both-2 2 both 820
make_run both-3 3 both 840
make_run recall-1 1 recall 700
make_run recall-2 2 recall 900
rm runs/sweep/recall-2/result.json # not finished
sed -i '1s/}$//' runs/sweep/recall-2/metrics.jsonl

"$TINYTHINKER" report runs -o page.html --markdown page.md --csv page.csv >out 2>err || die "report" err
has err "warning: runs/sweep/recall-2/metrics.jsonl:1: skipped"
[ "$(grep -c warning err)" -eq 1 ] || die "warnings" err

# Over seeds 82 +- 4.302653 x 2 / sqrt(3); over 1,000 questions Wilson's interval of 82 %, by hand 81.877 +- 2.380.
has page.md "| both | all | 3 | 82.0 % [77.0, 87.0] over seeds, [79.5, 84.3] over questions | 75.0 %" "3 seeds, n = 1000" "Chance is 50.0 %" \
    "| recall | all | 1 | 70.0 % [10.0, 90.0] |" "| recall-2 | recall | 2 | unfinished | – |" \
    "| both | reflection\\_1 | 82.0 % [77.0, 87.0] over seeds, [79.5, 84.3] over questions |"
has page.html "82.0 %<small>[77.0, 87.0] over seeds</small><small>[79.5, 84.3] over questions</small><small>3 seeds, n = 1000</small>" "1 unfinished" \
    "1 of them not finished" "unfinished: reflection_1, step 10" "+32.0<small class=\"sure\">[+27.0, +37.0] over seeds</small>" "seed 1: answers are not stored" ">456<" \
    "Chosen rewards often fall below 0" "nll_weight = 0.5" "= 0.25" "ln 2" "reflection.targets" \
    "1 &lt; 2 &amp; why?" "Numbers &lt;grow&gt;." "Imagined &lt;CPU&gt;" "chance is right 50.0 %" "1 damaged lines" "1 losses that are no" \
    "Recall: rewards of chosen" "prefers-color-scheme" "unreadable"
for word in "<script" "src=" "url(" "nan" "NaN"; do
    ! grep -qF "$word" page.html || die "'$word' in the page"
done
if command -v xmllint >/dev/null; then xmllint --noout page.html || die "the page is not well-formed"; fi

[ "$(wc -l <page.csv)" -eq 6 ] || die "rows of CSV" page.csv
[ "$(awk -F, '{print NF}' page.csv | sort -u | wc -l)" -eq 1 ] || die "columns of CSV" page.csv
has page.csv "runs/sweep/both-2,both-2,both,pairs,both,all,2,finished,0.82,0.1,0.9,1000,4," \
    "runs/sweep/recall-2,recall-2,recall,pairs,recall,all,2,unfinished,,,,,,"

# The same again, whatever the order; a run named twice counts once.
cp page.html first.html
"$TINYTHINKER" report runs runs/sweep/both-1/ --title runs -o page.html >out 2>err
cmp first.html page.html || die "the report depends on more than its runs"

# Without reflection or anything but a result.
mkdir -p bare/one
echo '{"test": {"greedy": {"accuracy": 0.5, "n": 10}}, "wall_seconds": null}' >bare/one/result.json
"$TINYTHINKER" report bare/one -o bare.html >out 2>err || die "bare" err
has bare.html "50.0 %" "n = 10"
! grep -q "Preference" bare.html || die "a section about nothing"

# A version that knew fewer keys wrote the first of them: the same experiment. An iteration without pairs has no
# best validation.
for seed in 1 2; do
    mkdir -p versions/$seed
    printf 'name: "v-%d"\nseed: %d\nthreads: %d\ncorpus: "c.h5"\nmodel:\n  start: "s.h5"\n' $seed $seed $seed >versions/$seed/config.yaml
    cat >versions/$seed/result.json <<JSON
{"name": "v-$seed", "stages": "all", "test": {"greedy": {"accuracy": 0.6$seed, "n": 100}}, "phases": [
 {"name": "acquisition", "steps": 20, "best_step": 20, "best_validation": 0.5},
 {"name": "reflection_1", "steps": 0, "best_step": 0, "best_validation": 0, "skipped": true}]}
JSON
done
printf 'evaluation:\n  beams: 1\n' >>versions/2/config.yaml
"$TINYTHINKER" report versions -o versions.html --markdown versions.md >out 2>err || die "versions" err
has versions.md "| v | all | 2 | 61.5 % [55.1, 67.9] over seeds, [51.7, 70.4] over questions | 50.0 % | 2 seeds, n = 100 |"
has versions.html "reflection_1: skipped, no pairs"

# Several seeds: both intervals of an accuracy. Single runs of different seeds: the seeds are named.
"$TINYTHINKER" compare versions >table 2>err || die "compare versions" err
tr -s ' ' <table >words
has words "v: all, 2 seeds" " test, greedy 61.5 % [55.1, 67.9] 100" " over questions [51.7, 70.4]" "Student's t over the seeds"
"$TINYTHINKER" compare --each versions >table 2>err || die "compare --each" err
tr -s ' ' <table >words
has words "v-1: all, 20 steps, seed 1" "v-2 against v-1" " seed 2 against seed 1: the difference is also one of seeds"
! grep -q "over questions" words || die "one run has one interval" words
"$TINYTHINKER" compare --each --json versions >table.json
has table.json '"seed_before": 1' '"seed_after": 2' '"ci95_over_questions": null'
got=0
"$TINYTHINKER" compare missing >out 2>err || got=$?
[ "$got" -eq 1 ] || die "compare of a missing folder exits with $got" err
has err "missing: no such folder; expected a run directory"

# The same 229 questions, before and after: 30 to right, 12 to wrong. Tango's interval of 18 / 229 is 0.0242 to 0.1360
# (tests/unit/test_paired.c says by which program). Votes: 12 more to right, none to wrong.
answers() { # first and last question that is right, number of questions, members behind
    awk -v first="$1" -v last="$2" -v n="$3" -v more="${4:-}" 'BEGIN { for (i = 1; i <= n; i++) { right = (i >= first && i <= last)
        printf "{\"id\":\"q%d\",\"split\":\"test\",\"question\":\"?\",\"options\":[\"x\",\"y\"],\"gold\":\"A\",\"answer\":%s,\"right\":%s%s}\n",
            i, (right ? "\"A\"" : i % 2 ? "null" : "\"B\""), (right ? "true" : "false"), more } }'
}
score() { awk -v r="$1" -v n="$2" 'BEGIN { printf "{\"accuracy\": %.9f, \"n\": %d, \"unanswered\": 0}", r / n, n }'; }
mkdir -p pairs/a pairs/b pairs/c pairs/d
answers 1 100 229 >pairs/a/predictions.jsonl
echo "{\"name\": \"a\", \"stages\": \"all\", \"test\": {\"greedy\": $(score 100 229)}}" >pairs/a/result.json
answers 1 100 229 >pairs/b/predictions_acquisition.jsonl
{ answers 13 130 229; answers 1 130 229 ',"votes":{"A":2},"runs":[{"recall":"not read"}]'; } >pairs/b/predictions.jsonl
cat >pairs/b/result.json <<JSON
{"name": "b", "stages": "all", "test": {"greedy": $(score 118 229), "self_consistency": $(score 130 229)}, "phases": [
 {"name": "acquisition", "steps": 20, "test": $(score 100 229)}, {"name": "reflection_1", "steps": 5, "test": $(score 118 229)}]}
JSON
answers 1 100 200 >pairs/c/predictions.jsonl
echo "{\"name\": \"c\", \"stages\": \"all\", \"test\": {\"greedy\": $(score 100 200)}}" >pairs/c/result.json
echo "{\"name\": \"d\", \"stages\": \"all\", \"test\": {\"greedy\": $(score 100 229)}}" >pairs/d/result.json

"$TINYTHINKER" compare pairs/a pairs/b pairs/c pairs/d >table 2>err || die "compare" err
tr -s ' ' <table >words
has words "b after reflection_1, against after acquisition" "b against a" " test, greedy +7.9 [+2.4, +13.6] * 30 12 229" \
    " test, self-consistency +5.2 [+3.0, +8.9] * 12 0 229" " test, before reflection 43.7 %" \
    "not paired:" " other questions: 200 in common of 229 and 200" " answers are not stored"
[ "$(grep -c " test, greedy +7.9 " words)" -eq 2 ] || die "reflection and the other run differ alike" table
if awk 'length > 80' table | grep .; then die "wider than 80 columns"; fi
"$TINYTHINKER" compare --json pairs/a pairs/b >table.json
has table.json '"kind": "reflection"' '"to_right": 30' '"to_wrong": 12' '"mcnemar_p": 0.00791589733' '"against": "a"'
"$TINYTHINKER" report pairs -o pairs.html --markdown pairs.md --csv pairs.csv >out 2>err || die "pairs" err
has pairs.html "Differences on the same questions" ">30 to right, 12 to wrong<" "<td class=\"num sure\">[+2.4, +13.6]</td>" \
    "other questions: 200 in common of 229 and 200"
has pairs.md "| b | against a | test, greedy | +7.9 | [+2.4, +13.6] \\* | – | 30 | 12 | n = 229 |"
has pairs.csv ",30,12,0.00791589733,pairs/a"
got=0
"$TINYTHINKER" compare pairs/a runs/sweep/recall-2 >out 2>err || got=$?
[ "$got" -eq 1 ] || die "compare of a run that is not finished exits with $got" err
has err "runs/sweep/recall-2: no result.json; has the run finished?"

refused() { # exit status, text, arguments...
    local expected=$1 text=$2 got=0
    shift 2
    "$TINYTHINKER" report "$@" -o none.html >out 2>err || got=$?
    [ "$got" -eq "$expected" ] || die "report $* exits with $got instead of $expected" err
    has err "$text"
    [ ! -e none.html ] || die "report $* wrote a page"
}
mkdir empty
refused 1 "no such folder" missing
refused 1 "no run directory in it or up to 3 levels below" empty
refused 1 "no run directory" runs empty
refused 2 "usage" # no directory at all
echo "{" >runs/sweep/both-1/result.json
"$TINYTHINKER" report runs -o page.html >out 2>err || die "damaged result" err
has err "runs/sweep/both-1/result.json:"
has page.html "result damaged" "1 damaged"
echo "reports say what the runs hold"
