#!/usr/bin/env bash
# Several sweep files as one queue: no phase twice, tables as if each had run alone, resumed after an interruption. Starting
# over is remembered: it goes on where it stopped, and its runs share phases with each other alone. What a dry run counts.
# The tables of a report, as LaTeX too.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_run

cat >first.yaml <<'YAML'
name: first_50%
base: run.yaml
seeds: [1, 2]
axes: {stages: [all, summarize_only], evaluation.samples: [0, 2]}
YAML
cat >second.yaml <<'YAML'
name: second
base: run.yaml
seeds: [1, 2]
set: {reflection.iterations: 1, reflection.cycles: 1, reflection.samples: 2, reflection.batch_size: 8, reflection.temperature: 1.5}
axes: {stages: [all, no_recall]}
YAML
both=(first.yaml second.yaml)
files() { stat -c %i "$@" | sort -u | wc -l; }
counts() { sed -n 's/^\([0-9]*\) phases, .* \([0-9]*\) are left$/\1 \2/p' "$1"; }

# Each alone, for comparison.
for sweep in first second; do
    sed '/^base/a output: alone' $sweep.yaml >$sweep-alone.yaml
    "$TINYTHINKER" sweep $sweep-alone.yaml >$sweep.txt 2>err.log || fail "$sweep alone" err.log
done
tables_alone() { for sweep in first_50% second; do diff "$1/$sweep/table.txt" "alone/$sweep/table.txt" >diff.txt || fail "$2: $sweep" diff.txt; done; }

# What cannot be one queue.
expect 2 "its name is second, which is that of second.yaml, too" sweep second.yaml second.yaml
expect 2 "its output is alone, but that of second.yaml is runs" sweep second.yaml first-alone.yaml
expect 2 "--only is for one sweep, but 2 are given" sweep "${both[@]}" --only 1
expect 2 "--slurm is for one sweep" sweep "${both[@]}" --slurm job.sh
expect 2 "--speed and --like are for --dry-run" sweep first.yaml --speed 5
[ ! -e runs ] || fail "something was written"

# Together: four acquisitions of two stage sets and two seeds, two more of no_recall, four reflections; first alone has 4, second 8.
"$TINYTHINKER" sweep "${both[@]}" --dry-run --speed 1000 >list.txt 2>err.log || fail "--dry-run" err.log
[ "$(counts list.txt)" = "10 10" ] || fail "phases of both" list.txt
"$TINYTHINKER" sweep "${both[@]}" >out.txt 2>err.log &
pid=$!
until [ -e runs/first_50%/00-all-samples0-s1/result.json ] || [ -e runs/second/00-all-s1/result.json ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -INT $pid 2>/dev/null
wait $pid
[ $? = 130 ] || echo "note: it was finished before it could be interrupted"
"$TINYTHINKER" sweep "${both[@]}" >out.txt 2>err.log || fail "both, resumed" err.log
tables_alone runs "both in one queue"
[ "$(files runs/*/*-all*-s1/checkpoints/acquisition.h5) $(files runs/*/*/checkpoints/acquisition.h5)" = "1 6" ] || fail "an acquisition was trained twice"
grep -q "^2 sweeps: 12 of 12 runs are finished" out.txt || fail "the overall result" out.txt
[ "$(head -1 runs/summary.csv | cut -d, -f1-3) $(wc -l <runs/summary.csv) $(wc -l <runs/second/summary.csv)" = "sweep,number,name 13 5" ] || fail "summary.csv" runs/summary.csv
sed 's/^base/output: jobs\nbase/' first.yaml >first-jobs.yaml
sed 's/^base/output: jobs\nbase/' second.yaml >second-jobs.yaml
"$TINYTHINKER" sweep first-jobs.yaml second-jobs.yaml --jobs 3 >jobs.txt 2>err.log || fail "--jobs 3" err.log
tables_alone jobs "--jobs"
[ "$(files jobs/*/*/checkpoints/acquisition.h5)" = 6 ] || fail "--jobs: an acquisition was trained twice"

# Starting over: all phases are new, and each is trained once over both sweeps.
stamps() { stat -c '%n %y' "$@"; }
stamps runs/*/*/checkpoints/*.h5 >before.txt
"$TINYTHINKER" sweep "${both[@]}" --fresh >out.txt 2>err.log || fail "--fresh" err.log
stamps runs/*/*/checkpoints/*.h5 >after.txt
[ "$(comm -12 before.txt after.txt | wc -l) $(files runs/*/*/checkpoints/acquisition.h5)" = "0 6" ] || fail "--fresh kept or repeated phases"
tables_alone runs "--fresh"
[ -z "$(find runs -name fresh.json)" ] || fail "fresh.json stays after the end"

