#!/usr/bin/env bash
# break.sh SOURCE_DIR COPY FILE SOURCE SCRIPT: a copy of the kernels, and of SOURCE, in which FILE is edited by a sed
# script.
set -euo pipefail
mkdir -p "$2/kernels/cuda" "$2/$(dirname "$4")"
cp "$1"/kernels/cuda/*.cu "$1"/kernels/cuda/*.cuh "$1"/kernels/cuda/*.h "$2/kernels/cuda/"
cp "$1/$4" "$2/$4"
sed -i -f "$5" "$2/$3"
if cmp -s "$1/$3" "$2/$3"; then
    echo "break.sh: the change to $3 no longer applies: $5" >&2
    exit 1
fi
