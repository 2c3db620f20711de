#!/usr/bin/env bash
# Batch files: the corpus is the one that is collected through the network, bit for bit, whatever the order of lines, with
# repeated lines, errors and an export for each round.
. "$TT_SOURCE_DIR/tests/common.sh"
. "$TT_SOURCE_DIR/tests/teacher/setup.bash"

content=(--rate-format 0.15 --rate-disagree 0.1 --rate-length 0.1)
serve "${content[@]}"
plan network
teach network.yaml >out 2>log || die "network" log
stop_servers
plan batch
answer() { # requests, answers, options...
    python3 "$TT_SOURCE_DIR/tests/teacher/server.py" --answers world.jsonl "${content[@]}" --batch "$@" || die "$1 is not answered"
}

# Files under the limits of lines and of size.
teach batch.yaml --export-batch one --set batch_requests=25 >out 2>log || die "export" out log
[ ! -e batch.h5 ] || fail "an export writes a corpus"
[ "$(cat one/*.jsonl | wc -l)" -eq 60 ] && [ "$(wc -l <one/batch-001.jsonl)" -eq 25 ] && [ "$(wc -l <one/batch-003.jsonl)" -eq 10 ] &&
    [ ! -e one/batch-004.jsonl ] || fail "60 requests are not in files of 25" out
grep -q "wrote 60 requests to 3 files" out || fail "the export's report" out
teach batch.yaml --export-batch small --set batch_megabytes=0.05 >out 2>log || die "export" out log
[ "$(cat small/*.jsonl | wc -l)" -eq 60 ] || fail "requests are lost between files"
for file in small/*.jsonl; do [ "$(wc -c <"$file")" -le 50000 ] || fail "$file is too large"; done
[ "$(ls small | wc -l)" -ge 3 ] || fail "the limit of size does nothing"
cmp <(cat one/*.jsonl) <(cat small/*.jsonl) || fail "limits change requests"
teach batch.yaml --export-batch tiny --set batch_megabytes=0.001 >out 2>log && fail "a request larger than a file"
grep -q "takes .* bytes; a batch file may have 1000" log || fail "a request larger than a file" log
teach batch.yaml --export-batch one >out 2>log && fail "an export is replaced"
grep -q "one/batch-001.jsonl already exists" log || fail "an export is replaced" log
python3 - one/*.jsonl <<'PYTHON' || failed=1
import json, re, sys
lines = [json.loads(line) for name in sys.argv[1:] for line in open(name)]
assert len({line["custom_id"] for line in lines}) == len(lines) == 60
for line in lines:
    assert set(line) == {"custom_id", "method", "url", "body"}, line
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", line["custom_id"]), line["custom_id"]
    assert line["body"]["model"] == "everyday-teacher" and line["body"]["n"] == 2 and line["body"]["max_tokens"] == 256
PYTHON
teach batch.yaml --export-batch newer --set batch_limit=max_completion_tokens >out 2>log || fail "max_completion_tokens" log
grep -q '"max_completion_tokens":256' newer/batch-001.jsonl && ! grep -q '"max_tokens"' newer/*.jsonl || fail "max_completion_tokens"

# Without errors every line is taken.
plan whole
teach whole.yaml --export-batch whole >out 2>log || die "export" log
answer whole/batch-001.jsonl whole/answers.jsonl
# Members that JSON does not have, as Python writes them.
sed -i 's/"response": *{/&"logprob": NaN, "n": 1000000000000000000000000000000, /; s/"finish_reason": *"/"score": -Infinity, &/' whole/answers.jsonl
teach whole.yaml --import-batch whole/answers.jsonl >out 2>log || fail "import" log
grep -q "imported  *60 lines: 60 answers, 0 broken, 0 repeated" out || fail "lines are left out" out

# Every third answer is an error, one file is missing, lines are repeated, torn and foreign.
for part in 1 2; do answer one/batch-00$part.jsonl answers$part.jsonl --rate-500 0.2 --rate-cut 0.1 --rate-empty 0.1; done
cat answers2.jsonl >>answers1.jsonl
printf '{"custom_id":"nobody-0","response":{"status_code":200,"body":{}},"error":null}\n{"custom_id":"torn\n[]\n' >>answers1.jsonl
teach batch.yaml --import-batch answers2.jsonl answers1.jsonl >out 2>log && fail "errors are not reported" out log
grep -q "imported  *78 lines: .* 2 broken" out || fail "the import's report" out
grep -q "answers1.jsonl:52: .*left out" log && grep -q "answers1.jsonl:53: has no custom_id" log || fail "broken lines" log
grep -Eq "question .*: (status 500|This request could not|the answer's)" log || fail "an error does not name its question" log
grep -q "requests failed; export them again" log || fail "failed requests" log
[ -e batch.h5 ] || fail "no corpus after an import"
answered=$(sed -n 's/^imported .* lines: \([0-9]*\) answers.*/\1/p' out)
before=$(wc -l <batch.journal.jsonl)
[ "$before" -eq $((answered + 1)) ] || fail "the journal has $before lines after $answered answers" out
teach batch.yaml --import-batch answers1.jsonl >out 2>log
[ "$(wc -l <batch.journal.jsonl)" -eq "$before" ] || fail "an answer is taken twice" out

# Further exports ask for the rest, without errors; a question that got all it needs is in none.
for round in 2 3 4 5; do
    teach batch.yaml --export-batch round$round >out 2>log || die "export $round" out log
    [ -e round$round/batch-001.jsonl ] || break
    answer round$round/batch-001.jsonl round$round/answers.jsonl
    teach batch.yaml --import-batch round$round/answers.jsonl >out 2>log || fail "import $round" out log
done
grep -q "nothing is missing; no file was written" out || fail "the last export has requests" out
[ "$(cat round2/batch-*.jsonl | wc -l)" -lt 60 ] || fail "an answered question is exported again"
show() { "$TINYTHINKER" corpus show "$1.h5" --examples 300; } # with its hash and where it comes from
cmp <(show network) <(show batch) || fail "batch files give another corpus"

# Rounds whose answers come in the wrong order, in one import.
plan reversed
teach reversed.yaml --import-batch round4/answers.jsonl round3/answers.jsonl round2/answers.jsonl answers1.jsonl >out 2>log
cmp <(show network) <(show reversed) || fail "the order of files changes the corpus" out
: >empty.jsonl
plan nothing
teach nothing.yaml --import-batch answers-of-nobody.jsonl >out 2>log && fail "a file that is not there"
grep -q "answers-of-nobody.jsonl: cannot open" log || fail "a file that is not there" log
teach nothing.yaml --import-batch empty.jsonl >out 2>log || fail "an empty file" log
teach nothing.yaml --import-batch empty.jsonl --export-batch x >out 2>log && fail "export and import at once"
teach nothing.yaml empty.jsonl >out 2>log && fail "a second file without --import-batch"
exit $failed
