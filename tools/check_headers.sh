#!/usr/bin/env bash
# Fails where a public header (those that are installed: host/ but cli, kernels/ but cpu) declares a function without a
# comment, or lacks the guards that let C++ programs include it. tests/install/outside.sh compiles each of them alone.
#   tools/check_headers.sh           what is missing
#   tools/check_headers.sh --mend    adds missing guards: behind the last #include, and before the last #endif
# A comment above a declaration is that of all declarations that follow it without an empty line between; one behind a
# declaration is its own.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t headers < <(git ls-files --cached --others --exclude-standard 'host/*.h' 'kernels/*.h' |
    grep -Ev '^(host/cli|kernels/cpu)/' | while read -r file; do [ ! -e "$file" ] || echo "$file"; done)
failed=0

mend() { # header
    awk '
        { line[NR] = $0 }
        /^#include/ { last_include = NR }
        /^#define/ && !guard { guard = NR }
        /^#endif/ { end = NR }
        END {
            after = last_include ? last_include : guard
            for (i = 1; i <= NR; ++i) {
                if (i == end) {
                    if (line[i - 1] != "") print ""
                    print "#ifdef __cplusplus\n}\n#endif\n"
                    if (line[i] ~ /^#endif/) { print line[i]; continue }
                }
                print line[i]
                if (i == after) {
                    print "\n#ifdef __cplusplus\nextern \"C\" {\n#endif"
                    if (line[i + 1] != "") print ""
                }
            }
        }' "$1" >"$1.tmp" && cat "$1.tmp" >"$1" && rm "$1.tmp"
}
for header in "${headers[@]}"; do
    grep -q 'extern "C"' "$header" && continue
    if [ "${1:-}" = --mend ]; then
        mend "$header"
    else
        echo "$header: no guards for C++ (extern \"C\"); tools/check_headers.sh --mend adds them" >&2
        failed=1
    fi
done

undocumented() {
    awk '
        FNR == 1 { depth = 0; covered = 0; statement = "" }
        { code = $0; sub(/\/\/.*/, "", code); remark = code != $0 }
        statement == "" && depth == 0 && /^[ \t]*\/\// { covered = 1; next }
        statement == "" && depth == 0 && /^[ \t]*$/ { covered = 0; next }
        /^#/ || continued { continued = /\\$/; covered = 0; next }
        /^extern "C" \{/ || (/^}$/ && depth == 0) { covered = 0; next }
        {
            opened = gsub(/\{/, "{", code); closed = gsub(/\}/, "}", code)
            if (depth > 0 || opened) {
                depth += opened - closed
                if (depth == 0) covered = 0
                statement = ""
                next
            }
            statement = statement " " code
            remarked = remarked || remark
            if (code !~ /;[ \t]*$/) next
            if (statement ~ /\(/ && statement !~ /^ *(typedef|_Static_assert|static_assert)/ && !covered && !remarked) {
                name = statement
                sub(/\(.*/, "", name)
                sub(/.*[ *]/, "", name)
                print FILENAME ":" FNR ": " name ": no comment"
            }
            statement = ""
            remarked = 0
        }' "${headers[@]}"
}
found=$(undocumented)
if [ -n "$found" ]; then
    echo "$found" >&2
    failed=1
fi
exit $failed
