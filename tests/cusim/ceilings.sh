#!/usr/bin/env bash
# cusim_count compares: the same numbers pass, a worse one fails by name, a better one is told, rows must be the same.
set -u
. "$(dirname "$0")/../common.sh"
ceilings=$TT_SOURCE_DIR/tests/cusim/ceilings.txt
compare() { # table; its output in `out`
    "$CUSIM_COUNT" "$ceilings" "$1" > "$work/out" 2>&1
}
change() { sed "$1" "$ceilings" > "$work/table"; }
shown=("$work/out")
compare "$ceilings" || die "the same numbers"
grep -q "better" "$work/out" && die "the same numbers are called better"
change '/^rmsnorm_bwd /s/2\.000/3.000/'
compare "$work/table" && die "one launch more"
grep -q "^FAILED: rmsnorm_bwd: launches is 3.000, the ceiling is 2.000$" "$work/out" || die "message of one launch more"
change '/^token of ten samples /s/0\.250   192/2.000   192/'
compare "$work/table" && die "one wait more"
grep -q "^FAILED: token of ten samples: waits is 2.000" "$work/out" || die "message of one wait more"
change '/^scale /s/-  /2.0/'
compare "$work/table" && die "a number where there was none"
change '/^training step, replayed /s/7\.000/6.000/'
compare "$work/table" || die "a better number"
grep -q "^better: training step, replayed: copies is 6.000; lower its ceiling" "$work/out" || die "message of a better number"
change '/^adamw /d'
compare "$work/table" && die "a row that is missing"
exit 0
