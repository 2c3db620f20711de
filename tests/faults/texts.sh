#!/usr/bin/env bash
# Texts as people and other programs write them: encodings, JSON and JSONL, the layouts of published data sets, CSV, texts of
# pretraining that change, files that a report reads. Each is read as what it means, or refused with its place.
set -u
. "$(dirname "$0")/../common.sh"
make_data
cat > pre.yaml <<'YAML'
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
pretraining: {enabled: true, text: [data/text.txt], window: 32, steps: 8, batch_size: 8, save_every: 1}
acquisition: {enabled: false}
evaluation: {max_length: 8, samples: 0}
precision: fp32
YAML
import() { # status, pattern, text of a JSONL file as printf has it
    printf "$3" > q.jsonl
    expect "$1" "$2" corpus import jsonl q.jsonl -o q.h5
}
# The corpus as JSONL, without blanks between members, has a line that matches.
has() { # pattern, corpus
    "$TINYTHINKER" corpus export "${2:-q.h5}" -o back.jsonl 2> err.log || fail "export" err.log
    sed 's/": /":/g; s/, "/,"/g' back.jsonl | grep -Eq -- "$1" || fail "no '$1' in the corpus" back.jsonl
}
q='"question": "Which floats?", "options": ["cork", "anvil"]'

# ---- encodings, at every reader of texts: UTF-16, a NUL byte, Latin-1, what is no text at all
utf16() { printf '\377\376'; printf '%s' "$1" | sed 's/./&\n/g' | while IFS= read -r c; do printf '%s\000' "$c"; done; }
utf16 '{"id": "a"}' > wide.txt
tail -c +3 wide.txt > bare_wide.txt
printf 'one\ntwo \000 words\n' > nul.txt
printf 'one\nw\303\244re\nw\344re\n' > latin.txt
printf 'PAR1\025\004\025\000\000' > table.parquet
printf '\037\213\010\000\000\000' > packed.gz
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n' > pointer.h5
refused() { # file, pattern
    expect 2 "$2" corpus import jsonl "$1" -o x.h5
    expect 2 "$2" corpus import csqa "$1" "$1" -o x.h5
    expect 2 "$2" corpus import strategyqa "$1" -o x.h5
    expect 2 "$2" tokenizer train -o x.model --pieces 20 "$1"
    expect 2 "$2" run pre.yaml --set name=x --set pretraining.text=["$1"]
    expect 2 "$2" run pre.yaml --set name=x --set pretraining.pairs=["$1"]
    expect 2 "$2" corpus add-explanations data/corpus.h5 "$1" "$1" -o x.h5 # the map
    expect 2 "$2" corpus add-reasoning data/corpus.h5 "$1" -o x.h5
    expect 2 "$2" run "$1"
    expect 2 "$2" sweep "$1" --dry-run
    expect 2 "$2" corpus build "$1" -o x.h5
    [ ! -e x.h5 ] && [ ! -e x.model ] || fail "$1 left a file"
}
refused wide.txt "wide.txt:1: .*UTF-16.*UTF-8"
refused bare_wide.txt "bare_wide.txt:1: .*UTF-16.*UTF-8"
refused nul.txt "nul.txt:2: byte 5 of the line is NUL"
refused latin.txt "latin.txt:3: byte 2 of the line is not UTF-8"
refused table.parquet "table.parquet:1: .*Parquet.*to_json"
refused packed.gz "packed.gz:1: .*gzip.*gunzip"
refused pointer.h5 "pointer.h5:1: .*Git LFS pointer.*git lfs pull"
expect 1 "pointer.h5: .*Git LFS pointer; expected an HDF5 file.*git lfs pull" corpus show pointer.h5
expect 1 "pointer.h5: .*Git LFS pointer.*git lfs pull" renew pointer.h5
mv pointer.h5 spiece.model
expect 1 "spiece.model: .*Git LFS pointer; expected a SentencePiece model.*git lfs pull" tokenizer show spiece.model x

