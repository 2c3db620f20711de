#!/usr/bin/env bash
# Endpoints as they are: what they refuse, ignore, break and charge, and how a collection ends then. Whatever was answered
# stays, and nothing is asked twice; requests are counted by the server.
. "$TT_SOURCE_DIR/tests/common.sh"
. "$TT_SOURCE_DIR/tests/teacher/setup.bash"
# A small world makes the many servers quick.
python3 - <<'PYTHON'
import json
asked = [json.loads(line)["id"] for line in open("questions.jsonl")][:120]
lines = [line for line in open("world.jsonl") if json.loads(line)["id"] in asked]
open("world.jsonl", "w").writelines(lines)
PYTHON
N=16
teach() { "$TINYTHINKER" teach "$@" --limit $N; }
# begin NAME 'extra lines of the plan' server options...
begin() {
    local name=$1 extra=$2
    shift 2
    stop_servers
    serve --count "$name.counts" "$@"
    plan "$name" "$extra"
    sed -i '/^attempts: 30/d' "$name.yaml"
}
requests() { # of the server of NAME, which it ends
    stop_servers
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["requests"])' "$1.counts"
}
answers() { [ -e "$1.journal.jsonl" ] && tail -n +2 "$1.journal.jsonl" | wc -l; }
says() { # pattern, file
    grep -Eq -- "$1" "$2" || fail "no '$1' in $2" "$2"
}
shown() { "$TINYTHINKER" corpus show "$1.h5" --examples 300 | sed '/^made from$/,/^split /{/^split /!d}'; }

begin plain "attempts: 2"
teach plain.yaml >out 2>log || die "plain" log
[ "$(requests plain)" -eq $N ] || fail "plain asks something twice"
shown plain >plain.shown

# A question that the endpoint refuses is an answer: it stops nothing, also as the first one and alone.
first=$(sed -n '1s/.*"question": *"\([^"]*\)".*/\1/p' questions.jsonl)
for status in 400 403 413; do
    begin refused$status "attempts: 2
in_flight: 1" --refuse "$first" --refuse-status $status
    teach refused$status.yaml >out 2>log || fail "a refused question ends a run ($status)" log
    says "^with reasoning      $((N - 1))," out
    says "^  refused " out
    before=$(answers refused$status)
    teach refused$status.yaml >out 2>log || fail "a refused question blocks the next run" log
    [ "$(answers refused$status)" -eq "$before" ] || fail "a refused question is asked for ever"
done
begin nobody "" --refuse "Options" --refuse-status 404
teach nobody.yaml >out 2>log && fail "an endpoint that refuses everything"
says "refuses requests: not found.*model everyday-teacher" log
[ "$(answers nobody)" -eq 0 ] || fail "refusals of a wrong endpoint are kept"

# What is ignored, or refused in other words, or wrapped, gives the same corpus, with the same choices.
begin once "" --ignore-n
teach once.yaml >out 2>log || fail "n is ignored" log
says "does not take n " log
begin unseeded "" --no-seed
teach unseeded.yaml >out 2>log || fail "no seed" log
says "does not take seed .*Extra inputs" log
begin parts "" --manners parts
teach parts.yaml >out 2>log || fail "parts" log
begin fence "format: json" --manners fence --no-response-format
teach fence.yaml >out 2>log || fail "a fence" log
says "does not take response_format" log
for name in once parts fence; do shown $name | cmp - plain.shown || fail "$name changes the corpus"; done
"$TINYTHINKER" corpus show fence.h5 --examples 0 >out
says "left_out .*response_format" out
says "    worked_examples:" out
begin seedless "request_seed: omit" --no-seed
teach seedless.yaml >out 2>log && ! grep -q "does not take" log || fail "request_seed: omit sends a seed" log

# A choice that is not text spoils itself alone; nothing of it reaches a terminal.
begin broken "rounds: 1" --manners broken
teach broken.yaml >out 2>log || fail "broken choices" log
says "^  encoding  *$N " out
says "^  kept  *$N " out
"$TINYTHINKER" corpus show broken.h5 >shown
LC_ALL=C grep -q $'\x1b' out shown && fail "control characters reach the terminal"