# What would start over is listed; nothing is touched.
everything() { find runs -printf '%p %T@ %s\n' | sort; }
everything >before.txt
"$TINYTHINKER" sweep "${both[@]}" --fresh --dry-run >list.txt 2>err.log || fail "--fresh --dry-run" err.log
[ "$(counts list.txt) $(grep -c "  to start over  " list.txt)" = "10 10 12" ] || fail "--fresh --dry-run" list.txt
grep -q "^--fresh would replace the files of 12 of 12 runs" list.txt || fail "--fresh --dry-run does not say what it would do" list.txt
"$TINYTHINKER" sweep second.yaml --fresh-from reflection_1 --dry-run >list.txt 2>err.log || fail "--fresh-from --dry-run" err.log
[ "$(counts list.txt)" = "8 4" ] || fail "--fresh-from --dry-run" list.txt
"$TINYTHINKER" sweep second.yaml --fresh --only 2 --dry-run >list.txt 2>err.log || fail "--fresh --only --dry-run" err.log
[ "$(grep "  to start over  " list.txt | awk '{print $1}')" = 2 ] || fail "--fresh --only 2 --dry-run" list.txt
expect 2 "no run has a phase of this name" sweep second.yaml --fresh-from reflection_7 --dry-run
expect 2 "--fresh and --fresh-from start runs; leave out --slurm" sweep second.yaml --fresh --slurm job.sh
everything | diff before.txt - >diff.txt || fail "--fresh --dry-run changed something" diff.txt

# Interrupted anywhere: what has started over stays, the rest does start over, with or without --fresh; other requests are
# refused.
for case in "--fresh 0.3" "--retry 0.05"; do
    read -r again after <<<"$case"
    stamps runs/second/*/best.h5 >before.txt
    "$TINYTHINKER" sweep second.yaml --fresh >out.txt 2>err.log &
    pid=$!
    until [ -e runs/second/fresh.json ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
    sleep $after
    kill -INT $pid 2>/dev/null
    wait $pid && { echo "note: it was finished after $after s" && continue; }
    "$TINYTHINKER" sweep second.yaml --dry-run >list.txt 2>err.log
    grep -q "to start over" list.txt || fail "nothing is to start over" list.txt
    old=$(grep -c "to start over" list.txt)
    "$TINYTHINKER" report runs -o old.html --markdown old.md --latex old.tex --csv old.csv >out.txt 2>err.log || fail "a report of old and new" err.log
    grep -q "second: a start-over (--fresh) of this sweep is not finished: $old of its 4 runs" err.log || fail "the report does not warn of $old old results" err.log
    [ "$(awk -F, '$4 == "second" && $8 == "to start over"' old.csv | wc -l) $(grep -c "| second: .*†.*| to start over |" old.md)" = "$old $old" ] || fail "old runs are not marked" old.csv old.md
    ! grep "^| first" old.md | grep -q "†" || fail "a run of another sweep is marked" old.md
    grep -q "$old of 12 runs are to start over" old.md && grep -q "$old to start over: what is marked with †" old.html || fail "the pages do not say that results are old" old.md
    grep -qF '\dag' old.tex || fail "LaTeX: no mark" old.tex
    grep finished list.txt | awk '{print $2}' >finished.txt
    stamps runs/second/*/result.json | grep -Ff finished.txt >kept.txt
    expect 2 "is starting over from the beginning and that is not finished" sweep second.yaml --fresh-from reflection_1
    ! grep -q "goes on" err.log || fail "a start-over that is refused goes on" err.log
    number=$(grep "to start over" list.txt | awk 'NR == 1 {print $1}')
    "$TINYTHINKER" sweep second.yaml --fresh --only "$number" --dry-run >out.txt 2>err.log || fail "--fresh --only --dry-run in a start-over" err.log
    grep -q "^--fresh would replace the files of 1 of 4 runs" out.txt || fail "--fresh --only --dry-run counts other runs" out.txt
    number=$(awk '/finished/ {print $1; exit}' list.txt)
    if [ -n "$number" ]; then
        "$TINYTHINKER" sweep second.yaml --fresh --only "$number" >out.txt 2>err.log || fail "--fresh --only of a run that has started over" err.log
        grep -q "second: run $number has already started over: " err.log || fail "--fresh --only does nothing silently" err.log
    fi
    "$TINYTHINKER" sweep second.yaml $again >out.txt 2>err.log || fail "$again after an interruption" err.log
    grep -q "a start-over is not finished and goes on: [1-4] of 4 runs are left, 0 of them failed" err.log || fail "$again does not say that it goes on" err.log
    [ "$(comm -12 before.txt <(stamps runs/second/*/best.h5) | wc -l)" = 0 ] || fail "$again kept old results"
    [ "$(stamps runs/second/*/result.json | comm -12 - kept.txt | wc -l)" = "$(wc -l <kept.txt)" ] || fail "$again began once more" list.txt
    tables_alone runs "$again after an interruption"
    [ -z "$(find runs -name fresh.json)" ] || fail "$again: fresh.json stays" err.log
