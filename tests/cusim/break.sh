#!/usr/bin/env bash
# break.sh SOURCE_DIR COPY FILE SCRIPT: a copy of the kernels in which FILE is edited by a sed script.
set -euo pipefail
mkdir -p "$2/kernels/cuda"
cp "$1"/kernels/cuda/*.cu "$1"/kernels/cuda/*.cuh "$1"/kernels/cuda/*.h "$2/kernels/cuda/"
sed -i -f "$4" "$2/kernels/cuda/$3"
if cmp -s "$1/kernels/cuda/$3" "$2/kernels/cuda/$3"; then
    echo "break.sh: the change to $3 no longer applies: $4" >&2
    exit 1
fi