# ---- JSON
import 0 "" '\357\273\277{"id": "b1", '"$q"', "gold": 1}\r\n\r\n  \t\n\357\273\277{"id": "b2", '"$q"', "gold": 0}'
has '"b1".*"gold":1' && has '"b2".*"gold":0'
import 0 "" '{"id": "n", '"$q"', "gold": 1.0, "split": null, "general": null, "reasoning": null, "source": null, "other": null}\n'
has '"n".*"gold":1,"split":"train"}'
import 0 "" '{'"$q"', "id": null, "gold": "anvil", "reasoning": [{"general": "Light things float.", "specific": null}]}\n'
has '"question-1".*"gold":1.*Light things float'
import 0 "" '[\n {"id": "l1", '"$q"', "gold": 0},\n {"id": "l2", '"$q"', "gold": "B"}\n]\n'
has '"l2".*"gold":1'
import 0 "" '{"id": "s", "question": "\\ud83d\\ude00?", "options": ["a", "b"], "gold": 0}\n'
has '😀'
import 0 "" '{"id": "two\\nlines '"$(head -c 5000 /dev/zero | tr '\0' x)"'", '"$q"', "gold": 0}\n'
"$TINYTHINKER" corpus show q.h5 --examples 1 | grep -q '^two lines x*\.\.\. (train)$' || fail "an id of several lines, or its whole length"
import 2 'q.jsonl:1: .*"gold": 1.5 is not among' '{'"$q"', "gold": 1.5}\n'
import 2 'q.jsonl:1: .*"gold": -1 is not' '{'"$q"', "gold": -1}\n'
import 2 'q.jsonl:1: .*"gold": "1" is not among' '{'"$q"', "gold": "1"}\n'
import 2 'q.jsonl:1: .*"gold": expected .*got true or false' '{'"$q"', "gold": true}\n'
import 2 'q.jsonl:1: .*"gold": expected .*got Infinity' '{'"$q"', "gold": 1e400}\n'
import 2 'q.jsonl:1: .*"gold": expected .*got NaN' '{'"$q"', "gold": NaN}\n'
import 2 'q.jsonl:1: .*"general": expected a string, got NaN' '{'"$q"', "gold": 0, "general": NaN}\n'
import 2 'q.jsonl:1: .*entry 2 of "options": expected a string, got -Infinity' '{"question": "q", "options": ["NaN", -Infinity], "gold": 0}\n'
import 0 "" '\357\273\277{"id": "w", "question": "Is NaN 1e999 or -Infinity?", "options": ["NaN", "1\\"NaN"], "gold": "NaN"}\n'
has '"w".*"Is NaN 1e999 or -Infinity\?","options":\["NaN","1..NaN"\],"gold":0'
import 2 "q.jsonl:1: not JSON: .* near 'Nan'" '{'"$q"', "gold": 0, "score": Nan}\n'
import 2 'q.jsonl:1: .*"gold": .anvil. may mean option A or option B' '{"question": "q", "options": ["anvil", "anvil"], "gold": "anvil"}\n'
import 2 'q.jsonl:1: .*"gold": .A. may mean' '{"question": "q", "options": ["B", "A"], "gold": "A"}\n'
import 2 'q.jsonl:2: not JSON: duplicate object key near .*"gold"' '{'"$q"', "gold": 0}\n{'"$q"', "gold": 0, "gold": 1}\n'
import 2 'q.jsonl:1: not JSON.*whole object in each line' '{\n "question": "q"\n}\n'
import 2 'q.jsonl:1: not JSON.*remove the comma behind each object: sed' '{'"$q"', "gold": 0},\n'
import 2 'q.jsonl:2: not JSON.*last line: the file seems to be cut off' '{'"$q"', "gold": 0}\n{'"$q"', "go'
import 2 'q.jsonl:1: .*in its list "rows": jq -c ...rows.\[\].row. OLD' '{"features": [1], "rows": [{"row_idx": 0, "row": {"id": "a"}}]}\n'
import 2 'q.jsonl:1: .*in its list "data": jq -c ...data.\[\]. OLD' '{"version": 1, "data": [{"id": "a"}]}\n'
import 2 'q.jsonl:1: .*entry 2 of "reasoning": has neither "general" nor "specific"' '{'"$q"', "gold": 0, "reasoning": [{"general": "a"}, {"source": "b", "specific": null}]}\n'
import 2 'q.jsonl:1: question a.x1b\[31m.x07.xc2.x9b: "question" is missing' '{"id": "a\\u001b[31m\\u0007\\u009b"}\n'
import 2 'q.jsonl:3: not JSON' '[\n {'"$q"', "gold": 0},\n]\n'
import 2 'q.jsonl:1: not JSON: invalid Unicode' '{"question": "\\ud800", "options": ["a", "b"], "gold": 0}\n'
import 2 'q.jsonl:1: not JSON: .u0000 stands for a NUL character' '{"question": "a\\u0000", "options": ["a", "b"], "gold": 0}\n'
import 2 'q.jsonl:1: expected an object .*got a list|q.jsonl: entry 1: expected an object .*got a number' '[1]\n'
import 2 'q.jsonl: the list is empty' '[]\n'
import 2 'q.jsonl: the file is empty' '\n \n'
import 2 'q.jsonl:1: .*"question" is missing' '{"options": ["a", "b"], "gold": 0}\n'
import 2 'q.jsonl:1: .*"options": expected a list of strings, got nothing' '{"question": "q", "gold": 0}\n'
import 2 'q.jsonl:1: .*option B is empty' '{"question": "q", "options": ["a", " "], "gold": 0}\n'
import 2 'q.jsonl:1: .*its text is empty' '{"question": "", "options": ["a", "b"], "gold": 0}\n'
import 2 'q.jsonl:1: .*general knowledge is empty' '{'"$q"', "gold": 0, "general": " "}\n'
import 2 'q.jsonl:1: .*entry 2 of "options": expected a string, got null' '{"question": "q", "options": ["a", null], "gold": 0}\n'
import 2 'q.jsonl:1: .*"question": expected a string, got a number' '{"question": 3, "options": ["a", "b"], "gold": 0}\n'
import 0 '1 of 1 questions have the same option twice, e.g. question r: "x"' '{"id": "r", "question": "q", "options": ["x", "y", "x"], "gold": 1}\n'
{ printf '{"question": '; printf '[%.0s' {1..100000}; } > deep.jsonl
expect 2 'deep.jsonl:1: not JSON: maximum parsing depth' corpus import jsonl deep.jsonl -o q.h5
{ printf '{"id": "long", "question": "'; head -c 30000000 /dev/zero | tr '\0' x; printf '", "options": ["a", "b"], "gold": 0}'; } > long.jsonl
expect 0 "" corpus import jsonl long.jsonl -o q.h5

