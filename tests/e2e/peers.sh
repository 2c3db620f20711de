#!/usr/bin/env bash
# The tools that compare with other programs, as far as they need Python alone: help, lists, messages, tables and plots of
# stored measurements, and a record that goes on where it stopped.
set -u
. "$(dirname "$0")/../common.sh"
command -v python3 >/dev/null || skip "no python3"
export PYTHONDONTWRITEBYTECODE=1
tools=$TT_SOURCE_DIR/tools record=$TT_SOURCE_DIR/experiments/records/peers
shown=("$work/out.log" "$work/err.log")
call() { # status, tool, arguments...
    local expected=$1 tool=$2 status=0
    shift 2
    timeout 100 python3 "$tools/$tool.py" "$@" >out.log 2>err.log || status=$?
    [ "$status" = "$expected" ] || fail "$tool $*: status $status, expected $expected"
    ! grep -q Traceback err.log || fail "$tool $*: a traceback"
}
says() { # pattern, file
    grep -qE -- "$1" "${2:-err.log}" || fail "no '$1'"
}

for tool in bench_peers bench_growth; do
    call 0 $tool --help
    call 1 $tool --draw --out none
    says "none/.*json: No such file or directory"
    mkdir -p damaged && echo "{" >damaged/results.json && cp damaged/results.json damaged/growth.json
    call 1 $tool --draw --out damaged
    says "not a record"
    call 1 $tool --only nothing --out new
    says "no (work|axis).*'?nothing'?|--only: no"
done
call 0 bench_peers --list
says "^greedy small fp32: .*CTranslate2 int8" out.log
call 0 bench_growth --list
says "^slots: .*small 512" out.log
call 1 bench_growth --program "$work/none" --only slots --out new
says "$work/none: no such program"

# What is wrong with a call or a folder is a message.
for tool in bench_peers bench_growth; do
    head='{"settings": {}, "began": "", "machine": {"processor": {"flags": []}, "memory_bytes": 1}, "versions": {}, "measured":'
    for content in '[]' '{}' "$head []}"; do
        echo "$content" | tee damaged/results.json >damaged/growth.json
        call 1 $tool --draw --out damaged
        says "damaged/.*json: not a record: no '(settings|measured)'; --fresh"
    done
    measured='"greedy small fp32": {"ours": {}}'
    [ $tool = bench_peers ] || measured='"slots": {"limits": {"peak_flops_per_second": 1, "bytes_per_second": 1}}'
    echo "$head {$measured}}" | tee damaged/results.json >damaged/growth.json
    call 1 $tool --draw --out damaged
    says "nothing is measured yet"
    call 2 $tool --threads -1
    (set -o pipefail; python3 "$tools/$tool.py" --list 2>err.log | false)
    [ ! -s err.log ] || fail "$tool --list to a closed pipe"
    status=0
    python3 "$tools/$tool.py" --list >/dev/full 2>err.log || status=$?
    [ $status = 1 ] && says "$tool.py: standard output: No space left" || fail "$tool --list to a full disk: $status"
    ! grep -q Traceback err.log || fail "$tool --list to a full disk: a traceback"
done
call 1 bench_growth --only slots --program /bin/true --out new
says "true: not tinythinker"
touch file
call 1 bench_growth --only slots --program "$TINYTHINKER" --out file
says "file: File exists"
call 2 bench_peers --rounds 0
says "--rounds: .*at least 1"

# Stored measurements: two rounds, ratios 2 and 4; a peer that failed; half of the peak.
mkdir drawn
cat >drawn/results.json <<'JSON'
{"settings": {"program": "tinythinker 1", "commit": "abc", "threads": 2, "toy": false}, "began": "2026-01-01T00:00:00Z",
 "machine": {"processor": {"name": "A <fast> CPU", "family_model_stepping": "1 2 3", "flags": ["avx2"], "cores": 2},
             "caches": ["L1 32K"], "memory_bytes": 17179869184, "system": "Linux", "python": "3"},
 "versions": {"torch": "2.15.0", "python": "Python 3"},
 "measured": {"greedy small fp32": {
   "ours": {"round 1": {"load": 1, "tokens_per_second": 1000, "share_of_peak": 0.5, "memory_bytes": 1e9},
            "round 2": {"load": 3, "tokens_per_second": 2000, "share_of_peak": 0.5, "memory_bytes": 1e9}},
   "PyTorch eager": {"round 1": {"load": 2, "tokens_per_second": 500, "memory_bytes": 2e9, "texts": {"of": 256, "equal": 250}},
                     "round 2": {"load": 2, "tokens_per_second": 500, "memory_bytes": 2e9, "texts": {"of": 256, "equal": 250}}},
   "CTranslate2 int8": {"round 1": {"load": 2, "failed": "no such type"}}}}}