# The run ends: what is on its way is waited for and kept, and the rest is asked by the next run.
export OPENAI_API_KEY=sk-key-1234
begin expired "in_flight: 8" --latency-ms 300 --then 401 --after 4
teach expired.yaml >out 2>log && fail "a key that expires"
says "refuses the key" log
[ "$(answers expired)" -ge 4 ] || fail "answers on their way are lost" log
begin down "attempts: 1
in_flight: 2" --then 500 --after 4
teach down.yaml >out 2>log && fail "an endpoint that goes down"
says "5 requests in a row failed" log
says "Sent: Bearer \[key\]" log
[ "$(requests down)" -le 12 ] && [ "$(answers down)" -eq 4 ] && [ -e down.h5 ] || fail "every question is tried of a dead endpoint" log
begin limited "attempts: 2
in_flight: 2" --then 429 --header Retry-After 0
teach limited.yaml >out 2>log && fail "rate limits without end"
says "limits the rate: 2 attempts" log
[ "$(requests limited)" -le 6 ] || fail "a rate limit is asked without end" log
begin tomorrow "" --then 429 --header Retry-After 90000
teach tomorrow.yaml >out 2>log && fail "a day's wait"
says "asks to wait until .* longer than longest_wait" log
begin elsewhere "" --then 307 --header Location "http://127.0.0.1:9/v2?k=secret"
teach elsewhere.yaml >out 2>log && fail "a redirect"
says "redirects to http://127.0.0.1:9/v2; give that address" log
begin useless "in_flight: 4
choices: 4
n_augment: 4" --ignore-n --manners broken
sed -i '/^choices: 2/d; /^n_augment: 2/d' useless.yaml
"$TINYTHINKER" teach useless.yaml >out 2>log && fail "answers of no use are paid without end"
says "none of the first 5. answers can be used" log
[ "$(requests useless)" -le 54 ] || fail "answers of no use are paid without end" log

# Ctrl-C, where each answer takes a request: every answer that came is kept.
begin stopped "in_flight: 4" --no-n --latency-ms 200
"$TINYTHINKER" teach stopped.yaml >out 2>log &
child=$!
while [ "$(answers stopped || echo 0)" -lt 9 ] && kill -0 $child 2>/dev/null; do sleep 0.02; done
kill -INT $child
wait $child
says "stopping: waits up to 5 s for [1-4] requests? on the way" log
says "run the same command again to resume" log
requests stopped >/dev/null
python3 - "$(answers stopped)" <<'PYTHON' || failed=1
import json, sys
sent = json.load(open("stopped.counts"))["answered"]
if sent != int(sys.argv[1]): sys.exit(f"FAILED: {sent} answers were sent, {sys.argv[1]} are kept")
PYTHON

# The budget holds whatever answers cost: by the limit of tokens, and, where a model thinks beyond it, by the first answer.
sed 's/input: 0, output: 0/input: 0, output: 1000/' "$TT_SOURCE_DIR/datasets/prompts/prices.yaml" >dear.yaml
spent() { awk '/^cost/ { print $2 }' out; }
within() { # what, most
    says "stopped before the budget" log
    awk -v cost="$(spent)" -v most="$2" 'BEGIN { exit !(cost > 0 && cost <= most) }' || fail "$1: $(spent) spent" out log
}
begin long "prices: dear.yaml" --thoughts 200
sed -i "0,/^prices/{/^prices/d}" long.yaml
teach long.yaml --budget 2 >out 2>log || fail "budget" log
within "a budget" 2
begin thinks "prices: dear.yaml" --thoughts 700
sed -i "0,/^prices/{/^prices/d}" thinks.yaml
teach thinks.yaml --budget 2 >out 2>log || fail "budget" log
within "the first answer's thoughts" 2
begin charged "prices: dear.yaml
attempts: 9" --rate-paid 0.5 --thoughts 400
sed -i "0,/^prices/{/^prices/d}" charged.yaml
teach charged.yaml --budget 9 >out 2>log
awk -v cost="$(spent)" 'BEGIN { exit !(cost > 1 && cost <= 9) }' || fail "broken answers that cost: $(spent)" out log
sed 's/^  - .*/&\n&/' dear.yaml >twice.yaml
teach thinks.yaml --budget 2 --set prices=twice.yaml >out 2>log && fail "two prices of a model"
says "twice.yaml:[0-9]+: .*everyday-teacher has a price above" log

