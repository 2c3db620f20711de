#!/usr/bin/env bash
# Makes every table of the paper: all sweeps of experiments/paper in one queue, in which no phase is trained twice, and a
# report of them.
#   tools/paper.sh [--tables "sizes stages"] [options of tinythinker sweep]
#   tools/paper.sh --dry-run                   lists runs and phases with what they cost
#   tools/paper.sh --jobs 4                    four runs at a time
#   LAUNCH="mpirun -np 8" tools/paper.sh       starts the sweeps with that
# The corpora csqa.h5, obqa.h5, strategyqa.h5 and the students t5-small.h5, t5-base.h5, t5-large.h5 lie in the working folder
# (experiments/README.md says how to make them). The same command again goes on.
# TINYTHINKER names the program; without it, that of this build is taken, or the installed one.
set -uo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
all="sizes stages phases targets iterations interval augmentations self-consistency beta-alpha baselines"
tables=$all
if [ "${1:-}" = --tables ]; then
    tables=${2:?--tables needs names out of: $all}
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
[ $status -le 1 ] || exit $status # interrupted, or wrong options
for option in "$@"; do [ "$option" != --dry-run ] || exit $status; done
"$program" report "${folders[@]}" -o runs/paper.html --markdown runs/paper.md --latex runs/paper.tex --csv runs/paper.csv ||
    exit 1
exit $status # 1: some runs are not finished
