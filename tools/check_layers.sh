#!/usr/bin/env bash
# Fails if an arrow between files points the wrong way:
#   - a file includes a header of a layer above its own, or of another sub-room of its layer, unless that is allowed below;
#   - headers include each other in a circle;
#   - with FOLDER, the folder of the library's objects in a build: files call each other in a circle.
# Files that git does not track are checked, too.
#   tools/check_layers.sh [FOLDER]     e.g. build/ci/CMakeFiles/tinythinker.dir
set -euo pipefail
cd "$(dirname "$0")/.."
layers=(host/base kernels host/config host/text host/dist host/data host/model host/teacher host/reason host/train
    host/bench host/lab host/report host/cli) # the lowest layer first
declare -A allowed=(
    ["host/report/sections host/report/runs"]="sections show the contents of runs"
    ["host/report/sections host/report/plot"]="and draw them"
)
declare -A level
for i in "${!layers[@]}"; do level[${layers[$i]}]=$i; done
layer_of() { # file -> layer
    case $1 in
        host/*) layer=${1#host/} layer=host/${layer%%/*} ;;
        *) layer=${1%%/*} ;;
    esac
}
failed=0
if odd=$(git grep --untracked -nE '^ *# *include *("\.|<(host|kernels)/)' -- host kernels); then
    echo "includes name headers by their path from the top, in quotation marks:" >&2
    echo "$odd" >&2
    failed=1
fi
includes() { # lines of: file:included header
    git grep --untracked -E '^ *#include "(host|kernels)/' -- host kernels | sed -E 's/: *#include "([^"]*)".*/:\1/'
}
while IFS=: read -r file included; do
    layer_of "$file" && from=$layer
    layer_of "$included" && to=$layer
    if [ -z "${level[$to]:-}" ] || [ -z "${level[$from]:-}" ]; then
        echo "$file includes $included, whose layer tools/check_layers.sh does not list" >&2
        failed=1
        continue
    fi
    if [ "${level[$to]}" -gt "${level[$from]}" ]; then
        echo "$file includes $included, of a layer above" >&2
        failed=1
    fi
    from_room=${file%/*} to_room=${included%/*}
    if [ "$from" = "$to" ] && [ "$from" != kernels ] && [ "$from_room" != "$from" ] && [ "$to_room" != "$to" ] &&
        [ "$from_room" != "$to_room" ] && [ -z "${allowed["$from_room $to_room"]:-}" ]; then
        echo "$file includes $included, of another sub-room; tools/check_layers.sh lists what is allowed" >&2
        failed=1
    fi
done < <(includes)

# A source file and its header count as one file. tsort reports circles.
circles() { # what, lines of: from to
    local loops
    loops=$(LC_ALL=C tsort 2>&1 >/dev/null | sed 's/^tsort: //' | grep -v 'contains a loop' || true)
    [ -n "$loops" ] || return 0
    echo "a circle of files that $1 each other:" >&2
    sed 's/^/    /' <<<"$loops" >&2
    failed=1
}
circles include < <(includes | grep -E '\.(h|cuh):' | tr ':' ' ' | sort -u)

if [ $# -gt 0 ]; then
    objects=
    for object in $(cd "$1" && find . -name '*.o' | sed 's|^\./||'); do
        [ ! -f "${object%.o}" ] || objects+=" $object" # ignore objects of files that were removed
    done
    [ -n "$objects" ] || { echo "$1: no objects" >&2; exit 1; }
    circles call < <(cd "$1" && nm -A $objects | awk '
        { split($1, place, ":"); file = place[1]; sub(/\.[a-z]*\.o$/, "", file) }
        $(NF - 1) ~ /^[TDBRV]$/ { home[$NF] = file }
        $(NF - 1) == "U" { need[++n] = file " " $NF }
        END { for (k = 1; k <= n; ++k) { split(need[k], w, " "); if (w[2] in home && home[w[2]] != w[1]) print w[1], home[w[2]] } }
        ' | sort -u)
fi
exit $failed
