#!/usr/bin/env bash
# Fetching data sets, from file:// addresses: what is right is taken and not fetched again, what is wrong is told
# and set aside, what was interrupted goes on, one failure does not keep the others from coming.
set -u
command -v curl >/dev/null && command -v unzip >/dev/null && command -v python3 >/dev/null || {
    echo "skipped: needs curl, unzip and python3"
    exit 77
}
. "$(dirname "$0")/../common.sh"
shown=(err.log)
fetch() { # exit status, argument: runs with the table of sources
    TT_SOURCES=sources.txt "$TT_SOURCE_DIR/tools/fetch_datasets.sh" got >out.log 2>err.log
    local status=$?
    [ $status -eq "$1" ] || fail "exit status $status, expected $1"
}
sum() { sha256sum "$1" | cut -d' ' -f1; }
inode() { stat -c %i "$1"; }

mkdir -p origin/OpenBookQA-V1-Sep2018/Data/Main
question() {
    echo "{\"id\": \"$1\", \"question\": {\"stem\": \"What floats?\", \"choices\": [{\"text\": \"oil\", \"label\": \"A\"}," \
        "{\"text\": \"iron\", \"label\": \"B\"}]}, \"answerKey\": \"A\"}"
}
for i in 1 2 3; do question "csqa-$i"; done >origin/csqa_train.jsonl
question csqa-4 >origin/csqa_dev.jsonl
for split in train dev test; do question "obqa-$split" >origin/OpenBookQA-V1-Sep2018/Data/Main/$split.jsonl; done
echo '[{"qid": "s1", "question": "Does oil float?", "answer": true, "facts": ["Oil is light."]}]' >origin/strategyqa_train.json
(cd origin && python3 -m zipfile -c obqa.zip OpenBookQA-V1-Sep2018 && python3 -m zipfile -c strategyqa.zip strategyqa_train.json)
for file in csqa_train.jsonl csqa_dev.jsonl obqa.zip strategyqa.zip; do
    echo "$file $(sum origin/$file) file://$work/origin/$file"
done >right.txt

# A source that is not there and one that is not what it was: both named, the others come.
sed -e 's|origin/csqa_dev|origin/nowhere|' -e "s|$(sum origin/obqa.zip)|$(sum right.txt)|" right.txt >sources.txt
fetch 1
grep -q "could not fetch file://$work/origin/nowhere" err.log || fail "the missing source is not named"
grep -q "obqa.zip has SHA-256 $(sum origin/obqa.zip), expected $(sum right.txt)" err.log || fail "no two checksums"
[ -f got/obqa.zip.unexpected ] || fail "the unexpected archive was not kept"
[ -f got/csqa_train.jsonl ] && [ -f got/strategyqa_train.json ] || fail "the good ones did not come"
[ ! -e got/obqa.zip ] && [ ! -e got/obqa_train.jsonl ] && [ ! -e got/csqa_dev.jsonl ] || fail "bad ones came"
[ -s out.log ] && fail "a failure told how to go on"

# All right now; parts of earlier attempts: one to go on from, one complete, one foreign.
cp right.txt sources.txt
head -c 100 origin/csqa_dev.jsonl >got/csqa_dev.jsonl.part
cp origin/obqa.zip got/obqa.zip.part
rm got/strategyqa.zip
head -c 100000 /dev/zero >got/strategyqa.zip.part
before=$(inode got/csqa_train.jsonl)
fetch 0
[ "$(inode got/csqa_train.jsonl)" = "$before" ] || fail "a file that was right came again"
for file in csqa_train.jsonl csqa_dev.jsonl strategyqa_train.json; do
    cmp -s origin/$file got/$file || fail "$file differs"
done
for split in train dev test; do
    cmp -s origin/OpenBookQA-V1-Sep2018/Data/Main/$split.jsonl got/obqa_$split.jsonl || fail "obqa $split differs"
done
ls got/*.part >/dev/null 2>&1 && fail "a part stayed"

# A damaged file is fetched again.
echo damage >>got/csqa_dev.jsonl
fetch 0
cmp -s origin/csqa_dev.jsonl got/csqa_dev.jsonl || fail "the damaged file stayed"

# The commands that it prints work.
while read -r _ rest; do
    "$TINYTHINKER" $rest >/dev/null 2>err.log || fail "$rest"
done <out.log
[ -f csqa.h5 ] && [ -f obqa.h5 ] && [ -f strategyqa.h5 ] || fail "no corpora"
exit $failed
