#!/usr/bin/env bash
# What `cmake --install` brings: programs of others, in C and in C++, find the library by find_package(tinythinker) and
# compile each of its headers alone; the installed program finds the shipped data from any folder; man page and
# completions stand where man and shells look.
set -u
. "$(dirname "$0")/../common.sh"
# The file system's own name: the program says it so.
work=$(cd "$work" && pwd -P)
prefix=$work/prefix
fail() {
    echo "FAILED: $1"
    tail -n 40 "$work/log"
    exit 1
}
run() { "$@" >"$work/log" 2>&1 || fail "$*"; }
(umask 077 && cmake --install "$TT_BINARY_DIR" --prefix "$prefix") >"$work/log" 2>&1 || fail "cmake --install"
program=$prefix/bin/tinythinker
[ -x "$program" ] || fail "no program"
for file in share/man/man1/tinythinker.1 share/bash-completion/completions/tinythinker \
    share/zsh/site-functions/_tinythinker share/tinythinker/configs/everyday.yaml \
    share/tinythinker/datasets/everyday/reasoner.h5; do
    [ -r "$prefix/$file" ] || fail "no $file"
    [ "$(stat -c %a "$prefix/$file")" = 644 ] || fail "$file: not readable by all"
done
find "$prefix"/{share,include,lib*/cmake}/tinythinker "$prefix"/share/doc/tinythinker -type d ! -perm 755 >"$work/log"
[ ! -s "$work/log" ] || fail "folders that are not readable by all"

# Shipped data, from a folder that has none.
mkdir "$work/elsewhere" && cd "$work/elsewhere" || exit 1
run "$program" ask --model datasets/everyday/reasoner.h5 "What would help?" guitar cot
grep -q "datasets/everyday/reasoner.h5 is not in the working directory: reading $prefix/share/tinythinker/datasets" \
    "$work/log" || fail "not said which file is read"
grep -q "^Answer" "$work/log" || fail "no answer"
OMP_NUM_THREADS=2 run "$program" run configs/everyday-summarize-only.yaml --set acquisition.steps=2 \
    --set acquisition.validate_every=0 --set evaluation.splits='[]' --set name=short
[ -s runs/short/result.json ] || fail "the run is not in the working directory"
grep -q 'start: "datasets/everyday/student.h5"' runs/short/config.yaml || fail "the configuration names another file"
# The working directory comes first, and TT_DATA before the installation.
mkdir -p configs datasets other/configs
echo "name: mine" >configs/everyday.yaml
"$program" run configs/everyday.yaml >"$work/log" 2>&1 && fail "the shipped file was taken instead of the user's"
grep -q "shipped\|not in the working directory" "$work/log" && fail "the shipped file was read beside the user's"
echo "nosuchkey: 1" >other/configs/theirs.yaml
TT_DATA=$work/elsewhere/other "$program" run configs/theirs.yaml >"$work/log" 2>&1
grep -q "reading $work/elsewhere/other/configs/theirs.yaml" "$work/log" && grep -q "nosuchkey: unknown key" "$work/log" || fail "TT_DATA"
"$program" run configs/missing.yaml >"$work/log" 2>&1 && fail "a missing file"
grep -q "configs/missing.yaml: cannot open" "$work/log" || fail "a missing file has another name"

# Two programs, and every header by itself.
mkdir "$work/outside" && cd "$work/outside" || exit 1
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(outside LANGUAGES C CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(tinythinker 0.1 REQUIRED)
add_compile_options(-Wall -Wextra -Werror)
add_executable(in_c main.c)
add_executable(in_cxx main.cc)
foreach(program in_c in_cxx)
  target_link_libraries(${program} PRIVATE tinythinker::tinythinker)
endforeach()
file(GLOB headers headers/*)
add_library(headers OBJECT ${headers})
target_compile_options(headers PRIVATE -fsyntax-only)
target_link_libraries(headers PRIVATE tinythinker::tinythinker)
CMAKE
cat >main.c <<'C'
#include "host/base/version.h"
#include "host/config/config.h"
#include "host/model/checkpoint.h"

#include <stdio.h>

int main(int argc, char **argv) {
    tt_device *device;
    tt_checkpoint student;
    tt_config config;
    if (argc < 2 || tt_config_open(&config) != TT_OK || tt_device_open(&device, "cpu", TT_FP32, 1) != TT_OK) return 1;
    if (tt_checkpoint_load(&student, argv[1], device) != TT_OK) {
        fprintf(stderr, "%s\n", tt_error_message());
        return 1;
    }
    printf("%s: %zu parameters, seed %d\n", tt_version_line(), student.model->size, (int)config.seed);
    tt_checkpoint_close(&student);
    tt_device_close(device);
    tt_config_close(&config);
    return 0;
}
C
cp main.c main.cc
mkdir headers
cd "$prefix/include/tinythinker" || exit 1
find . -name '*.h' | sed 's|^\./||' | while read -r header; do
    name=$(tr / _ <<<"${header%.h}")
    echo "#include \"$header\"" | tee "$work/outside/headers/$name.c" >"$work/outside/headers/${name}_cxx.cc"
done
cd "$work/outside" || exit 1
[ "$(find headers -type f | wc -l)" -gt 100 ] || fail "hardly any headers"
run cmake -S . -B build -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
run cmake --build build
for program in in_c in_cxx; do
    run "build/$program" "$prefix/share/tinythinker/datasets/everyday/reasoner.h5"
    grep -q "^tinythinker .*: [0-9]* parameters, seed 1$" "$work/log" || fail "$program says something else"
done
exit 0
