#!/usr/bin/env bash
# Makes every table of the paper: all sweeps of experiments/paper in one queue, in which no phase is trained twice, and a
# report of them.
#   tools/paper.sh [--tables "sizes stages"] [options of tinythinker sweep]
#   tools/paper.sh --dry-run                   lists runs and phases with what they cost
#   tools/paper.sh --jobs 4                    four runs at a time
#   LAUNCH="mpirun -np 8" tools/paper.sh       starts the sweeps with that
# The corpora csqa.h5, obqa.h5, strategyqa.h5 and the students t5-small.h5, t5-base.h5, t5-large.h5 lie in the working folder
# (experiments/README.md says how to make them). The same command again goes on. It ends with 0 when all runs are finished, with 1
# when the report lacks some, and with 128 or more when it was interrupted.
# TINYTHINKER names the program; without it, that of this build is taken, or the installed one.
set -uo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
all="sizes stages phases targets iterations interval augmentations self-consistency beta-alpha baselines"
tables=$all
if [ "${1:-}" = --tables ]; then
    [ -n "${2:-}" ] || {
        echo "paper: --tables needs names out of: $all" >&2
        exit 2
    }
    tables=$2
    shift 2
fi
program=${TINYTHINKER:-}
for build in cuda default; do
    [ -n "$program" ] || [ ! -x "$source/build/$build/tinythinker" ] || program=$source/build/$build/tinythinker
done
[ -n "$program" ] || program=tinythinker

files=()
folders=()
for table in $tables; do
    [ -f "$source/experiments/paper/$table.yaml" ] || {
        echo "paper: $table is none of the tables: $all" >&2
        exit 2
    }
    files+=("$source/experiments/paper/$table.yaml")
    folders+=("runs/paper-$table")
done
# shellcheck disable=SC2086
${LAUNCH:-} "$program" sweep "${files[@]}" "$@"
status=$?
[ $status -lt 128 ] || exit $status # interrupted
for option in "$@"; do [ "$option" != --dry-run ] || exit $status; done

# Runs that failed, now or earlier, are missing in the report, and make this end with 1.
begun=()
for folder in "${folders[@]}"; do
    [ -z "$(find "$folder" -name result.json -o -name metrics.jsonl 2>/dev/null | head -1)" ] || begun+=("$folder")
done
if [ ${#begun[@]} -gt 0 ]; then
    "$program" report "${begun[@]}" -o runs/paper.html --markdown runs/paper.md --latex runs/paper.tex --csv runs/paper.csv ||
        exit 1
fi
open=0
for folder in "${folders[@]}"; do
    n=$(awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "state") state = i; next}
        $state != "finished" && $state != "not needed" {n++} END {print NR ? n + 0 : 1}' "$folder/summary.csv" 2>/dev/null)
    open=$((open + ${n:-1}))
done
[ $open -gt 0 ] || exit $status
echo "paper: not all runs are finished ($open are open); the same command goes on, with --retry also with those that failed" >&2
exit 1
