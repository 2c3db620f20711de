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
says "other settings .threads.*--fresh"

# The stored record's page is what its numbers give.
if [ -s "$record/results.json" ]; then
    cp -r "$record" stored
    for tool in bench_peers bench_growth; do call 0 $tool --draw --out stored; done
    diff -r "$record" stored >differences || fail "tables or plots are not those of the stored numbers" differences
fi
exit $failed
