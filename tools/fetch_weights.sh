#!/usr/bin/env bash
# Downloads published T5 weights and their tokenizers, checks them, and prints the commands that import them:
#   tools/fetch_weights.sh [NAME...]      (default: t5-small t5-base t5-large; also google/flan-t5-base and the like)
# They go to datasets/downloads/NAME, or TT_WEIGHTS/NAME. Files that are there and correct are not downloaded again; an
# interrupted download is resumed.
#
# The hub keeps large files under their SHA-256, which it publishes as a short text in the file's place (a Git LFS pointer): a
# download is compared with that; small files are compared with the hub's own copy. REVISION=commit takes another state
# than main; TT_HUB=address another server.
set -uo pipefail
hub=${TT_HUB:-https://huggingface.co}
revision=${REVISION:-main}
folder=${TT_WEIGHTS:-$(dirname "$0")/../datasets/downloads}
[ $# -gt 0 ] || set -- t5-small t5-base t5-large

say() { echo "fetch_weights: $*" >&2; }

fetch() { # address, file: resumes an earlier download
    if command -v curl >/dev/null; then
        curl -fsSL --retry 3 --connect-timeout 20 -C - -o "$2" "$1"
    else
        wget -q --tries=3 --connect-timeout=20 -c -O "$2" "$1"
    fi
}

# The SHA-256 that a file must have, from the text that the hub has in its place.
published_sum() { # model, file, where the text goes
    rm -f "$3"
    fetch "$hub/$1/raw/$revision/$2" "$3" || return 1
    if head -c 40 "$3" | grep -q '^version https://git-lfs'; then
        sed -n 's/^oid sha256:\([0-9a-f]\{64\}\)$/\1/p' "$3"
    else
        sha256sum "$3" | cut -d' ' -f1 # not a pointer: the file itself
    fi
}

get() { # model, file
    local to=$folder/$1/$2 part=$folder/$1/$2.part note=$folder/$1/$2.published sum
    sum=$(published_sum "$1" "$2" "$note")
    rm -f "$note"
    if [ -z "$sum" ]; then
        say "$hub has no $1/$2 at revision $revision, or cannot be reached"
        return 1
    fi
    [ -f "$to" ] && [ "$(sha256sum "$to" | cut -d' ' -f1)" = "$sum" ] && return 0
    say "$1/$2"
    # The first attempt fails if the server cannot resume what is there.
    if ! fetch "$hub/$1/resolve/$revision/$2" "$part" && { ! rm -f "$part" || ! fetch "$hub/$1/resolve/$revision/$2" "$part"; }; then
        say "could not fetch $1/$2; what arrived is kept; run this again to resume"
        return 1
    fi
    if [ "$(sha256sum "$part" | cut -d' ' -f1)" != "$sum" ]; then
        mv "$part" "$to.unexpected"
        say "$1/$2 has not the published SHA-256 $sum; it is kept as $to.unexpected; run this again to download it again"
        return 1
    fi
    mv "$part" "$to"
}

if ! command -v curl >/dev/null && ! command -v wget >/dev/null; then
    say "curl (or wget) is not installed; 'tools/setup.sh datasets' installs it"
    exit 1
fi
failed=()
for model in "$@"; do
    mkdir -p "$folder/$model" || exit 1
    for file in config.json spiece.model model.safetensors; do
        get "$model" "$file" || { failed+=("$model"); break; }
    done
done
for model in "$@"; do
    [[ " ${failed[*]} " == *" $model "* ]] || echo "tinythinker model import $folder/$model -o ${model##*/}.h5"
done
if [ ${#failed[@]} -gt 0 ]; then
    say "not complete: ${failed[*]}; see above"
    exit 1
fi