# ---- what a tokenizer learns from: lines of text, JSON objects in lines; not the syntax of other JSON
for i in {1..40}; do echo "the cork floats, the anvil sinks, $i times"; done > words.txt
{ printf '\357\273\277'; sed 's/.*/{"id": "zq", "question": "&", "other": null}/' words.txt; } > objects.jsonl
expect 0 "" tokenizer train -o t.model --pieces 40 words.txt objects.jsonl
"$TINYTHINKER" tokenizer show t.model "{zq" | grep -q '<unk>' || fail "the tokenizer learned ids or braces"
printf '[\n {\n  "question": "Which floats?"\n }\n]\n' > pretty.json
expect 2 'pretty.json:1: not JSON.*one JSON object a line' tokenizer train -o x.model --pieces 40 words.txt pretty.json
printf '{\n  "question": "Which floats?"\n}\n' > pretty.json
expect 2 'pretty.json:1: not JSON' tokenizer train -o x.model --pieces 40 words.txt pretty.json
printf '{"question": "Which floats?"},\n' > comma.jsonl
expect 2 'comma.jsonl:1: not JSON' tokenizer train -o x.model --pieces 40 words.txt comma.jsonl
printf '[{"question": "Which floats?"}]\n' > list.json
expect 2 'list.json:1: expected an object' tokenizer train -o x.model --pieces 40 words.txt list.json
printf '{laughs} the cork\n[sighs] the anvil\n' > prose.txt
expect 0 "" tokenizer train -o t.model --pieces 44 words.txt prose.txt

