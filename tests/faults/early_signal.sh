#!/usr/bin/env bash
# A signal that comes while a sweep's run is being started, before it is the program anew, ends that run; it was forgotten, and
# the sweep waited until the run was trained to its end.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1 GOMP_SPINCOUNT=0 # so that only runs are started anew
make_run

cat > slow.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
int execv(const char *path, char *const arguments[]) {
    close(open("starting", O_CREAT | O_WRONLY, 0644));
    for (int i = 0; i < 20; ++i) usleep(100000);
    int (*next)(const char *, char *const *) = (int (*)(const char *, char *const *))dlsym(RTLD_NEXT, "execv");
    return next(path, arguments);
}
C
"${TT_CC:-cc}" -shared -fPIC -o slow.so slow.c -ldl 2> /dev/null || { echo "skipped: no compiler"; exit 77; }
printf 'name: toy\nbase: run.yaml\nseeds: [1]\n' > sweep.yaml
for signal in INT TERM; do
    rm -rf runs starting
    LD_PRELOAD=$PWD/slow.so "$TINYTHINKER" sweep sweep.yaml --jobs 1 > out.txt 2>&1 &
    pid=$!
    for _ in $(seq 600); do [ -e starting ] && break; sleep 0.05; done
    kill -$signal $pid
    wait $pid
    status=$?
    [ $status = 130 ] || { fail "$signal: the sweep ended with $status, expected 130"; cat out.txt; }
    [ ! -e runs/toy/*/result.json ] || fail "$signal: the run was trained to its end"
done
"$TINYTHINKER" sweep sweep.yaml --jobs 1 > out.txt 2>&1 || { fail "the sweep afterwards"; cat out.txt; }
exit $failed
