#!/usr/bin/env bash
# Downloads CommonsenseQA, OpenBookQA and StrategyQA from their authors, checks them, and builds corpora:
#   tools/fetch_datasets.sh [FOLDER]      (default: datasets/downloads)
# A file that is there and right is not fetched again. TT_MIRROR=URL takes all files from URL/<name> instead.
set -euo pipefail
folder=${1:-$(dirname "$0")/../datasets/downloads}
mkdir -p "$folder"

fetch() { # url, file
    local url=$1 file=$2
    [ -z "${TT_MIRROR:-}" ] || url=$TT_MIRROR/$(basename "$file")
    echo "fetching $url" >&2
    if command -v curl >/dev/null; then
        curl -fL --retry 3 -C - -o "$file.part" "$url"
    elif command -v wget >/dev/null; then
        wget -q -c -O "$file.part" "$url"
    else
        echo "fetch_datasets: neither curl nor wget is installed" >&2
        exit 1
    fi || {
        echo "fetch_datasets: could not fetch $url; run this again to resume" >&2
        exit 1
    }
    mv "$file.part" "$file"
}

right() { # file, sha256
    [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]
}

need() { # url, file, sha256
    right "$2" "$3" && return
    rm -f "$2"
    fetch "$1" "$2"
    right "$2" "$3" || {
        echo "fetch_datasets: $2 has another checksum than expected ($3); look at it, or name the files to the importer yourself" >&2
        exit 1
    }
}

csqa=https://s3.amazonaws.com/commensenseqa
need $csqa/train_rand_split.jsonl "$folder/csqa_train.jsonl" 27c40637592ae121c9363ea976bbc593abe47d1d54f42cba97bff6d9d4084c3b
need $csqa/dev_rand_split.jsonl "$folder/csqa_dev.jsonl" 3210497fdaae614ac085d9eb873dd7f4d49b6f965a93adadc803e1229fd8a02a

ai2=https://ai2-public-datasets.s3.amazonaws.com
if ! [ -f "$folder/obqa_train.jsonl" ]; then
    fetch $ai2/open-book-qa/OpenBookQA-V1-Sep2018.zip "$folder/obqa.zip"
    for split in train dev test; do
        unzip -p "$folder/obqa.zip" "OpenBookQA-V1-Sep2018/Data/Main/$split.jsonl" >"$folder/obqa_$split.jsonl"
    done
    rm "$folder/obqa.zip"
fi
if ! [ -f "$folder/strategyqa_train.json" ]; then
    fetch $ai2/strategyqa/strategyqa_dataset.zip "$folder/strategyqa.zip"
    unzip -p "$folder/strategyqa.zip" strategyqa_train.json >"$folder/strategyqa_train.json"
    rm "$folder/strategyqa.zip"
fi
# What comes out of the archives is checked by its number of questions.
count() { # file, number, what to count
    local n
    n=$(grep -o "$3" "$1" | wc -l)
    [ "$n" -eq "$2" ] || {
        echo "fetch_datasets: $1 has $n questions, expected $2" >&2
        exit 1
    }
}
count "$folder/obqa_train.jsonl" 4957 '"answerKey"'
count "$folder/obqa_dev.jsonl" 500 '"answerKey"'
count "$folder/obqa_test.jsonl" 500 '"answerKey"'
echo "now build corpora, e.g.:" >&2
echo "  tinythinker corpus import csqa $folder/csqa_train.jsonl $folder/csqa_dev.jsonl -o csqa.h5"
echo "  tinythinker corpus import obqa $folder/obqa_train.jsonl $folder/obqa_dev.jsonl $folder/obqa_test.jsonl -o obqa.h5"
echo "  tinythinker corpus import strategyqa $folder/strategyqa_train.json --facts-as-recall -o strategyqa.h5"
