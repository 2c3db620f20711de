#!/usr/bin/env bash
# The commit that a build says it was made from: after a commit, after an edit, in an archive, in folders without a
# repository, and inside somebody else's. Only what contains it is compiled again.
set -u
command -v git >/dev/null || exit 77
. "$(dirname "$0")/../common.sh"
failed=0
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
unset GIT_DIR GIT_WORK_TREE

# A small program that asks as the library does.
mkdir -p "$work/own/cmake" "$work/own/host/base"
cd "$work/own" || exit 1
cp "$TT_SOURCE_DIR"/cmake/{commit.cmake,version.cmake,archived_commit.txt} cmake/
cp "$TT_SOURCE_DIR"/host/base/version.[ch] host/base/
cp "$TT_SOURCE_DIR/.gitattributes" .
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(tiny VERSION 1.2.3 LANGUAGES C)
include(cmake/version.cmake)
add_executable(tiny main.c host/base/version.c)
add_dependencies(tiny tt_commit)
target_include_directories(tiny PRIVATE ${PROJECT_SOURCE_DIR})
CMAKE
printf '#include "host/base/version.h"\n#include <stdio.h>\nint main(void) { return puts(tt_version_line()) < 0; }\n' >main.c
git init -q . && git add -A && git commit -q -m one || exit 1

build() { # source, build folder: configures once
    [ -e "$2/build.ninja" ] || cmake -S "$1" -B "$2" -G Ninja >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    cmake --build "$2" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}
expect() { # build folder, commit, what it is
    local said
    said=$("$1/tiny")
    [ "$said" = "tinythinker 1.2.3 ($2)" ] || { echo "FAILED: $3: '$said', expected commit $2"; failed=1; }
}
compiled() { grep -o 'Building C object [^ ]*' "$work/log" | sed 's|.*/||' | sort | tr '\n' ' '; }

commit=$(git rev-parse --short HEAD)
build "$work/own" "$work/b"
expect "$work/b" "$commit" "a clean checkout"
build "$work/own" "$work/b"
[ -z "$(compiled)" ] || { echo "FAILED: built again for nothing: $(compiled)"; failed=1; }
echo "// edited" >>main.c
build "$work/own" "$work/b"
expect "$work/b" "$commit-dirty" "an edited checkout"
git commit -q -a -m two
build "$work/own" "$work/b"
commit=$(git rev-parse --short HEAD)
expect "$work/b" "$commit" "the next commit"
[ "$(compiled)" = "version.c.o " ] || { echo "FAILED: a commit compiles $(compiled)"; failed=1; }

# An archive knows its commit, also inside another repository; a bare copy does not, and takes nobody else's.
mkdir -p "$work/other/archive" "$work/other/copy" "$work/archive"
git archive HEAD | tar -x -C "$work/archive"
git archive HEAD | tar -x -C "$work/other/archive"
cp -r CMakeLists.txt main.c cmake host "$work/other/copy/"
(cd "$work/other" && git init -q . && git add -A && git commit -q -m other) || exit 1
build "$work/archive" "$work/b1"
expect "$work/b1" "$commit" "an archive"
build "$work/other/archive" "$work/b2"
expect "$work/b2" "$commit" "an archive inside another repository"
build "$work/other/copy" "$work/b3"
expect "$work/b3" unknown "a copy inside another repository"

# A worktree is a checkout, too; so is one reached by a link.
git worktree add -q "$work/tree" HEAD
ln -s "$work/tree" "$work/link"
build "$work/link" "$work/b4"
expect "$work/b4" "$commit" "a worktree, by a link"
exit $failed