done
# One that had begun and saved nothing.
mkdir -p gone
"$TINYTHINKER" sweep second.yaml --fresh --jobs 1 >out.txt 2>err.log || fail "--fresh" err.log
printf '{"generation": "x", "from": "", "runs": ["00-all-s1"]}' >runs/second/fresh.json
mv runs/second/00-all-s1/{best.h5,result.json,checkpoints} gone
printf '{"generation": "x"}' >runs/second/00-all-s1/phases.json
"$TINYTHINKER" sweep second.yaml >out.txt 2>err.log || fail "a run that had saved nothing" err.log
[ ! -e runs/second/fresh.json ] && tables_alone runs "a run that had saved nothing"
# A finished run of which a failure stayed noted is finished.
of_generation() { sed -n 's/.*"generation": "\([^"]*\)".*/\1/p' "$@" | sort -u; }
printf '{"generation": "%s", "from": "", "runs": ["01-all-s2"]}' "$(of_generation runs/second/01-all-s2/phases.json)" >runs/second/fresh.json
echo "the process ended" >runs/second/01-all-s2/failed.txt
"$TINYTHINKER" sweep second.yaml >out.txt 2>err.log || fail "a finished run with failed.txt" err.log
[ ! -e runs/second/fresh.json ] && [ ! -e runs/second/01-all-s2/failed.txt ] || fail "a finished run with failed.txt is left for ever" err.log
# Two that start over together are one start-over.
for i in 1 2; do "$TINYTHINKER" sweep second.yaml --fresh --jobs 2 >out$i.txt 2>err$i.log & done
wait
"$TINYTHINKER" sweep second.yaml >out.txt 2>err.log || fail "after two start-overs together" err.log err1.log err2.log
[ "$(of_generation runs/second/*/phases.json | wc -l) $(files runs/second/*/checkpoints/acquisition.h5)" = "1 4" ] || fail "two start-overs together are two" err1.log err2.log
[ -z "$(find runs/second -name fresh.json -o -name failed.txt)" ] || fail "two start-overs together leave $(find runs/second -name fresh.json -o -name failed.txt)" err1.log err2.log
tables_alone runs "two start-overs together"
"$TINYTHINKER" sweep second.yaml --fresh-from reflection_1 --jobs 2 >out.txt 2>err.log || fail "--fresh-from with --jobs" err.log
tables_alone runs "--fresh-from"
echo '{}' >runs/second/fresh.json
expect 1 "fresh.json: does not say which runs start over; remove it" sweep second.yaml
"$TINYTHINKER" report runs -o damaged.html >out.txt 2>err.log || fail "a report beside a damaged fresh.json" err.log
[ "$(grep -c "second: cannot say which results are from before a start-over.*runs/second/fresh.json" err.log)" = 1 ] || fail "the report trusts results beside a damaged fresh.json" err.log
rm runs/second/fresh.json
if have_mpi; then
    mpirun --oversubscribe -np 2 "$TINYTHINKER" sweep "${both[@]}" --fresh --ranks-per-run 2 >out.txt 2>err.log || fail "--fresh under mpirun" err.log
    [ "$(files runs/*/*/checkpoints/acquisition.h5)" = 6 ] || fail "mpirun: --fresh repeated phases"
