#!/usr/bin/env bash
# Collecting from a faulty endpoint: the corpus is the one of an endpoint without faults, bit for bit, also after kill -9;
# no answered question is asked again; what cannot work says so; the corpus trains.
. "$TT_SOURCE_DIR/tests/common.sh"
. "$TT_SOURCE_DIR/tests/teacher/setup.bash"
"$TINYTHINKER" teach --help | grep -q teach || fail "no help"
# A corpus without what it was made from.
shown_without_source() { "$TINYTHINKER" corpus show "$1" --examples 300 | sed '/^made from$/,/^split /{/^split /!d}'; }
content="--rate-format 0.15 --rate-disagree 0.1 --rate-length 0.1"
# shellcheck disable=SC2086
serve $content --count plain.counts
plan plain
teach plain.yaml --estimate >estimate || fail "--estimate"
grep -q "requests  *60, of 2 answers each" estimate || { fail "the estimate"; cat estimate; }
[ ! -e plain.journal.jsonl ] || fail "--estimate asks"
teach plain.yaml >plain.out 2>plain.log || { fail "plain"; cat plain.log; }
for word in "with reasoning" "cut " "bad verdict\|no key information\|no answer\|two answers" "relabelled\|disagrees"; do
    grep -q "$word" plain.out || { fail "the report lacks '$word'"; cat plain.out; }
done
stop_servers

# shellcheck disable=SC2086
serve $content --rate-429 0.06 --rate-500 0.06 --rate-503 0.03 --rate-close 0.05 --rate-cut 0.05 --rate-malformed 0.03 \
    --rate-empty 0.02 --retry-after 0 --latency-ms 30 --count faulty.counts
plan faulty "in_flight: 8"
# Killed when the journal has so many lines, twice.
for lines in 12 40; do
    "$TINYTHINKER" teach faulty.yaml --limit 60 >faulty.out 2>faulty.log &
    child=$!
    while [ "$(wc -l 2>/dev/null <faulty.journal.jsonl || echo 0)" -lt $lines ] && kill -0 $child 2>/dev/null; do sleep 0.02; done
    kill -9 $child 2>/dev/null
    wait $child 2>/dev/null
done
printf '{"entry":{"question":"torn' >>faulty.journal.jsonl
teach faulty.yaml >faulty.out 2>faulty.log || { fail "faulty"; cat faulty.log; }
grep -q "torn and dropped" faulty.log || { fail "a torn line is not reported"; cat faulty.log; }
shown_without_source plain.h5 >plain.shown
shown_without_source faulty.h5 >faulty.shown
"$TINYTHINKER" corpus show plain.h5 --examples 0 >plain.source
grep -q "^collected from the teacher: 60 questions asked, 60 answered" plain.source || fail "the corpus does not count" plain.source
for word in kept cut "bad verdict"; do
    [ "$(awk -v word="  $word " 'index($0, word) == 1 { print $NF }' plain.source)" = "$(sed -n "s/^  $word  *\([0-9]*\) .*/\1/p" plain.out)" ] ||
        fail "the corpus counts other answers that are $word" plain.out plain.source
done
sed '/^    url /d' plain.source >plain.counts.shown
"$TINYTHINKER" corpus show faulty.h5 --examples 0 | sed '/^    url /d' >faulty.counts.shown
cmp plain.counts.shown faulty.counts.shown || fail "faults and kills change what the corpus counts"
cmp plain.shown faulty.shown || fail "faults and kills change the corpus"
grep -q '^corpus .*hash' plain.shown && ! grep -q everyday-teacher plain.shown || fail "what is compared" plain.shown

# The corpus says who taught it, and goes through JSONL unchanged.
"$TINYTHINKER" corpus show faulty.h5 --examples 0 >source.shown
for line in '^  teacher:$' '^    model  *everyday-teacher$' "^    url  *$url\$" '^    pool  *everyday$' '^    seed  *1$' \
    '^    exemplars  *4$' '^    instruction  .*\.\.\. ([0-9]* bytes)$'; do
    grep -q "$line" source.shown || fail "corpus show: no line '$line'" source.shown
