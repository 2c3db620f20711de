#!/usr/bin/env bash
# Corpora made from corpora: JSONL and back, added reasoning and explanations, merging; with what each command says, and what
# it leaves alone when it fails.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data
shown=(out.log err.log)
corpus() { "$TINYTHINKER" corpus "$@" > out.log 2> err.log; }
expect() { # exit status, pattern of the message, arguments of corpus
    local status=$1 pattern=$2 got
    shift 2
    corpus "$@"
    got=$?
    [ $got -eq "$status" ] || fail "corpus $*: exit status $got, expected $status"
    grep -Eq -- "$pattern" err.log || fail "corpus $*: no '$pattern'"
}
says() { grep -Eq -- "$1" "${2:-out.log}" || fail "no '$1' in ${2:-out.log}"; }
hash_of() { "$TINYTHINKER" corpus show "$1" --examples 0 | sed -n 's/.*(hash \(.*\))/\1/p'; }
same() { [ -n "$(hash_of "$1")" ] && [ "$(hash_of "$1")" = "$(hash_of "$2")" ] || fail "$1 and $2 differ"; }

# JSONL and back; standard output has the same bytes.
expect 0 "^wrote toy.jsonl: 120 questions, 120 reasonings$" export data/corpus.h5 -o toy.jsonl
expect 0 "" import jsonl toy.jsonl -o back.h5
same data/corpus.h5 back.h5
expect 0 "standard output" export data/corpus.h5 -o -
cmp toy.jsonl out.log || fail "standard output has other bytes"
expect 2 "export: -o F.jsonl is missing" export data/corpus.h5
expect 1 "nowhere.h5" export nowhere.h5 -o x.jsonl
expect 1 "no/folder" export data/corpus.h5 -o no/folder/x.jsonl
if [ -c /dev/full ]; then
    "$TINYTHINKER" corpus export data/corpus.h5 -o - > /dev/full 2> err.log && fail "a full disk is not noticed"
    says "standard output: cannot write: No space left" err.log
fi

# Added reasoning: questions without any, with what was exported.
sed 's/, "reasoning": .*/}/' toy.jsonl > bare.jsonl
expect 0 "" import jsonl bare.jsonl --name toy -o bare.h5
expect 0 "^wrote full.h5$" add-reasoning bare.h5 toy.jsonl -o full.h5
says "^reasonings added    120$"
same data/corpus.h5 full.h5
"$TINYTHINKER" corpus show full.h5 --examples 0 > source.log
says "^    file  *toy.jsonl$" source.log
says "^    reasonings  *120$" source.log
printf '%s\n' '{"id": "toy-1", "general": "One."}' '{"id": "nobody", "general": "x"}' \
    '{"id": "toy-1", "reasoning": [{"general": "One."}, {"specific": ["a", "b"]}]}' > some.jsonl
expect 0 "^warning: some.jsonl:2: question nobody is not in the corpus$" add-reasoning full.h5 some.jsonl -o more.h5
says '^warning: some.jsonl:3: .*entry 1 of "reasoning": the question already has this reasoning$' err.log
says '^warning: some.jsonl:3: .*entry 2 of "reasoning": "specific" has 2 entries for 3 options$' err.log
says "^left out            1 of questions that the corpus does not have$"
says "^left out            1 that do not fit their questions$"
says "^left out            1 that their questions already have$"
sum=$(cksum < more.h5)
expect 2 "some.jsonl: no reasoning was added; x.h5 is not written" add-reasoning more.h5 some.jsonl -o x.h5
echo '{"id": "toy-1", "genral": "x"}' > typo.jsonl
expect 2 'typo.jsonl:1: .*"genral"; did you mean general' add-reasoning more.h5 typo.jsonl -o x.h5
expect 1 "nowhere.jsonl" add-reasoning more.h5 nowhere.jsonl -o x.h5
expect 2 "more.h5: this file is read, too" add-reasoning more.h5 some.jsonl -o more.h5
[ "$(cksum < more.h5)" = "$sum" ] || fail "a failed command changed its output"
expect 2 "add-reasoning: -o F.h5 is missing" add-reasoning full.h5 some.jsonl
expect 2 "" add-reasoning full.h5 -o x.h5

# Token ids belong to the reasoning that they were made of.
expect 0 "" import jsonl toy.jsonl --tokenizer data/tokenizer.model --extra-ids 20 -o tokens.h5
expect 0 "tokens.h5: its token ids .*--tokenizer" add-reasoning tokens.h5 some.jsonl -o dropped.h5
same more.h5 dropped.h5
! grep -q "tokens" out.log || fail "token ids of other reasoning are kept"
expect 0 "" add-reasoning tokens.h5 some.jsonl --tokenizer data/tokenizer.model --extra-ids 20 -o again.h5
says "tokenised"

# Explanations, with the map that is shipped.
{
    echo 'number,Input.question,Input.explanation_1,Input.explanation_2,Input.explanation_3,Input.explanation_4,Input.explanation_5,Answer.acceptable'
    for judge in 1 2 3; do
        for i in 1 2 3; do
            echo "$i,What is thing $i?,\"Well, $i\",b,c,d,e,1|$judge"
        done
    done
    echo '4,What is thing 4?,a,b,c,d,e,1'
} > explained.csv
for i in 1 2 3; do
    echo "{\"id\": \"t$i\", \"question\": \"What  is thing $i?\", \"options\": [\"x\", \"y\"], \"gold\": 1}"
done > things.jsonl
expect 0 "" import jsonl things.jsonl -o things.h5
map=$TT_SOURCE_DIR/datasets/prompts/csqa-explanations.yaml
expect 0 "explained.csv:11: no question of the corpus has the text \"What is thing 4\?\"" add-explanations things.h5 "$map" explained.csv -o explained.h5
says "^reasonings added    3$"
says "^left out            6 that fewer records"
"$TINYTHINKER" corpus show explained.h5 --examples 9 > source.log
says "^  recall: Well, 3\.$" source.log
echo '5,"open' >> explained.csv
expect 2 "explained.csv:12: a quoted field is not closed" add-explanations things.h5 "$map" explained.csv -o x.h5
expect 2 "toy.jsonl:1" add-explanations things.h5 "$map" toy.jsonl -o x.h5
expect 2 "things.h5" add-explanations things.h5 things.h5 explained.csv -o x.h5
[ ! -e x.h5 ] || fail "x.h5 was written"

# Merging.
expect 0 "" merge full.h5 things.h5 explained.h5 -o merged.h5
says "^files 3; questions in more than one: 3; reasonings that repeat another: 0 \(kept\)$"
says "^train .* 99 " # 96 + 3
"$TINYTHINKER" corpus show merged.h5 --examples 0 > source.log
[ "$(grep -c '^      file  *\(full\|things\|explained\).h5$' source.log)" = 3 ] || fail "provenance" source.log
sed 's/"gold": 1/"gold": 0/' things.jsonl > flipped.jsonl
expect 0 "" import jsonl flipped.jsonl -o flipped.h5
expect 2 "question t1: gold answer: not the same in things.h5 and flipped.h5" merge full.h5 things.h5 flipped.h5 -o x.h5
expect 2 "" merge full.h5 -o x.h5
[ ! -e x.h5 ] || fail "x.h5 was written"
exit $failed
