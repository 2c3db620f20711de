#!/usr/bin/env bash
# cpack: the program's package names the libraries that it needs, and what is in it, unpacked into a folder, answers the
# README's question; the library's package has headers and the CMake package. (tools/check_bare.sh installs it for true.)
set -u
for program in cpack dpkg-deb dpkg-shlibdeps; do
    command -v $program >/dev/null || { echo "skipped: there is no $program"; exit 77; }
done
. "$(dirname "$0")/../common.sh"
fail() {
    echo "FAILED: $1"
    tail -n 30 "$work/log"
    exit 1
}
cd "$work" || exit 1
(umask 077 && cpack --config "$TT_BINARY_DIR/CPackConfig.cmake" -B "$work/packages") >"$work/log" 2>&1 || fail "cpack"
program=$(echo "$work"/packages/tinythinker_*.deb) library=$(echo "$work"/packages/libtinythinker-dev_*.deb)
[ -s "$program" ] && [ -s "$library" ] || fail "no packages: $(ls packages)"
for name in libdnnl libhdf5 libyaml libjansson libsentencepiece libc6 libgomp1; do
    dpkg-deb -f "$program" Depends | grep -q "$name" || fail "the program's package does not depend on $name"
done
for name in libdnnl-dev libhdf5-dev libyaml-dev libjansson-dev libsentencepiece-dev; do
    dpkg-deb -f "$library" Depends | grep -q "$name" || fail "the library's package does not depend on $name"
done
dpkg-deb -c "$program" | awk '$1 ~ /^d/ && $1 != "drwxr-xr-x" || $1 ~ /^-/ && $1 !~ /^-rw[-x]r-[-x]r-[-x]$/ || $2 != "root/root"' >"$work/log"
[ ! -s "$work/log" ] || fail "files that are not for all"
for file in usr/bin/tinythinker usr/share/man/man1/tinythinker.1 usr/share/bash-completion/completions/tinythinker \
    usr/share/zsh/vendor-completions/_tinythinker usr/share/doc/tinythinker/copyright; do
    dpkg-deb -c "$program" | grep -q " \./$file\$" || fail "no $file in the program's package"
done
dpkg-deb -c "$program" | grep -q '\.h$\|\.a$' && fail "headers in the program's package"
dpkg-deb -c "$library" | grep -q '/tinythinker-config.cmake$' || fail "no CMake package"
mkdir root elsewhere
dpkg-deb -x "$program" root && cd elsewhere || exit 1
"$work/root/usr/bin/tinythinker" ask --model datasets/everyday/reasoner.h5 \
    "Ida knows the words of the ballad by heart. What would help?" barrel guitar thermos "camping stove" cot \
    >"$work/log" 2>&1 || fail "the packed program does not run"
sed -n '/^Answer/,$p' "$work/log" | grep -q "(B) guitar" || fail "another answer"
exit 0