JSON
printf 'A page.\n<!-- peers: begin -->\nold\n<!-- peers: end -->\nIts end.\n' >drawn/README.md
call 0 bench_peers --draw --out drawn
says '\| PyTorch eager \| 500, 500 \| \*\*3.00\*\* \(2.00 to 4.00\) \|  \| 2.00 GB \| 250 of 256 \|' drawn/README.md
says '\| CTranslate2 int8 \| no such type \|' drawn/README.md
says '\| this program \| 1,000, 2,000 \|  \| 50 % \| 1.00 GB \|' drawn/README.md
says '^Its end.$' drawn/README.md
! grep -q '^old$' drawn/README.md || fail "the old table stays" drawn/README.md
says 'Load averages .*: 1.0 to 3.0' drawn/README.md
python3 -c 'import sys, xml.dom.minidom as x; [x.parse(f) for f in sys.argv[1:]]' drawn/*.svg || fail "no SVG"

# The limit of slots: all weights of a token at 100 times a second for each slot, or the arithmetic:
# 1e9 operations a second, 1e6 a token.
python3 - "$tools" <<'PY' || fail "limits"
import sys
sys.path.insert(0, sys.argv[1])
import bench_growth
from peers.shapes import SHAPES
small = 6 * (6 * 512 * 512 + 2 * 512 * 2048) + 32128 * 512
assert SHAPES["small"].decoder_weights() == small == 38469632, small
axis = next(a for a in bench_growth.axes() if a.name == "slots")
result = {"tokens": 10.0, "flops": 1e7, "parameters": 6e7}
limits = {"peak_flops_per_second": 1e9, "bytes_per_second": 4.0 * small * 100}
of = lambda slots: bench_growth.limit_of(axis, str(slots), result, limits, {})
assert abs(of(1) - 100) < 1e-9 and abs(of(8) - 800) < 1e-9 and abs(of(512) - 1000) < 1e-9, (of(1), of(8), of(512))
PY

# A reader of memory that is killed ends the measurement instead of stopping it for ever.
cat >reader.py <<'PY'
import os, sys
sys.path.insert(0, sys.argv[1])
import bench_growth
from peers import record
def killed(seconds):
    os.kill(os.getpid(), 9)
assert bench_growth.bandwidth(2, 0.01) > 1e6
bench_growth.read_memory = killed
try:
    bench_growth.bandwidth(2)
except record.Failed:
    sys.exit(0)
sys.exit("no message")
PY
timeout 60 python3 reader.py "$tools" >out.log 2>&1 || fail "a reader that is killed"

# The environment is made once for a list of packages, and again where its making failed or the list is another. A program of
# another commit than the sources is said.
cat >environment.py <<'PY'
import contextlib, io, pathlib, sys, types
sys.path.insert(0, sys.argv[1])
import bench_peers
from peers import ours, record
calls, status = [], [0]
def run(command, check):
    calls.append(command)
    return types.SimpleNamespace(returncode=status[0])
bench_peers.subprocess = types.SimpleNamespace(run=run)
record.SOURCE, folder = pathlib.Path("listed").absolute(), pathlib.Path("env")
(record.SOURCE / "tools").mkdir(parents=True)
folder.mkdir()
def made(packages):
    (record.SOURCE / "tools" / "requirements-peers.txt").write_text(packages)
    calls.clear()
    try:
        bench_peers.make_environment(folder, "python")
    except record.Failed:
        return "failed"
    return len(calls)
assert [made("a==1"), made("a==1"), made("a==2")] == [2, 0, 2]
status[0] = 1
assert made("a==3") == "failed"
status[0] = 0
assert [made("a==2"), made("a==2")] == [2, 0]

def said(line, commit):
    ours.record = types.SimpleNamespace(run=lambda _: types.SimpleNamespace(output=line), commit=lambda: commit, Failed=record.Failed)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert ours.version("p") == line.splitlines()[0]
    return out.getvalue()
assert not said("tinythinker 1 (abcdef0-dirty)\nmore", "abcdef0123+")
assert "abcdef0" in said("tinythinker 1 (abcdef0)\nmore", "1234567890")
assert not said("tinythinker 1", "1234567890") and not said("tinythinker 1 (abcdef0)", "unknown")
PY
python3 environment.py "$tools" >out.log 2>&1 || fail "environment or commit"

# Greedy texts are compared token by token.
python3 - "$tools" <<'PY' || fail "agreement"
import json, sys
sys.path.insert(0, sys.argv[1])
import bench_peers
with open("texts.jsonl", "w") as f:
    json.dump({"sources": [[5, 1], [6, 1]], "targets": [[1, 2, 3], [7, 8, 9]], "source_of": [1, 0]}, f)
got = bench_peers.agreement("texts.jsonl", [[7, 8, 9], [1, 4, 3]])
assert got == {"of": 2, "equal": 1, "tokens_before_the_first_difference": 4, "tokens": 6, "different_texts_of_ours": 2}, got
PY

# Beside a program and a Python that only say numbers, in a copy of the tools.
mkdir -p copy/tools && cp -r "$tools"/bench_peers.py "$tools"/peers "$tools"/requirements-peers.txt copy/tools/
printf '<!-- peers: begin -->\nold\n<!-- peers: end -->\n' >copy/README.md
cp "$TT_SOURCE_DIR/tests/e2e/peers_said.py" said.py
for name in tinythinker packages; do
    printf '#!/bin/sh\nexec python3 "%s" %s "$@"\n' "$work/said.py" $name >$name && chmod +x $name
done
export SAID=$work/said.log
peers() { # status, arguments...
    local expected=$1
    shift
    : >"$SAID"
    tools=$work/copy/tools PATH=$work:$PATH TINYTHINKER= call "$expected" bench_peers --program tinythinker --python packages --rounds 1 "$@"
}
said() { # how many times, pattern
    [ "$(grep -cE -- "$2" "$SAID")" = "$1" ] || fail "expected $1 calls of '$2'" "$SAID"
}
# What a killed program left behind goes, what one that runs writes stays; models are made whole or anew.
mkdir -p copy/build/peers && touch copy/build/peers/a.jsonl.{999999999,$$}.tmp && mkdir copy/build/peers/models.999999999.tmp
FAIL="model import" peers 1 --only "greedy small fp32"
[ "$(cd copy/build/peers && ls -d *.$$.tmp *.999999999.tmp 2>/dev/null)" = a.jsonl.$$.tmp ] || fail "leftovers: $(ls copy/build/peers)"
peers 0 --only "greedy small fp32" --out part
said 1 "tinythinker model init"
said 1 "--type int8"
peers 0 --only "greedy small fp32" --out part
said 0 "model init|bench|-m peers"
VERSION="tinythinker 2 (abcdef0)" peers 0 --only "greedy small fp32" --out other
said 1 "tinythinker model init"
# Toy options replace those of the work.
peers 0 --only "greedy small fp32" --out toy --toy
said 1 "bench .*--prompts 8 "
said 0 "--prompts .*--prompts"
# Other versions, another program, another machine are other measurements.
TORCH=2 peers 1 --only "greedy small fp32" --out part
says "--fresh"
says "torch: 1, now 2"
VERSION="tinythinker 2" peers 1 --only "greedy small fp32" --out part
says "program: tinythinker 1, now tinythinker 2"
sed -i 's/"name": "\(.*\)"/"name": "Another \1"/; s/"memory_bytes": [0-9]\{10,\}/"memory_bytes": 1099511627776/' part/results.json
peers 1 --only "greedy small fp32" --out part
says "processor: .*Another"
# A peer that compiles: left out, in vain, not again within the same time, again with more.
peers 0 --only "training small fp32" --out compiled --compile-minutes 0
said 0 "--mode compile"
peers 0 --only "training small fp32" --out compiled --compile-minutes 0.005
says "PyTorch compiled: not ready after 0.005 minutes" out.log
peers 0 --only "training small fp32" --out compiled --compile-minutes 0.005
said 0 "-m peers"
READY=1 peers 0 --only "training small fp32" --out compiled --compile-minutes 1
said 1 "--mode compile"
grep -q '^| *| PyTorch compiled | 100 |' compiled/README.md || fail "compiled in the end" compiled/README.md
# The top page waits for all works, at their sizes.
peers 0 --only "greedy small fp32"
grep -q '^old$' copy/README.md || fail "a part of the works is on the top page" copy/README.md
READY=1 peers 0
! grep -q '^old$' copy/README.md || fail "all works are not on the top page" out.log
grep -q '^| greedy texts of 256 prompts.* | 200 tokens/s | 2.0 | 2.0 | 2.0 |' copy/README.md || fail "the top page" copy/README.md
mkdir -p folder/README.md
peers 1 --only "greedy small fp32" --out folder
says "folder/README.md: Is a directory"

# A measurement that is stopped keeps what it has, and the same command goes on with the rest.
growth=(--toy --only slots --threads 1 --peak 100 --program "$TINYTHINKER" --out growth)
timeout -s INT 100 bash -c 'trap - INT; exec python3 "$0" "$@"' "$tools/bench_growth.py" "${growth[@]}" >first.log 2>err.log &
stopped=$!
for _ in $(seq 500); do
    grep -q '^slots 2' first.log && break
    sleep 0.1
done
kill -TERM $stopped
wait $stopped
[ $? != 0 ] || fail "a stopped measurement ends well" first.log
points() { python3 -c 'import json; print(*sorted(json.load(open("growth/growth.json"))["measured"]["slots"]["points"]["tiny"], key=int))'; }
case $(points) in "1 2"*) ;; *) fail "after a stop: $(points)" first.log ;; esac
call 0 bench_growth "${growth[@]}"
! grep -q '^slots 2,' out.log || fail "measured again"
[ "$(points)" = "1 2 4 8" ] || fail "in the end: $(points)"
[ -s growth/growth-slots.svg ] || fail "no plot"
call 1 bench_growth "${growth[@]}" --threads 2
says "other settings; --fresh"
says "threads: 1, now 2"

# The stored record's page is what its numbers give.
if [ -s "$record/results.json" ]; then
    cp -r "$record" stored
    for tool in bench_peers bench_growth; do call 0 $tool --draw --out stored; done
    diff -r "$record" stored >differences || fail "tables or plots are not those of the stored numbers" differences
fi
exit $failed