done
hash_of() { "$TINYTHINKER" corpus show "$1" --examples 0 | sed -n 's/.*(hash \(.*\))/\1/p'; }
"$TINYTHINKER" corpus export faulty.h5 -o faulty.jsonl 2>log && "$TINYTHINKER" corpus import jsonl faulty.jsonl -o back.h5 >out 2>log &&
    [ "$(hash_of faulty.h5)" = "$(hash_of back.h5)" ] || fail "JSONL changes the corpus" log
# The questions with the collected reasoning added are the same corpus.
"$TINYTHINKER" corpus add-reasoning questions.h5 faulty.jsonl -o joined.h5 >out 2>log && [ "$(hash_of faulty.h5)" = "$(hash_of joined.h5)" ] ||
    fail "adding the reasoning gives another corpus" out log
# Everything is there: the same command asks nothing more, and works without the server.
before=$(wc -l <faulty.journal.jsonl)
stop_servers
teach faulty.yaml >again.out 2>again.log || { fail "a finished collection needs the server"; cat again.log; }
[ "$(wc -l <faulty.journal.jsonl)" -eq "$before" ] || fail "a finished collection asks again"
cmp <(tail -n +8 faulty.out | grep -v '^repeated') <(tail -n +8 again.out | grep -v '^repeated') || fail "the report changes"
python3 - <<'PYTHON' || failed=1
import json, sys
plain, faulty = (json.load(open(f"{name}.counts"))["per_question"] for name in ("plain", "faulty"))
# Answers that were on their way when the process was killed, at most 8 each time, are asked again.
again = sum(max(0, faulty[q] - plain.get(q, 0)) for q in faulty)
if sorted(plain) != sorted(faulty) or again > 16:
    sys.exit(f"FAILED: {again} answered questions were asked again; {len(plain)} and {len(faulty)} questions")
PYTHON

# Another configuration has another journal.
teach faulty.yaml --set temperature=0.5 >out 2>log && fail "a journal of another temperature is taken"
grep -q "faulty.journal.jsonl.*temperature was 0.8.* is now 0.5" log || { fail "which key differs"; cat log; }
sed -i '3s/everyday/everydau/' faulty.journal.jsonl
teach faulty.yaml >out 2>log && fail "a damaged line is taken"
grep -q "faulty.journal.jsonl:3: damaged" log || { fail "which line is damaged"; cat log; }

# What an endpoint does not know, and what stands before an answer.
serve --no-n --max-completion-tokens --no-temperature --think --reasoning --count manners.counts
plan manners
teach manners.yaml >out 2>log || { fail "manners"; cat log; }
serve
plan polite
teach polite.yaml >out 2>log || { fail "polite"; cat log; }
for name in manners polite; do shown_without_source $name.h5 >$name.shown; done
cmp manners.shown polite.shown || fail "another dialect gives another corpus"
grep -q '"reasoning":' manners.journal.jsonl || fail "thoughts are not kept"
plan objects "format: json"
teach objects.yaml >out 2>log || { fail "json"; cat log; }
shown_without_source objects.h5 >objects.shown
cmp objects.shown polite.shown || fail "the JSON schema gives another corpus"

# Budget: nothing beyond it is spent.
sed 's/input: 0, output: 0/input: 1000, output: 1000/' "$TT_SOURCE_DIR/datasets/prompts/prices.yaml" >dear.yaml
plan budget "prices: dear.yaml"
sed -i '0,/^prices: /{/^prices: /d}' budget.yaml
teach budget.yaml --budget 30 >out 2>log || { fail "budget"; cat log; }
grep -q "stopped before the budget" log || { fail "the budget is not reported"; cat log out; }
awk '/^cost/ { cost = $2 } END { exit !(cost > 0 && cost <= 30) }' out || { fail "the budget is not kept"; cat out; }

