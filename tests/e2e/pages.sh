#!/usr/bin/env bash
# Pages and comments tell the truth: examples of formats are parsed, the table of environment variables has those that
# the sources read, tools/README.md names every tool, links lead somewhere, and help fits 80 columns.
set -u
. "$(dirname "$0")/../common.sh"
source=$TT_SOURCE_DIR

# The lines of a file between two patterns, without their first characters.
block() { # file, pattern of the first line, pattern of the first line behind, characters to cut
    awk -v first="$2" -v end="$3" -v cut="$4" '
        !inside && $0 ~ first { inside = 1 }
        inside && $0 ~ end { exit }
        inside { print substr($0, cut + 1) }' "$1"
}

# Sweep files: in the header and in the page. Three seeds of two variants, four combinations less one.
mkdir experiments
ln -s "$source/configs" configs
ln -s "$source/datasets" datasets
block "$source/host/lab/sweep/plan.h" '^//   name:' '^//$' 5 > experiments/header.yaml
block "$source/experiments/README.md" '^    name:' '^$' 4 > experiments/page.yaml
for file in header page; do
    "$TINYTHINKER" sweep experiments/$file.yaml --dry-run > list.txt 2> err.log || fail "the sweep of $file" err.log
    grep -q "^18 runs in runs/betas$" list.txt || fail "the sweep of $file has other runs" list.txt experiments/$file.yaml
    grep -q "17-large-no_recall-beta0.1-s3" list.txt || fail "names of runs of $file" list.txt
done

# Questions as JSONL, a reading task, and a line of a world's table.
block "$source/datasets/README.md" '^    \{"id"' '^$' 4 | tr '\n' ' ' > questions.jsonl
"$TINYTHINKER" corpus import jsonl questions.jsonl -o questions.h5 > shown.txt 2> err.log || fail "questions as JSONL" err.log
python3 -c 'import json, sys; assert set(json.loads(sys.argv[1])) == {"input", "target"}' \
    "$(grep -o '{"input"[^}]*}' "$source/datasets/README.md")" || fail "the reading task of datasets/README.md"
{
    cat "$source/datasets/everyday/objects.yaml"
    block "$source/datasets/README.md" '^      - \{name' '^$' 4 | sed 's/kettle/other kettle/'
} > objects.yaml
cp "$source/datasets/everyday/world.yaml" world.yaml
"$TINYTHINKER" corpus build world.yaml -o world.h5 > shown.txt 2> err.log || fail "the line of a world's table" err.log

# Environment variables.
table() { awk -F '|' '/^## Environment variables/ { inside = 1 } inside && /^\| `/ { print $2 }' "$source/tools/README.md" | grep -oE '[A-Z][A-Z0-9_]+'; }
read_by_sources() {
    grep -rhoE --include='*.c' --include='*.cc' --include='*.cu' --include='*.h' 'getenv\("[A-Z0-9_]+"' \
        "$source"/{host,kernels,tests} | grep -oE '[A-Z0-9_]{3,}'
    # Names in arrays, which getenv gets one by one.
    grep -rhoE --include='*.c' '"(TT|SLURM|OMPI|PMI|PMIX|MV2)_[A-Z0-9_]+"' "$source/host" | tr -d '"'
    # Variables with a default, and ours.
    cat "$source"/tools/*.sh | grep -oE '\$\{[A-Z][A-Z0-9_]+:?[-+]' | grep -oE '[A-Z][A-Z0-9_]+'
    cat "$source"/{tools,tests,tests/*}/*.sh | grep -oE '\$\{?(TT_[A-Z0-9_]+|GOLDEN_PYTHON|TINYTHINKER|SEED\b)' | grep -oE '[A-Z][A-Z0-9_]+'
    grep -hoE 'environ(\.get\(|\[)"[A-Z_]+' "$source"/tools/*.py | grep -oE '[A-Z_]{3,}'
}
table | sort -u > in_table.txt
read_by_sources | sort -u > in_sources.txt
[ "$(wc -l < in_sources.txt)" -ge 40 ] || fail "too few variables found in the sources" in_sources.txt
comm -13 in_table.txt in_sources.txt > missing.txt
[ ! -s missing.txt ] || fail "tools/README.md lacks these environment variables:" missing.txt
comm -23 in_table.txt in_sources.txt > unknown.txt
while read -r name; do
    grep -rqE "\b$name\b" "$source"/{host,kernels,tests,tools,cmake} --include='*.c' --include='*.cc' --include='*.sh' \
        --include='*.txt' || fail "tools/README.md lists $name, which nothing reads"
done < unknown.txt

# Every tool is named.
for file in "$source"/tools/*; do
    name=$(basename "$file")
    [ "$name" = README.md ] || [ -d "$file" ] || grep -qF "| \`$name\` |" "$source/tools/README.md" ||
        fail "tools/README.md does not name $name"
done
# And every configuration and sweep.
for file in "$source"/configs/*.yaml; do
    grep -q "^|.*\`$(basename "$file")\`" "$source/configs/README.md" || fail "configs/README.md does not name $file"
done
for file in "$source"/experiments/*.yaml; do
    grep -qF "| \`$(basename "$file")\` |" "$source/experiments/README.md" || fail "experiments/README.md does not name $file"
done

# Links between pages.
for page in "$source"/*.md "$source"/*/README.md "$source"/*/*/README.md; do
    case $page in "$source"/build/*) continue ;; esac
    for link in $(grep -oE '\]\([^)#]+' "$page" | cut -c 3- | grep -v '^https\?:'); do
        [ -e "$(dirname "$page")/$link" ] || fail "$page: nothing at $link"
    done
done

# The walk to the paper's tables: it is shell, and has every file, command and option that it names.
block "$source/experiments/README.md" '^    #!/usr/bin/env bash' '^$' 4 > walk.sh
bash -n walk.sh || fail "the walk of experiments/README.md" walk.sh
[ "$(grep -c "tinythinker \|tools/" walk.sh)" -ge 6 ] || fail "the walk of experiments/README.md was not found" walk.sh
for file in $(grep -oE '^ *(tools|datasets)/[a-z_/]*\.[a-z]+' walk.sh); do [ -e "$source/$file" ] || fail "the walk names $file"; done
for data in $(sed -n 's/^for data in \(.*\); do.*/\1/p' walk.sh); do
    [ -e "$source/datasets/prompts/$data.yaml" ] || fail "the walk has no prompts for $data"
    grep -q "tinythinker corpus import .* -o $data.h5" "$source/tools/fetch_datasets.sh" || fail "fetch_datasets.sh does not make $data.h5"
done
grep -oE 'tinythinker [a-z]+|--[a-z-]+' walk.sh | while read -r word; do
    case $word in
        tinythinker*) "$TINYTHINKER" ${word#* } --help >help.txt 2>&1 || echo "$word" ;;
        --dry-run) "$TINYTHINKER" sweep --help | grep -q -- "$word" || echo "$word" ;;
        *) grep -q -- "$word" help.txt || echo "$word" ;;
    esac
