#!/usr/bin/env bash
# The tables of a report, of made-up runs: every group has a cell of its own, rows and columns of different things are called
# differently, and stars and differences belong to the first row of the same column.
set -eu
. "$(dirname "$0")/../common.sh"

# run SWEEP/NAME SEED CORPUS FIRST LAST VARIANT NAMED [KEY=VALUE...]: questions FIRST..LAST of 229 are right.
run() {
    local dir=runs/$1 seed=$2 corpus=$3 first=$4 last=$5 variant=$6 named=$7 setting
    shift 7
    mkdir -p "$dir"
    { printf 'name: "%s"\nseed: %d\ncorpus: "%s"\n' "${dir##*/}" "$seed" "$corpus"
        for setting in "$@"; do
            printf '%s:\n  %s: %s\n' "${setting%%.*}" "$(cut -d= -f1 <<<"${setting#*.}")" "${setting#*=}"
        done; } >"$dir/config.yaml"
    printf '{"sweep": "%s", "variant": "%s", "seed": %d%s}' "$(basename "${dir%/*}")" "$variant" "$seed" \
        "${named:+, \"variant_name\": \"$named\"}" >"$dir/sweep.json"
    awk -v first="$first" -v last="$last" 'BEGIN { for (i = 1; i <= 229; i++) { right = (i >= first && i <= last)
        printf "{\"id\":\"q%d\",\"split\":\"test\",\"question\":\"?\",\"options\":[\"x\",\"y\"],\"gold\":\"A\",\"answer\":%s,\"right\":%s}\n",
            i, (right ? "\"A\"" : "\"B\""), (right ? "true" : "false") } }' >"$dir/predictions.jsonl"
    local score
    score=$(awk -v r=$((last - first + 1)) 'BEGIN {printf "{\"accuracy\": %.9f, \"n\": 229, \"unanswered\": 0}", r / 229}')
    { printf '{"test": {"greedy": %s}' "$score"
        [ -z "$before" ] || printf ', "phases": [{"name": "acquisition", "steps": 9, "test": {"accuracy": %s, "n": 229}},
            {"name": "reflection_1", "steps": 9, "pairs": {"questions": 9}, "test": %s}]' "$before" "$score"
        printf '}'; } >"$dir/result.json"
}
before=

# Corpora of one name in two folders, of variants that differ in nothing else: one row, which is called as the sweep.
run corpora/0 1 x/data.h5 1 100 x x
run corpora/1 1 y/data.h5 1 118 y y
# Students of one name, in two folders.
run starts/0 1 c.h5 1 100 a "" model.start=a/best.h5
run starts/1 1 c.h5 1 118 b "" model.start=b/best.h5
# Variants that agree in all settings, of this version and of one that did not note their names.
run equal/0 1 c.h5 1 100 _one_ '[one] \"1\"'
run equal/1 1 c.h5 1 118 two two
run old/0 1 c.h5 1 100 first ""
run old/1 1 c.h5 1 118 second ""
# Names of variants, and what varies within each.
i=0
for named in small large; do
    for stages in all no_recall; do
        run named/$i 1 c.h5 1 $((100 + i)) $named-$stages $named acquisition.batch_size=32 evaluation.samples=$((i % 2 + 2))
        i=$((i + 1))
    done
done
sed -i '/^acquisition/,+1d' runs/named/[01]/config.yaml
# The first row of stars/ has a number in one of its two columns.
run stars/0 1 c.h5 1 100 p p acquisition.batch_size=7
run stars/1 1 c.h5 13 130 q q acquisition.batch_size=8
run stars/2 1 d.h5 1 100 q-d q acquisition.batch_size=8
run stars/3 1 d.h5 13 130 r-d r acquisition.batch_size=9
# Sweeps of one name in two outputs, here/twice and there/twice: other numbers for the same variants and seeds.
run ../here/twice/0 1 c.h5 1 100 all all
run ../there/twice/0 1 c.h5 1 118 all all
run ../there/twice/1 2 c.h5 1 118 all all
# Two targets of the same students, of two seeds and of one. Before reflection 20 % and 40 %.
before=0.2
run targets/0 1 c.h5 1 100 both "" reflection.targets=both
run targets/2 1 c.h5 1 100 rationale "" reflection.targets=rationale
before=0.4
run targets/1 2 c.h5 1 100 both "" reflection.targets=both

# A run that failed: its reason.
before=
run failed/0 1 c.h5 1 100 good good
run failed/1 1 c.h5 1 100 bad bad
rm runs/failed/1/{result.json,predictions.jsonl}
echo '{"event": "step", "phase": "acquisition", "step": 1, "loss": 2.5}' >runs/failed/1/metrics.jsonl
printf 'no <memory>\nat "step 2"\nstart-over 0123\n' >runs/failed/1/failed.txt

"$TINYTHINKER" report runs -o report.html --markdown report.md --latex report.tex --csv report.csv >out.txt 2>err.log || die "report" err.log
table() { awk -v name="## $1" '$0 == name {on = 1; next} /^## / {on = 0} on && NF' report.md; }
has() { # table, line...
    local name=$1 line
    shift
    table "$name" >table.txt
    for line in "$@"; do grep -qF -- "$line" table.txt || fail "$name: no '$line'" table.txt; done
}
# 100, 118 and so on of 229 are 43.7, 51.5 %.
has corpora "| | x/data.h5 | y/data.h5 |" "| corpora | 43.7 | 51.5 |"
has starts "| a/best.h5 | 43.7 |" "| b/best.h5 | 51.5 \\* |"
has equal '| [one] "1" | 43.7 |' "| two | 51.5 \\* |"
has old "| first | 43.7 |" "| second | 51.5 \\* |"
has named "| small, samples 2 | 43.7 |" "| small, samples 3 | 44.1 |" "| large, samples 2 | 44.5 |" "| large, samples 3 | 45.0 |"
has stars "| | c | d |" "| p | 43.7 | – |" "| q | 51.5 \\* | 43.7 |" "| r | – | 51.5 |" "Where the first row has no number, nothing is compared."
grep -q '| failed: no .*memory.* at "step 2" |' report.md || fail "Markdown: no reason" report.md
grep -q 'failed: no &lt;memory&gt; at &quot;step 2&quot;' report.html || fail "HTML: no reason"
grep -q '^runs/failed/1,.*,failed,.*,"no <memory> at ""step 2"""$' report.csv || fail "CSV: no reason" report.csv
"$TINYTHINKER" compare runs/failed/0 runs/failed/1 >out.txt 2>err.log && fail "a failed run was compared"
grep -q 'runs/failed/1: this run of a sweep failed: no <memory> at "step 2"; .*--retry' err.log || fail "compare: no reason" err.log
has targets "| before reflection | 30.0 ± 14.1 |"
grep -qF "{}[one] ''1'' & 43.7" report.tex || fail "LaTeX: brackets and quotes" report.tex
"$TINYTHINKER" report here there -o two.html --markdown report.md --latex two.tex --csv two.csv >out.txt 2>err.log || die "two outputs" err.log
! grep -q "not counted" err.log || fail "runs of two outputs are taken for one" err.log
has here/twice "| all | 43.7 |"
has there/twice "| all | 51.5 ± 0.0 |"
[ "$(cut -d, -f3,4 two.csv | sort | uniq -c | awk '{print $1}' | tr '\n' ' ')" = "1 1 2 " ] || fail "CSV: groups of two outputs" two.csv
# From within one of them; and folders that differ early in long paths.
(cd here/twice && "$TINYTHINKER" report . ../../there/twice -o ../../two.html --markdown ../../report.md) >out.txt 2>err.log || die "a report of ." err.log
has here/twice "| all | 43.7 |"
has there/twice "| all | 51.5 ± 0.0 |"
long=$(printf 'folder%.0s' {1..9})
for early in 1 2 3; do
    mkdir -p "$early-$long/$long/$long" && cp -r here/twice "$early-$long/$long/$long"
done
mkdir -p "$long$long"{1,2}/"$long$long" && for k in 1 2; do cp -r here/twice "$long$long$k/$long$long"; done
"$TINYTHINKER" report [123]-*/*/* -o two.html --csv two.csv >out.txt 2>err.log || die "long folders" err.log
cut -d, -f4 two.csv | sed 's/folder.*\.\.\..*folder//' | tr '\n' ' ' >found.txt
[ "$(cat found.txt)" = "sweep 1-/twice 2-/twice 3-/twice " ] || fail "long folders that differ early" found.txt two.csv
"$TINYTHINKER" report "$long$long"*/* -o two.html --csv two.csv >out.txt 2>err.log || die "long names" err.log
[ "$(cut -d, -f4 two.csv | sort -u | wc -l) $(cut -d, -f4 two.csv | grep -c '\.\.\..*twice (2)$')" = "3 1" ] || fail "folders that differ in the middle of long names" two.csv
ln -s here link
"$TINYTHINKER" report here link/twice/0 -o two.html --markdown report.md >out.txt 2>err.log || die "a link" err.log
has twice "| all | 43.7 |"
"$TINYTHINKER" report runs -o report.html --markdown report.md >out.txt 2>err.log
# 30 to right, 12 to wrong of 229 (tests/e2e/report.sh); the first row of this table is not the report's first group.
grep -F "| stars: q | against stars: p | test, greedy | +7.9 | [+2.4, +13.6] \\* | – | 30 | 12 | n = 229 |" report.md >found.txt || fail "no difference to the table's first row" report.md
[ "$(wc -l <found.txt)" = 1 ] || fail "a difference twice" found.txt
# Higher than a page, of three data sets on both columns and of one on one: in several tables, each row once for each of them.
rm -rf runs
for i in $(seq 10 29); do
    for corpus in c d e; do run tall/$i-$corpus 1 $corpus.h5 1 100 "row $i-$corpus" "row $i: pairs of recalls, of analyses and of both, weighed by how sure the teacher is"; done
    run thin/$i 1 c.h5 1 100 "row $i" "row $i: pairs of recalls, of analyses and of both, weighed by how sure the teacher is"
done
for i in $(seq 10 59); do run short/$i 1 c.h5 1 100 "row $i" "row $i"; done
"$TINYTHINKER" report runs -o report.html --latex tall.tex >out.txt 2>err.log || die "a high table" err.log
[ "$(grep -c '^.raggedright.*row [12][0-9]' tall.tex) $(grep -c '^{}row' tall.tex)" = "40 50" ] || fail "LaTeX: rows of high tables" tall.tex
if command -v pdflatex >/dev/null && kpsewhich booktabs.sty >/dev/null; then
    printf '\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n\\begin{document}\n\\input{tall.tex}\n\\end{document}\n' >page.tex
    pdflatex -interaction=nonstopmode -halt-on-error page.tex >latex.log 2>&1 || fail "pdflatex" latex.log
    ! grep -E "^Overfull|too large" latex.log >bad.txt || fail "a table runs off the page" bad.txt
fi
exit $failed
