#!/usr/bin/env bash
# Signals that come before main. While the libraries of the program begin, one that asks it to end ends it with the documented
# status and line, and SIGUSR1 makes the run save and stop. While a sweep's run is being started, before it is the program anew, a
# signal ends that run and the sweep.
set -u
[ -n "${TT_FAULTY:-}" ] || { echo "skipped: sanitizers do not go with LD_PRELOAD"; exit 77; }
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
cat > begin.c <<'C'
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void begin(void) {
    close(open("begun", O_CREAT | O_WRONLY, 0644));
    for (int i = 0; i < 10; ++i) usleep(100000);
}
C
"${TT_CC:-cc}" -shared -fPIC -o slow.so slow.c -ldl 2> /dev/null || { echo "skipped: no compiler"; exit 77; }
"${TT_CC:-cc}" -shared -fPIC -o begin.so begin.c || die "begin.c"

# With the variable `_`, as shells set it, the program does not start itself anew (host/cli/spinning.h); without, it does.
for variables in "_=x" "-u _"; do
    for signal in INT:130 TERM:143 HUP:129 USR1:130; do
        rm -rf runs begun
        env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT $variables LD_PRELOAD="$PWD/begin.so" "$TINYTHINKER" run run.yaml --set name=toy > out.txt 2>&1 &
        pid=$!
        for _ in $(seq 600); do [ -e begun ] && break; sleep 0.05; done
        kill -"${signal%:*}" $pid
        wait $pid
        status=$?
        [ $status = "${signal#*:}" ] || fail "${signal%:*}, $variables: exit status $status, expected ${signal#*:}" out.txt
        grep -q "run the same command again to resume" out.txt || fail "${signal%:*}, $variables: no word" out.txt
    done
done

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
