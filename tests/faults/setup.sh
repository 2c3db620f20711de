#!/usr/bin/env bash
# tools/setup.sh, tools/format.sh and tools/fetch_datasets.sh on machines that lack things: apt, dpkg, id and sudo are
# played by scripts. What cannot be done is not announced; what only some releases have is left out; nothing is installed
# that is there.
set -u
. "$(dirname "$0")/../common.sh"
shown=("$work/out" "$work/called")
mkdir "$work/bin" "$work/none"
for program in bash env id sudo tail sed cat grep mktemp rm mkdir dirname tr git cut; do
    [ "$program" = sudo ] || ln -s "$(command -v "$program")" "$work/none/$program"
done
play() { # program, its text
    printf '#!/bin/bash\n%s\n' "$2" >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}
play dpkg-query 'for package; do :; done; grep -qx "$package" "$WORK/installed" && printf "install ok installed"'
play apt-get 'echo "apt-get $*" >>"$WORK/called"; [ ! -e "$WORK/broken" ] || { echo "E: no network"; exit 100; }'
play apt-cache '! grep -qx "$2" "$WORK/unknown"'
play id 'echo "${MY_ID:-0}"'
play sudo 'exit 1'
setup() { # exit status, argument
    local status=$1 got
    shift
    : >"$work/called"
    WORK=$work PATH=$work/bin:$work/none bash "$TT_SOURCE_DIR/tools/setup.sh" "$@" >"$work/out" 2>&1 </dev/null
    got=$?
    [ $got -eq "$status" ] || fail "setup $*: exit status $got, expected $status"
}
called() { grep -q -- "$1" "$work/called"; }

: >"$work/installed"
: >"$work/unknown"
setup 0
called "install .*libdnnl-dev.*libprotobuf-dev" || fail "the packages for building are not installed"
grep -q "^setup: installing build-essential" "$work/out" || fail "not said what is installed"

# No root and no sudo: the command, and no claim.
MY_ID=1000 setup 1
[ -s "$work/called" ] && fail "apt was called without the right to"
grep -q "installing" "$work/out" && fail "said that it installs what it cannot"
grep -q "As root, run" "$work/out" && grep -q "apt-get install .*libdnnl-dev" "$work/out" || fail "no command to run"

# Tools of one version of clang: where the release has them.
setup 0 checks
called "install .*clang-format-14.*libomp-14-dev" || fail "format and lint are not set up"
printf '%s\n' clang-format-14 clang-tidy-14 clang-14 libclang-rt-14-dev libomp-14-dev >"$work/unknown"
setup 0 checks
called "install .*libcmocka-dev" || fail "the checks are not set up"
called clang && fail "asked for packages that do not exist"

# All there: nothing is done; what is optional and unknown does not matter.
called install && sed -n 's/.*--no-install-recommends -qq //p' "$work/called" | tr ' ' '\n' >"$work/installed"
setup 0
[ -s "$work/called" ] && fail "installed again"
setup 0 datasets
called "install .*ca-certificates" || fail "what fetching needs is not installed"
setup 2 everything
grep -q "allowed are checks, datasets" "$work/out" || fail "an unknown argument is not refused"

# What apt says is shown.
: >"$work/installed"
touch "$work/broken"
setup 1
grep -q "E: no network" "$work/out" || fail "the reason is not shown"

# Only what is optional is missing, and cannot be had: a word, and the checks go on without it.
rm "$work/broken"
: >"$work/unknown"
setup 0 checks
sed -n '/libcmocka/s/.*--no-install-recommends -qq //p' "$work/called" | tr ' ' '\n' >"$work/installed"
touch "$work/broken"
setup 0 checks
grep -q "could not install clang-format-14" "$work/out" || fail "no word about what is optional"

# Data sets without curl and unzip: said before anything is tried.
PATH=$work/none bash "$TT_SOURCE_DIR/tools/fetch_datasets.sh" "$work/got" >"$work/out" 2>&1 && fail "fetched with nothing"
grep -q "not installed: curl (or wget), unzip; .*setup.sh datasets" "$work/out" || fail "not said what is missing"
[ ! -e "$work/got" ] || fail "a folder was made for nothing"

# Another clang-format: the check is left out with a word, and formatting is refused.
play clang-format 'echo "Debian clang-format version 19.1.7"'
cp "$work/bin/clang-format" "$work/none/"
PATH=$work/none bash "$TT_SOURCE_DIR/tools/format.sh" --check >"$work/out" 2>&1 || fail "format stands in the way"
grep -q "skipped: the format is not checked" "$work/out" || fail "no word about the format"
PATH=$work/none bash "$TT_SOURCE_DIR/tools/format.sh" >"$work/out" 2>&1 && fail "formatted with another version"
exit $failed