# The key and the address.
begin keyed "" --key sk-key-1234
OPENAI_API_KEY=$'sk-key-1234\r\n' teach keyed.yaml >out 2>log || fail "a key with a line end" log
OPENAI_API_KEY=$'sk-key-1234\r\nX-More: 1' teach keyed.yaml >out 2>log && fail "a key with a header behind it"
says "OPENAI_API_KEY has a control character" log
teach keyed.yaml --set key_variable=sk-key-1234 >out 2>log && fail "a key as the name of its variable"
says "key_variable: expected the name" log
teach keyed.yaml --set api_key=sk-key-1234 >out 2>log && fail "a key as a key of the file"
"$TINYTHINKER" teach keyed.yaml --limit $N --set corpus=query.h5 --set journal=query.jsonl \
    --set "url=${url/\/\////me:pass-1234@}/?api-version=2&api-key=query-1234" >out 2>>log || fail "an address with a query" log
"$TINYTHINKER" corpus show query.h5 >>out
grep -l "sk-key-1234\|pass-1234\|query-1234" out log keyed.h5 keyed.journal.jsonl query.h5 query.jsonl && fail "a secret is told"

# Files: what is no journal is not touched; a comment in the prompts changes nothing; a fuller corpus is not replaced.
printf '{"precious":1}\n' >notes.json
teach plain.yaml --set journal=notes.json >out 2>log && fail "a foreign file as journal"
says "notes.json:1: not a journal" log
[ "$(cat notes.json)" = '{"precious":1}' ] || fail "a foreign file is emptied"
{ echo "# a comment" && cat "$TT_SOURCE_DIR/datasets/prompts/everyday.yaml"; } >prompts.yaml
teach plain.yaml --set prompts=prompts.yaml >out 2>log || fail "a comment in the prompts" log
sed -i 's/Everything you write is true/All of it is true/' prompts.yaml
teach plain.yaml --set prompts=prompts.yaml >out 2>log && fail "other prompts"
says "other prompts: the texts of prompts.yaml have changed" log
sed 's/$/\r/' plain.journal.jsonl >returns.jsonl
teach plain.yaml --set journal=returns.jsonl >out 2>log && fail "carriage returns"
says "returns.jsonl:1: ends with a carriage return" log
sed 1d plain.journal.jsonl >headless.jsonl
teach plain.yaml --set journal=headless.jsonl >out 2>log && fail "a journal without its first line"
says "headless.jsonl:1: the first line" log
"$TINYTHINKER" teach plain.yaml --limit 2 >out 2>log || fail "a smaller limit" log
says "^with reasoning      $N," out
begin emptier "corpus: plain.h5"
sed -i '0,/^corpus/{/^corpus/d}' emptier.yaml
"$TINYTHINKER" teach emptier.yaml --limit 2 --set journal=two.jsonl >out 2>log && fail "a fuller corpus is replaced"
says "plain.h5 has [0-9]+ reasonings and would be replaced by 4" log
shown plain | cmp - plain.shown || fail "a fuller corpus is replaced"
"$TINYTHINKER" teach emptier.yaml --limit 5 --estimate --set journal=two.jsonl >out 2>log || fail "an estimate" log
says "^  questions         3$" out
cp questions.jsonl other.h5
"$TINYTHINKER" teach emptier.yaml --limit 2 --set journal=two.jsonl --set corpus=other.h5 >out 2>log && fail "a file that is no corpus is replaced"
cmp questions.jsonl other.h5 || fail "a file that is no corpus is replaced"

# Answers to a disk that is full are not asked for.
if mkdir small && mount -t tmpfs -o size=12k none small 2>/dev/null; then
    trap 'stop_servers; umount small; rm -rf "$work"' EXIT
    begin full "journal: small/j.jsonl
in_flight: 2"
    teach full.yaml >out 2>log && fail "a full disk"
    says "no room on the disk" log
    requests full >/dev/null
    python3 - "$(tail -n +2 small/j.jsonl | wc -l)" <<'PYTHON' || failed=1
import json, sys
sent = json.load(open("full.counts"))["answered"]
if sent != int(sys.argv[1]): sys.exit(f"FAILED: {sent} answers were sent, {sys.argv[1]} are kept")
PYTHON
fi
exit $failed
