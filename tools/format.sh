#!/usr/bin/env bash
# Formats all C and C++ sources. With --check, reports those that are not formatted and fails; the check is skipped if
# clang-format is not installed in the version of tools/pinned.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files -co --exclude-standard '*.c' '*.h' '*.cc' '*.cu' '*.cuh')
if [ "${1:-}" != --check ]; then
    format=$(tools/pinned.sh clang-format)
    "$format" -i "${files[@]}"
elif format=$(tools/pinned.sh clang-format); then
    "$format" --dry-run --Werror "${files[@]}"
else
    echo "skipped: the format is not checked"
fi