# ---- published data sets, their authors' layouts and the Hugging Face hub's
csqa() { # id, key
    echo '{"id": "'"$1"'", "question": "Where is '"$1"'?", "question_concept": "x", "choices": {"label": ["A", "B", "C"], "text": ["tin", "river", "sky"]}, "answerKey": "'"$2"'"}'
}
{ csqa t1 A; csqa t2 C; csqa t3 B; } > train.jsonl
csqa d1 C > dev.jsonl
expect 0 "" corpus import csqa train.jsonl dev.jsonl -o q.h5
# Members that nobody needs, with numbers that Python writes and JSON does not have.
sed '1s/^{/{"score": NaN, "n": 1000000000000000000000000000000, "x": [1e999, {"y": -Infinity}], /' train.jsonl > python.jsonl
cp q.h5 before.h5
expect 0 "" corpus import csqa python.jsonl dev.jsonl -o q.h5
cmp -s q.h5 before.h5 || fail "members that nobody needs change a corpus"
has '"d1".*"Where is d1\?".*"tin","river","sky".*"gold":2,"split":"test"'
{ echo '['; paste -sd, train.jsonl; echo ']'; } > train.json
cp q.h5 before.h5
expect 0 "" corpus import csqa train.json dev.jsonl -o q.h5
cmp -s q.h5 before.h5 || fail "a list gives another corpus than lines"
echo '{"id": "t9", "question": {"stem": "Where?", "choices": [{"label": "1", "text": "tin"}, {"label": "2", "text": "sky"}]}, "answerKey": "2"}' >> train.jsonl
expect 0 "" corpus import csqa train.jsonl dev.jsonl -o q.h5
has '"t9".*"gold":1'
csqa d1 "" > dev.jsonl
expect 2 'dev.jsonl:1: question d1: "answerKey" is empty.*validation' corpus import csqa train.jsonl dev.jsonl -o x.h5
csqa d1 E > dev.jsonl
expect 2 "dev.jsonl:1: question d1: gold answer 'E' is not among" corpus import csqa train.jsonl dev.jsonl -o x.h5
sed 's/"A", "B"/"A", "A"/' train.jsonl > twice.jsonl
expect 2 "twice.jsonl:1: .*two choices have the label 'A'" corpus import csqa twice.jsonl dev.jsonl -o x.h5
sed 's/"C"\], "text"/"C", "D"], "text"/' train.jsonl > odd.jsonl
expect 2 'odd.jsonl:1: .*"choices": expected .*as many labels as texts' corpus import csqa odd.jsonl dev.jsonl -o x.h5
for split in train dev test; do
    echo '{"id": "'$split'", "question_stem": "The '$split' is", "choices": {"text": ["tin", "river"], "label": ["A", "B"]}, "answerKey": "B", "fact1": "x"}' > $split.jsonl
done
expect 0 "" corpus import obqa train.jsonl dev.jsonl test.jsonl -o q.h5
has '"dev".*"The dev is".*"gold":1,"split":"validation"'

# StrategyQA: a list or lines; facts as a list, one text or null; answers as true, "yes", "No"
facts() { echo '{"qid": "'"$1"'", "question": "Is it '"$1"'?", "answer": '"$2"', "facts": '"$3"'}'; }
{ facts f1 true '["It is small ", "He said \"no.\"", " ", null, "Wide.\t"]'; facts f2 '"yes"' '"One. Two"'; facts f3 '"No"' null; } > sqa.jsonl
echo '{"qid": "f4", "question": "Is it?", "answer": false, "facts": []}' >> sqa.jsonl
expect 0 "2 of 4 questions have no facts" corpus import strategyqa sqa.jsonl --facts-as-recall -o q.h5
has '"f1".*"general":"It is small. He said ..no...? Wide."' && has '"f2".*"gold":0.*"general":"One. Two."' && has '"f3".*"gold":1'
# A list that a table flattened to a text: JSON is read, what Python prints is not.
{ facts e1 true '"[\"Cork floats\", \"Iron [pure] sinks.\"]"'; facts e2 true '"[1] says so."'; } > sqa.jsonl
expect 0 "" corpus import strategyqa sqa.jsonl --facts-as-recall -o q.h5
has '"e1".*"general":"Cork floats. Iron .pure. sinks."' && has '"e2".*"general":".1. says so."'
for flat in "['a', 'b']" "['A' 'B']" "[a]" "[1]"; do
    { facts e3 true '["a"]'; facts e4 true '" '"$flat"' "'; } > sqa.jsonl
    expect 2 'sqa.jsonl:2: question e4: "facts": expected .*got a text in brackets.*; 1 of 2 questions' corpus import strategyqa sqa.jsonl --facts-as-recall -o x.h5
