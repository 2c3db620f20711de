#!/usr/bin/env bash
# The main job from a fresh clone: installs what is needed, builds, teaches the shipped student to reason about everyday
# objects in three stages, teaches another one the answers alone, and prints both side by side, then which stage decided
# wrong answers. If it is interrupted, running it again resumes it.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS

tools/setup.sh
cmake --preset default >/dev/null
cmake --build --preset default --target tinythinker_cli -- --quiet
echo "built in $((SECONDS - started)) s"

program=build/default/tinythinker
"$program" run configs/everyday.yaml "$@" >/dev/null
"$program" run configs/everyday-summarize-only.yaml "$@" >/dev/null

echo
"$program" compare runs/everyday runs/everyday-summarize-only
echo "(five options: chance is 20 %; control asks about objects whose facts were never taught)"
echo
"$program" explain runs/everyday
echo
"$program" report runs/everyday runs/everyday-summarize-only -o runs/report.html >/dev/null
echo "all of it took $((SECONDS - started)) s; every stage's text: runs/everyday/predictions.jsonl;"
echo "curves and examples: runs/report.html"
