#!/usr/bin/env bash
# Makes every table of the paper: all sweeps of experiments/paper, one after another, and a report of them.
#   tools/paper.sh [--tables "sizes stages"] [options of tinythinker sweep]
#   tools/paper.sh --dry-run                   lists runs and phases
#   LAUNCH="mpirun -np 8" tools/paper.sh       starts each sweep with that
# The corpora csqa.h5, obqa.h5, strategyqa.h5 and the students t5-small.h5, t5-base.h5, t5-large.h5 lie in the working folder
# (experiments/README.md says how to make them). The same command again goes on; what sweeps have in common is trained once.
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

dry=no
for option in "$@"; do [ "$option" != --dry-run ] || dry=yes; done
for table in $tables; do
    [ -f "$source/experiments/paper/$table.yaml" ] && continue
    echo "paper: $table is none of the tables: $all" >&2
    exit 2
done
failed=()
folders=()
for table in $tables; do
    echo "== $table"
    # shellcheck disable=SC2086
    ${LAUNCH:-} "$program" sweep "$source/experiments/paper/$table.yaml" "$@"
    status=$?
    [ $status -lt 128 ] || exit $status # interrupted
    [ $status -eq 0 ] || failed+=("$table")
    folders+=("runs/paper-$table")
done
if [ $dry = no ]; then
    "$program" report "${folders[@]}" -o runs/paper.html --markdown runs/paper.md --csv runs/paper.csv
fi
[ ${#failed[@]} -eq 0 ] || { echo "paper: not finished: ${failed[*]}" >&2; exit 1; }