fi

# A dry run says what plan says: for all of a small corpus; of a large one a part is counted.
"$TINYTHINKER" sweep second.yaml --dry-run >list.txt 2>err.log || fail "--dry-run" err.log
measured=$(sed -n 's/.*acquisition: [0-9]* tokens\/s, as measured by \([0-9]*\) runs below runs on .*/\1/p' list.txt)
[ "$measured" = "$(files runs/*/*/checkpoints/acquisition.h5)" ] || fail "a speed measured by '$measured' runs, expected those that trained" list.txt
"$TINYTHINKER" corpus export data/corpus.h5 -o twice.jsonl >export.log 2>&1
awk -F '"question"' '!seen[substr($2, 1, 40)]++' twice.jsonl >all.jsonl # examples that occur twice are dropped
make_corpus() { # size; copies of a question begin with other words, which the tokenizer knows
    { grep -v '"split": "train"' all.jsonl
        for word in red blue green white black What colour; do
            grep '"split": "train"' all.jsonl | sed "s/\"id\": \"/&$word-/; s/\"question\": \"/&$word /"
        done | head -n "$1"; } >some.jsonl
    "$TINYTHINKER" corpus import jsonl some.jsonl -o some.h5 >import.log 2>&1 || fail "import" import.log
}
sed -i '/^set/d; s/^axes.*/axes: {reflection.iterations: [2]}/' second.yaml
for size in 128 129 400; do
    make_corpus $size
    settings=(--set corpus=some.h5 --set acquisition.steps=0 --set acquisition.epochs=3)
    "$TINYTHINKER" sweep second.yaml --dry-run --speed 1000 "${settings[@]}" >list.txt 2>err.log || fail "$size questions" err.log
    "$TINYTHINKER" plan run.yaml "${settings[@]}" --set reflection.iterations=2 --json >plan.json 2>err.log || fail "plan" err.log
    planned=$(sed -n 's/.*"steps": \([0-9]*\).*/\1/p' plan.json | awk '{n += $1} END {print n}')
    got=$(awk '$2 ~ /-iterations2-s1$/ {print $4}' list.txt)
    [ $size -gt 128 ] || [ "$planned" = "$got" ] || fail "$size questions: $got steps, planned are $planned" list.txt
    awk -v a="$planned" -v b="$got" 'BEGIN {exit !(b > 0.97 * a && b < 1.03 * a)}' || fail "$size questions: $got steps, planned are $planned" list.txt
    noted=$(grep -c "counted with 128 of each corpus" list.txt)
    [ "$noted" = $((size > 128)) ] || fail "$size questions: whether a part was counted" list.txt
done