done
{ facts g1 true '["a"]'; facts g2 true '{"0": "a"}'; facts g3 true '[1]'; } > sqa.jsonl
expect 2 'sqa.jsonl:2: question g2: "facts": expected .*got an object; 2 of 3 questions' corpus import strategyqa sqa.jsonl --facts-as-recall -o x.h5
facts h1 true null > sqa.jsonl
expect 2 'none of the 1 questions has "facts"' corpus import strategyqa sqa.jsonl --facts-as-recall -o x.h5
expect 0 "" corpus import strategyqa sqa.jsonl -o q.h5
facts h1 '"maybe"' null > sqa.jsonl
expect 2 'sqa.jsonl:1: question h1: "answer": expected true or false, got "maybe"' corpus import strategyqa sqa.jsonl -o x.h5

# ---- an id given twice: both places are named, in every layout and across files
import 2 "q.jsonl:3: question id 'a' occurs already at q.jsonl:1; each" '{"id": "a", '"$q"', "gold": 0}\n\n{"id": "a", '"$q"', "gold": 1}\n'
import 2 "q.jsonl: entry 2: question id 'a' occurs already at q.jsonl: entry 1;" '[{"id": "a", '"$q"', "gold": 0},\n{"id": "a", '"$q"', "gold": 1}]'
import 2 "q.jsonl:2: question id 'question-1' occurs already at q.jsonl:1;" '{'"$q"', "gold": 0}\n{"id": "question-1", '"$q"', "gold": 1}\n'
import 0 "" '{"id": "a", '"$q"', "gold": 0}\n'
cp q.jsonl other.jsonl
expect 2 "other.jsonl:1: question id 'a' occurs already at q.jsonl:1;" corpus import jsonl q.jsonl other.jsonl -o x.h5
expect 2 "q.jsonl:1: question id 'a' was read twice from here; name the file once" corpus import jsonl q.jsonl q.jsonl -o x.h5
{ csqa t1 A; csqa t2 C; } > train.jsonl
csqa t2 A > dev.jsonl
expect 2 "dev.jsonl:1: question id 't2' occurs already at train.jsonl:2;" corpus import csqa train.jsonl dev.jsonl -o x.h5
expect 2 "dev.jsonl:1: question id 't2' occurs already at train.jsonl:2;" corpus import obqa train.jsonl test.jsonl dev.jsonl -o x.h5
{ facts h1 true null; facts h1 false null; } > sqa.jsonl
expect 2 "sqa.jsonl:2: question id 'h1' occurs already at sqa.jsonl:1;" corpus import strategyqa sqa.jsonl -o x.h5
mkdir -p worlds/everyday
cp -r "$TT_SOURCE_DIR"/datasets/elsewhere worlds/
cp "$TT_SOURCE_DIR"/datasets/everyday/*.yaml worlds/everyday/
animals=worlds/elsewhere/animals.yaml
first=$(grep -n -m 1 'name:' $animals | cut -d: -f1)
second=$(grep -n 'name:' $animals | sed -n '4s/:.*//p')
sed -i "${second}s/name: [a-z ]*/name: $(sed -n "${first}s/.*name: \\([a-z ]*\\).*/\\1/p" $animals)/" $animals
expect 2 "animals.yaml:$second: name: the object in line $first is named" corpus build worlds/elsewhere/world.yaml -o x.h5
[ ! -e x.h5 ] || fail "a refused file left a corpus"

