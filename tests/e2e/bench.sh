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
! "$TINYTHINKER" bench --shape unheard-of 2>/dev/null || { echo "an unknown shape is accepted"; exit 1; }