# Beside training: the wall time of runs without the steps that they trained themselves.
"$TINYTHINKER" sweep second-jobs.yaml --dry-run >list.txt 2>err.log || fail "--dry-run" err.log
grep -q "train h: estimated hours of training steps alone" list.txt || fail "what the hours are is not said" list.txt
beside=$(for run in jobs/second/*/; do awk -v taken="$(grep -c '"from"' "$run/phases.json")" '/"phases"/ {on = 1}
    on && /"seconds"/ {sub(/.*: /, ""); s[++n] = $0 + 0} /"wall_seconds"/ {sub(/.*: /, ""); w = $0 + 0}
    END {t = taken ? s[2] : s[1] + s[2]; print w - t}' "$run/result.json"; done | awk '{s += $1; n++} END {printf "%.4f %d", s / n / 3600, n}')
grep -q "beside training, a run that ends with it took ${beside% *} hours (mean of ${beside#* })" list.txt || fail "beside training: expected $beside" list.txt

# Tables: mean and standard deviation over seeds, as awk computes them, and by hand; the same in HTML, Markdown and LaTeX.
score() { sed -i "/\"greedy\"/,/\"n\"/s/\"accuracy\": [0-9.]*/\"accuracy\": $2/" "runs/first_50%/$1/result.json"; }
score 00-all-samples0-s1 0.25
score 01-all-samples0-s2 0.75
score 06-summarize_only-samples2-s1 0.1
score 07-summarize_only-samples2-s2 0.2
"$TINYTHINKER" sweep first.yaml >out.txt 2>err.log || fail "a finished sweep" err.log
"$TINYTHINKER" report runs -o report.html --markdown report.md --latex report.tex >out.txt 2>err.log || fail "report" err.log
column() { head -1 "runs/first_50%/summary.csv" | tr , '\n' | grep -nx "$1" | cut -d: -f1; }
awk -F, -v v="$(column variant)" -v t="$(column test)" 'NR > 1 {n[$v]++; s[$v] += 100 * $t; q[$v] += 1e4 * $t * $t}
    END {for (k in n) {m = s[k] / n[k]; d = (q[k] - n[k] * m * m) / (n[k] - 1); if (d < 0) d = 0
        printf "%s %.1f %.1f\n", k, m, sqrt(d)}}' "runs/first_50%/summary.csv" | sort >numbers.txt
grep -q "^all-samples0 50.0 35.4$" numbers.txt && grep -q "^summarize_only-samples2 15.0 7.1$" numbers.txt || fail "numbers" numbers.txt
while read -r variant mean deviation; do
    stages=${variant%-samples*}
    row="$stages, samples ${variant#*samples}"
    escaped=${row//_/\\_}
    grep -qF "$escaped & $mean\$_{\\pm$deviation}\$" report.tex || fail "LaTeX: $row has not $mean and $deviation" report.tex
    grep -qF ">$row</th><td class=\"num\">$mean ± $deviation" report.html || fail "HTML: $row has not $mean and $deviation"
    grep -qF "| ${row//_/\\_} | $mean ± $deviation" report.md || grep -qF "| $row | $mean ± $deviation" report.md || fail "Markdown: $row" report.md
done <numbers.txt
grep -qF 'caption{first\_50\%. ' report.tex || fail "LaTeX: a name is not escaped" report.tex
grep -qF "no\\_recall, before reflection" report.tex || fail "LaTeX: no row before reflection" report.tex
# Braces and environments match, and each row has as many cells as its table.
awk '{line = $0; gsub(/\\[{}]/, "", line); n += gsub(/{/, "", line) - gsub(/}/, "", line)}
    /^\\begin{tabular}/ {spec = $0; sub(/^\\begin{tabular}/, "", spec); gsub(/p{[^}]*}/, "l", spec); gsub(/@{}|[{}]/, "", spec)
        columns = length(spec); if (columns > 7) {print "wide: " $0; bad = 1}}
    / \\\\$/ {row = $0; gsub(/\\&/, "", row); m = gsub(/&/, "", row) + 1; span = 0
        while (match(row, /multicolumn{[0-9]}/)) {span += substr(row, RSTART + 12, 1) - 1; row = substr(row, RSTART + RLENGTH)}
        if (m + span != columns) {print "cells: " $0; bad = 1}}
    /\\begin/ {b++} /\\end/ {e++} END {exit !(n == 0 && b == e && b > 0 && !bad)}' report.tex >bad.txt || fail "LaTeX does not parse" bad.txt report.tex
if command -v pdflatex >/dev/null && kpsewhich booktabs.sty >/dev/null; then
    printf '\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n\\begin{document}\n\\input{report.tex}\n\\end{document}\n' >page.tex
    pdflatex -interaction=nonstopmode -halt-on-error page.tex >latex.log 2>&1 || fail "pdflatex" latex.log
    ! grep -Eq "^Overfull|too large" latex.log || fail "a table is wider or higher than the page" latex.log
fi
exit $failed