# ---- CSV
printf 'question: Q\nexplanations: [E]\n' > map.yaml
import 0 "" '{"id": "c", '"$q"', "gold": 0}\n'
printf '\357\273\277Q,E\r\nWhich floats?,"Light, ""airy""\nthings"\r\n' > e.csv
expect 0 "" corpus add-explanations q.h5 map.yaml e.csv -o with.h5
has 'Light, ..airy.. things' with.h5
sed 's/,/;/g' e.csv > semi.csv
expect 2 'semi.csv:1: the columns seem to be separated by semicolons; expected commas' corpus add-explanations q.h5 map.yaml semi.csv -o x.h5
sed -i 's/^.*Q,E/Q,F/' e.csv
expect 2 'e.csv: no column "E".*it has: Q, F' corpus add-explanations q.h5 map.yaml e.csv -o x.h5

# ---- a text of pretraining that changes between stop and resume; CRLF is no change
cp data/text.txt text.txt
more="--set name=stop --set pretraining.text=[text.txt] --set pretraining.steps=1000 --set pretraining.save_every=20"
"$TINYTHINKER" run pre.yaml $more > out.log 2> err.log &
pid=$!
until [ -e runs/stop/checkpoints/pretraining.h5 ] || ! kill -0 $pid 2> /dev/null; do sleep 0.01; done
kill -TERM $pid
wait $pid
[ -e runs/stop/result.json ] && fail "the run ended before it was stopped"
sum=$(cksum < runs/stop/checkpoints/pretraining.h5)
sed -i '1s/$/ changed/' text.txt
expect 2 "the texts of pretraining.text .*have changed since this run began.*--fresh" run pre.yaml $more
[ "$sum" = "$(cksum < runs/stop/checkpoints/pretraining.h5)" ] || fail "a refused run changed its checkpoint"
sed 's/$/\r/' data/text.txt > text.txt
expect 0 "resuming after step" run pre.yaml $more

# ---- files that a report reads: what is damaged is named and left out
cat >> runs/stop/metrics.jsonl <<'JSON'
{"phase": "pretraining", "step": "4", "stage": "spans", "loss": 1.5}
{"phase": "pretraining", "step": 1.5, "stage": "spans", "loss": 1.5}
{"phase": "pretraining", "step": 5.0, "stage": "spans", "loss": "1.5"}
{"phase": "pretraining", "step": 6, "stage": "spans", "loss": NaN}
{"phase": "pretraining", "step": 7, "validation": {"accuracy": "0.5", "n": 10}}
{"phase": "pretraining", "step": 8, "phase": "pretraining"}
JSON
lines=$(wc -l < runs/stop/metrics.jsonl)
printf '{"phase": "pretraining", "st' >> runs/stop/metrics.jsonl
cp runs/stop/result.json result.json
sed -i 's/"wall_seconds": *[0-9.e-]*/"wall_seconds": "12"/' runs/stop/result.json
expect 0 "metrics.jsonl:$((lines - 5)): skipped: \"step\": expected a whole number from 0, got a string&&\
metrics.jsonl:$((lines - 4)): skipped: \"step\": expected a whole number from 0, got another number&&\
metrics.jsonl:$((lines - 3)): skipped: \"loss\": expected a number, got a string&&\
metrics.jsonl:$((lines - 1)): skipped: \"accuracy\": expected a number, got a string&&\
metrics.jsonl:$lines: skipped: duplicate object key&&6 damaged lines were skipped in total&&\
result.json: \"wall_seconds\": expected a number, got a string; it is left out" report runs/stop -o r.html
! grep -q "metrics.jsonl:$((lines - 2)):" err.log || fail "NaN was skipped" err.log
{ printf '\357\273\277'; cat result.json; } > runs/stop/result.json
expect 0 "" report runs/stop -o r.html
! grep -q "result.json" err.log || fail "a byte order mark in result.json" err.log
echo '[1]' > runs/stop/result.json
expect 0 "result.json:1: expected an object .*the file is ignored" report runs/stop -o r.html

exit $failed
