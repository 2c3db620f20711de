#!/usr/bin/env bash
# Downloads CommonsenseQA, OpenBookQA and StrategyQA from their authors, checks them, and prints the commands that import
# them:
#   tools/fetch_datasets.sh [FOLDER]      (default: datasets/downloads)
# Files that are there and correct are not downloaded again; an interrupted download is resumed.
# TT_SOURCES=FILE replaces the table of sources, e.g. for a mirror.
set -uo pipefail
folder=${1:-$(dirname "$0")/../datasets/downloads}

# file, its SHA-256, address
sources() {
    if [ -n "${TT_SOURCES:-}" ]; then
        cat "$TT_SOURCES"
    else
        cat <<'TABLE'
csqa_train.jsonl 58ffa3c8472410e24b8c43f423d89c8a003d8284698a6ed7874355dedd09a2fb https://s3.amazonaws.com/commensenseqa/train_rand_split.jsonl
csqa_dev.jsonl 3210497fdaae614ac085d9eb873dd7f4d49b6f965a93adadc803e1229fd8a02a https://s3.amazonaws.com/commensenseqa/dev_rand_split.jsonl
obqa.zip 82368cf05df2e3b309c17d162e10b888b4d768fad6e171e0a041954c8553be46 https://ai2-public-datasets.s3.amazonaws.com/open-book-qa/OpenBookQA-V1-Sep2018.zip
strategyqa.zip 4911d85eb6721a93bed7645419df77e721808b32b9785dee14ad80e6249e0a90 https://storage.googleapis.com/ai2i/strategyqa/data/strategyqa_dataset.zip
TABLE
    fi
}

# file in the folder, archive, member
members() {
    cat <<'TABLE'
obqa_train.jsonl obqa.zip OpenBookQA-V1-Sep2018/Data/Main/train.jsonl
obqa_dev.jsonl obqa.zip OpenBookQA-V1-Sep2018/Data/Main/dev.jsonl
obqa_test.jsonl obqa.zip OpenBookQA-V1-Sep2018/Data/Main/test.jsonl
strategyqa_train.json strategyqa.zip strategyqa_train.json
TABLE
}

say() { echo "fetch_datasets: $*" >&2; }

sum_of() { sha256sum "$1" | cut -d' ' -f1; }

right() { [ -f "$1" ] && [ "$(sum_of "$1")" = "$2" ]; } # file, sha256

download() { # address, file: resumes an earlier download
    if command -v curl >/dev/null; then
        curl -fsSL --retry 3 --connect-timeout 20 -C - -o "$2" "$1"
    else
        wget -q --tries=3 --connect-timeout=20 -c -O "$2" "$1"
    fi
}

get() { # file, sha256, address
    local file=$folder/$1 part=$folder/$1.part
    right "$file" "$2" && return
    say "$1 from $3"
    # The first attempt fails if the part is complete, or if the server cannot resume it.
    if ! right "$part" "$2" && ! download "$3" "$part"; then
        if ! [ -s "$part" ] || ! rm "$part" || ! download "$3" "$part"; then
            say "could not fetch $3; the part that arrived is kept; run this again to resume"
            return 1
        fi
    fi
    if ! right "$part" "$2"; then
        mv "$part" "$file.unexpected"
        say "$1 has SHA-256 $(sum_of "$file.unexpected"), expected $2. It is kept as $file.unexpected;" \
            "run this again to download it again, or inspect it and import it as it is"
        return 1
    fi
    mv "$part" "$file"
}

extract() { # file, archive, member
    [ -f "$folder/$2" ] || return 1
    if ! unzip -p "$folder/$2" "$3" >"$folder/$1.part"; then
        rm -f "$folder/$1.part"
        say "cannot extract $3 from $folder/$2"
        return 1
    fi
    mv "$folder/$1.part" "$folder/$1"
}

missing=()
command -v curl >/dev/null || command -v wget >/dev/null || missing+=("curl (or wget)")
command -v unzip >/dev/null || missing+=(unzip)
if [ ${#missing[@]} -gt 0 ]; then
    say "not installed: $(printf '%s, ' "${missing[@]}" | sed 's/, $//'); 'tools/setup.sh datasets' installs what is missing"
    exit 1
fi
mkdir -p "$folder" || exit 1
failed=0
while read -r file sum address; do
    get "$file" "$sum" "$address" </dev/null || failed=1
done < <(sources)
while read -r file archive member; do
    [ -f "$folder/$file" ] && [ ! "$folder/$archive" -nt "$folder/$file" ] && continue
    extract "$file" "$archive" "$member" </dev/null || failed=1
done < <(members)
if [ $failed -ne 0 ]; then
    say "some files are missing; see above"
    exit 1
fi
cat <<HELP
tinythinker corpus import csqa $folder/csqa_train.jsonl $folder/csqa_dev.jsonl -o csqa.h5
tinythinker corpus import obqa $folder/obqa_train.jsonl $folder/obqa_dev.jsonl $folder/obqa_test.jsonl -o obqa.h5
tinythinker corpus import strategyqa $folder/strategyqa_train.json --facts-as-recall -o strategyqa.h5
HELP
