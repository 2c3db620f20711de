#!/usr/bin/env bash
# expect_caught.sh PROGRAM WORDS...: the test program must fail, and its complaint must have all the words.
set -uo pipefail
# It may end at the first failure.
output=$(CMOCKA_TEST_ABORT=1 "$1" 2>&1) && {
    echo "$1 passed, though its kernel is broken" >&2
    exit 1
}
complaint=$(grep -E 'cusim: |norm\(difference\)|bits differ|apart, allowed|: expected |unexpected failure' <<<"$output" | head -1)
echo "$complaint"
for word in "${@:2}"; do
    if ! grep -qF -- "$word" <<<"$complaint"; then
        echo "expected the complaint to say '$word'; the whole output:" >&2
        echo "$output" >&2
        exit 1
    fi
done