done >bad.txt
[ ! -s bad.txt ] || fail "the walk of experiments/README.md names what is not there:" bad.txt

# It ends at the first error, and a second time puts nothing in the questions' place. Each file made here says which command made it.
mkdir -p walk/tools walk/build/default
cat >walk/build/default/tinythinker <<'SH'
#!/bin/sh
[ -z "${WALK_FAILS:-}" ] || [ "$1" != "$WALK_FAILS" ] || exit 3
echo "$*" >>done.txt
[ "$1 ${3:-}" != "teach " ] || { grep -q import "${2%.yaml}-questions.h5" && echo teach >"${2%.yaml}.h5"; }
while [ $# -gt 1 ]; do [ "$1" != -o ] || echo import >"$2"; shift; done
SH
grep '^tinythinker corpus import' "$source/tools/fetch_datasets.sh" | sed 's/.*/echo "&"/' >walk/tools/fetch_datasets.sh
echo 'echo "tinythinker model import x -o t5-small.h5"' >walk/tools/fetch_weights.sh
echo 'tinythinker paper "$@"' >walk/tools/paper.sh
chmod +x walk/tools/* walk/build/default/tinythinker
for fails in corpus teach model; do
    (cd walk && WALK_FAILS=$fails bash ../walk.sh) >walk.txt 2>&1 && fail "the walk goes on when $fails fails" walk.txt
    ! grep -q "^paper" walk/done.txt 2>/dev/null || fail "the walk goes on to the tables when $fails fails" walk.txt
done
for i in 1 2; do
    (cd walk && bash ../walk.sh) >walk.txt 2>&1 || fail "the walk, time $i" walk.txt
    [ "$(cat walk/{csqa,obqa,strategyqa}{-questions,}.h5 | tr '\n' ' ')" = "import teach import teach import teach " ] || fail "the walk, time $i: other corpora" walk.txt
done

# Help: every command, at most 80 columns, every option a sentence.
narrow() { # file, whose help it is
    awk 'length > 80 { print; bad = 1 } END { exit bad }' "$1" || fail "$2 --help is wider than 80 columns"
}
"$TINYTHINKER" --help > help.txt || fail "--help"
narrow help.txt tinythinker
commands=$(awk '/^  [a-z]/ { print $1 }' help.txt)
for command in $commands; do
    "$TINYTHINKER" "$command" --help > help.txt || fail "$command --help"
    for sub in $(grep -q '^usage: .* COMMAND ' help.txt && awk '/^  [a-z]/ { print $1 }' help.txt); do
        "$TINYTHINKER" "$command" "$sub" --help >> help.txt || fail "$command $sub --help"
    done
    narrow help.txt "$command"
    awk '/^options:/ { inside = 1; next } /^usage:/ { inside = 0 } inside && /^  -/ && seen && last !~ /[.;]$/ { print last; bad = 1 }
        inside { last = $0; seen = /^  / } END { exit bad }' help.txt || fail "$command --help: not a sentence"
done
exit $failed
