#!/usr/bin/env bash
# Prints the name of one of clang's tools in the version that this project uses:
#   tools/pinned.sh clang-format
# Other versions format differently and find other problems. Fails with a message if the version is not installed.
set -euo pipefail
version=14
for program in "$1-$version" "$1"; do
    if "$program" --version 2>/dev/null | grep -q "version $version\."; then
        echo "$program"
        exit 0
    fi
done
echo "$1 $version is not installed" >&2
exit 1
