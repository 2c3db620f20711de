#!/usr/bin/env bash
# Fails where a file includes a header of a layer above its own.
set -euo pipefail
cd "$(dirname "$0")/.."
layers=(host/base kernels host/config host/text host/dist host/data host/model host/teacher host/reason host/train
    host/lab host/cli) # lowest first
declare -A level
for i in "${!layers[@]}"; do level[${layers[$i]}]=$i; done
layer_of() {
    case $1 in
        host/*) cut -d/ -f1-2 <<<"$1" ;;
        *) echo "${1%%/*}" ;;
    esac
}
failed=0
while IFS=: read -r file include; do
    included=${include#*\"}
    from=$(layer_of "$file") to=$(layer_of "${included%%\"*}")
    [ -n "${level[$to]:-}" ] || continue
    if [ "${level[$to]}" -gt "${level[$from]}" ]; then
        echo "$file includes ${included%%\"*}, of a layer above" >&2
        failed=1
    fi
done < <(git grep -E '^ *#include "(host|kernels)/' -- host kernels)
exit $failed