# What cannot work.
refuses() { # what, pattern, arguments...
    local what=$1 pattern=$2
    shift 2
    teach "$@" >out 2>log && fail "$what is accepted"
    grep -Eq -- "$pattern" log || { fail "$what: no '$pattern' in:"; cat log; }
}
refuses "a budget of 0" "budget of 0" polite.yaml --budget 0
refuses "a budget without a price" "no price of nobody" polite.yaml --budget 3 --set model=nobody --set journal=n.jsonl
refuses "a pool that is too small" "exemplars: 99 are asked for, the pool everyday has" polite.yaml --set exemplars=99 --set journal=n.jsonl
refuses "an address where nobody is" "127.0.0.1:9/v1: .*is the address right" polite.yaml --set url=http://127.0.0.1:9/v1 --set journal=n1.jsonl --set timeout=1
refuses "another protocol" "not an address of http" polite.yaml --set url=ftp://127.0.0.1/v1 --set journal=n2.jsonl
sed 's/^model:/modle:/' polite.yaml >typo.yaml
refuses "a typo" "typo.yaml:[0-9]+: .*unknown key 'modle'; did you mean model" typo.yaml
sed 's/A is incorrect. Because/A is not. Because/' "$TT_SOURCE_DIR/datasets/prompts/everyday.yaml" >broken.yaml
refuses "a broken exemplar" "broken.yaml:[0-9]+: exemplar: .*B is correct. Because" polite.yaml --set prompts=broken.yaml --set journal=n3.jsonl
{
    cat "$TT_SOURCE_DIR/datasets/prompts/everyday.yaml"
    sed -n '/^exemplars:/,$p' "$TT_SOURCE_DIR/datasets/prompts/everyday.yaml" | sed 1d
} >repeated.yaml
refuses "an exemplar that is repeated" \
    "repeated.yaml:[0-9]+: exemplar: the exemplar in line $(grep -n -m 1 -- '- question' repeated.yaml | cut -d: -f1) has the same" \
    polite.yaml --set prompts=repeated.yaml --set journal=n3.jsonl
serve --key secret-key --model everyday-teacher
plan keyed
refuses "no key" "no key was sent: set the environment variable OPENAI_API_KEY" keyed.yaml
export OPENAI_API_KEY=wrong-secret
refuses "a wrong key" "refuses the key.*look at the environment variable OPENAI_API_KEY" keyed.yaml
grep -q "wrong-secret" log out keyed.journal.jsonl && fail "the key is told"
export OPENAI_API_KEY=secret-key
refuses "an unknown model" "not found.*model nobody" keyed.yaml --set model=nobody --set journal=n4.jsonl
teach keyed.yaml >out 2>log || { fail "the right key"; cat log; }
grep -rq "secret-key" keyed.journal.jsonl keyed.h5 out log && fail "the key is kept"
unset OPENAI_API_KEY
if command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -keyout tls.key -out tls.crt -days 2 -subj /CN=127.0.0.1 2>/dev/null
    serve --tls tls.crt tls.key
    refuses "a certificate of nobody's" "certificate can't be verified" polite.yaml --set "url=${url/http:/https:}" --set journal=n5.jsonl
fi
stop_servers

# The corpus trains.
cat >run.yaml <<YAML
base: $TT_SOURCE_DIR/configs/everyday.yaml
name: taught
corpus: plain.h5
threads: 1
acquisition: {steps: 7, batch_size: 4, validation_questions: 5, validate_every: 0}
evaluation: {splits: [test], questions: 5}
model: {start: $TT_SOURCE_DIR/datasets/everyday/student.h5}
YAML
"$TINYTHINKER" run run.yaml >out 2>log || { fail "the corpus does not train"; cat log; }
"$TINYTHINKER" report runs -o report.html >out 2>log || fail "report" log
grep -q 'id="teacher"' report.html && grep -q "by everyday-teacher: 60 questions asked, 60 answered" report.html &&
    grep -q "<details><summary>The first that is cut</summary>" report.html || fail "the report does not count answers"
mv plain.h5 moved.h5
"$TINYTHINKER" report runs -o report.html >out 2>log || fail "a report without the corpus" log
grep -q 'id="teacher"' report.html && fail "a report counts answers of a corpus that is gone"
cp polite.h5 plain.h5
"$TINYTHINKER" report runs -o report.html >out 2>log || fail "a report with another corpus" log
grep -q 'id="teacher"' report.html && fail "a report counts answers of another corpus"
"$TINYTHINKER" corpus show polite.h5 | grep -q '^    model  *everyday-teacher$' || fail "the corpus does not say where it comes from"
exit $failed
