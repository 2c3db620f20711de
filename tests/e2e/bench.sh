#!/bin/bash
# The bench's promises that are not times: no allocation in a step after warm-up, memory within 1.3 x of 16 bytes
# a parameter and the activations, output that machines can read.
set -euo pipefail
out=$("$TINYTHINKER" bench --shape small --tokens 64 --steps 2 --json)
value() { # the number behind "name":, the last one of that name
    sed -n "s/.*\"$1\": \([-+.0-9e]*\).*/\1/p" <<<"$out" | tail -n 1
}
[ "$(value allocations)" = 0 ] || { echo "allocations in a step: $(value allocations)"; exit 1; }
awk -v peak="$(value peak)" -v parameters="$(value parameters)" -v activations="$(value activations)" '
    BEGIN {
        ratio = peak / (parameters + activations)
        print "memory: " ratio " x expected"
        exit !(parameters > 9e8 && activations > 1e7 && (peak == 0 || (ratio > 0.5 && ratio < 1.3)))
    }'
for key in peak_flops_per_second share_of_peak target_tokens_per_second seconds_by_kind; do
    grep -q "\"$key\"" <<<"$out" || { echo "no $key in the output"; exit 1; }
done
for work in preference generation; do
    out=$("$TINYTHINKER" bench --shape tiny --work $work --tokens 64 --steps 1 --prompts 2 --new-tokens 4 --peak 1 --json)
    grep -q '"step_seconds"' <<<"$out" || { echo "no $work"; exit 1; }
done
[ "$(value new_tokens)" = 80.0 ] || { echo "2 prompts, 10 samples of 4 tokens: $(value new_tokens) tokens"; exit 1; }
# Among so many texts some end before their first token.
"$TINYTHINKER" bench --shape tiny --work generation --steps 2 --prompts 400 --new-tokens 2 --peak 1 --json > /dev/null
out=$("$TINYTHINKER" bench --shape tiny --work operations --tokens 64 --steps 1 --peak 1 --json)
for operation in copy rmsnorm_bwd adamw "attention_bwd, encoder" lmhead_fused; do
    grep -q "\"operation\": \"$operation\"" <<<"$out" || { echo "no $operation"; exit 1; }
done
# The gradient of a norm: 64 rows of 128, two operands and three times fp32 in memory.
grep -A7 '"operation": "rmsnorm_bwd"' <<<"$out" | grep -q "\"bytes\": $((64 * 128 * 20)).0" || { echo "bytes: $out"; exit 1; }
out=$("$TINYTHINKER" bench --shape tiny --tokens 64 --source-length 512 --target-length 16 --steps 1 --peak 1 --json)
[ "$(value source_tokens) $(value target_tokens)" = "2048.0 64.0" ] || { echo "4 x 512, 4 x 16 tokens: $out"; exit 1; }
# The texts: token ids, and the source of each target.
texts=$(mktemp)
trap 'rm -f "$texts"' EXIT
"$TINYTHINKER" bench --shape tiny --tokens 64 --source-length 5 --target-length 32 --steps 1 --peak 1 --texts "$texts" > /dev/null
sequence='\[[0-9]+(, [0-9]+){3}, 1\]' target='\[[0-9]+(, [0-9]+){30}, 1\]'
grep -Eq "^\{\"shape\": \"tiny\", \"sources\": \[$sequence, $sequence\], \"targets\": \[$target, $target\], \"source_of\": \[0, 1\]\}$" \
    "$texts" || { echo "two texts of 5 and 32 tokens: $(cat "$texts")"; exit 1; }
"$TINYTHINKER" bench --shape tiny --work generation --steps 1 --prompts 3 --new-tokens 4 --greedy --peak 1 --texts "$texts" > /dev/null
[ "$(grep -oE '"targets": \[\[.*\]\], "source_of": \[[0-2], [0-2], [0-2]\]' "$texts" | grep -oE '[0-9]+' | wc -l)" = 15 ] ||
    { echo "three texts of four tokens: $(cat "$texts")"; exit 1; }
# A student: the one that comes with the project writes no two texts that are equal.
"$TINYTHINKER" bench --model "$TT_SOURCE_DIR/datasets/everyday/reasoner.h5" --work generation --steps 1 --prompts 2 --new-tokens 8 --greedy \
    --peak 1 --texts "$texts" > /dev/null
[ "$(grep -oE '"targets": .*"source_of' "$texts" | grep -oE '\[[0-9, ]+\]' | sort -u | wc -l)" = 2 ] ||
    { echo "two texts of a student: $(cat "$texts")"; exit 1; }
# A name that JSON must escape stays one; what cannot be read is noticed before anything is measured.
names=$(mktemp -d)
trap 'rm -rf "$texts" "$names"' EXIT
cp "$TT_SOURCE_DIR/datasets/everyday/reasoner.h5" "$names/a\"b\\c.h5"
(cd "$names" && "$TINYTHINKER" bench --model 'a"b\c.h5' --work generation --steps 1 --prompts 1 --new-tokens 1 --greedy --peak 1 \
    --texts "$texts" > /dev/null)
grep -qF '{"shape": "a\"b\\c.h5", "sources": [[' "$texts" || { echo "a name with quotes: $(cut -c -80 "$texts")"; exit 1; }
! "$TINYTHINKER" bench --work generation --model "$names/none.h5" > "$names/out" 2>&1 || { echo "a student that is not there"; exit 1; }
"$TINYTHINKER" bench --work generation --model "$names/"$'\xff.h5' --json > "$names/json" 2>&1 && { echo "a name that is not UTF-8"; exit 1; }
grep -q 'not UTF-8' "$names/json" || { echo "a name that is not UTF-8: $(cat "$names/json")"; exit 1; }
! grep -q 'GFLOP/s' "$names/out" || { echo "the peak was measured first: $(cat "$names/out")"; exit 1; }
! "$TINYTHINKER" bench --model "$TT_SOURCE_DIR/datasets/everyday/reasoner.h5" 2>/dev/null || { echo "a student is trained"; exit 1; }
! "$TINYTHINKER" bench --work operations --texts "$texts" 2>/dev/null || { echo "texts of operations"; exit 1; }
! "$TINYTHINKER" bench --work sleep 2>/dev/null || { echo "an unknown work is accepted"; exit 1; }
! "$TINYTHINKER" bench --shape unheard-of 2>/dev/null || { echo "an unknown shape is accepted"; exit 1; }
