#!/usr/bin/env bash
# Where users put things: a folder whose name has spaces, umlauts and Japanese, a umask of 077, a locale with decimal
# commas. A tiny job trains, is reported and asked there; the source configures there without MPI and without cmocka.
set -u
. "$(dirname "$0")/../common.sh"
umask 077
here="$work/Größe und Maß/日本 語"
mkdir -p "$here" && cd "$here" || exit 1
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
if command -v localedef >/dev/null && mkdir "$work/locales" &&
    localedef -i de_DE -f UTF-8 "$work/locales/de_DE.UTF-8" >/dev/null 2>&1; then
    export LOCPATH=$work/locales
fi
export LC_ALL=de_DE.UTF-8
fail() {
    echo "FAILED: $1"
    cat "$work/log"
    exit 1
}
run() { "$@" >"$work/log" 2>&1 || fail "$*"; }

cp "$TINYTHINKER" "das Programm"
run "$TT_MAKE_FIXTURE" "die Daten"
cat >"mein Lauf.yaml" <<'YAML'
name: "Lauf 1 – für 日本"
corpus: "die Daten/corpus.h5"
threads: 1
model: {tokenizer: "die Daten/tokenizer.model", extra_ids: 20, shape: custom, d_model: 16, d_kv: 8, d_ff: 24,
  num_heads: 2, num_layers: 1, num_decoder_layers: 1}
acquisition: {steps: 4, batch_size: 4, interval: 1, learning_rate: 2.5e-3, log_every: 1, validate_every: 0}
evaluation: {splits: [test], max_length: 8, samples: 0, questions: 4}
YAML
run "./das Programm" run "mein Lauf.yaml"
result="runs/Lauf 1 – für 日本/result.json"
[ -s "$result" ] || fail "no result"
grep -q '"accuracy": [01]\.' "$result" || fail "a number in $result is not as in JSON"
grep -q 'learning_rate: 0\.0025' "runs/Lauf 1 – für 日本/config.yaml" || fail "a number in config.yaml"
run "./das Programm" run "mein Lauf.yaml"
run "./das Programm" report runs -o "Bericht – 報告.html"
grep -q "Lauf 1 – für 日本" "Bericht – 報告.html" || fail "the report does not name the run"
run "./das Programm" ask --model "runs/Lauf 1 – für 日本/best.h5" "Was hält Wasser?" Tasse Messer

# The source, in such a folder. pkg-config sees all packages but cmocka.
command -v ninja >/dev/null || exit 0
mkdir "$work/packages" Quelle || exit 1
for folder in $(pkg-config --variable pc_path pkg-config | tr : ' '); do
    for package in "$folder"/*.pc; do
        [ ! -e "$package" ] || [ "${package##*/}" = cmocka.pc ] || ln -sf "$package" "$work/packages/"
    done
done
tar -C "$TT_SOURCE_DIR" --exclude=./build --exclude=./runs --exclude=./.git --exclude='./experiments/records' -c . |
    tar -x -C Quelle
PKG_CONFIG_LIBDIR=$work/packages cmake -S Quelle -B Bau -G Ninja -DTT_MPI=OFF -DTT_CUDA=OFF >"$work/log" 2>"$work/errors" ||
    { cat "$work/errors" >>"$work/log"; fail "configuring without MPI and cmocka"; }
if [ -s "$work/errors" ]; then # tools/quickstart.sh shows that
    cp "$work/errors" "$work/log"
    fail "configuring complains"
fi
run ninja -C Bau CMakeFiles/tinythinker.dir/host/dist/comm_nompi.c.o CMakeFiles/tinythinker.dir/host/base/version.c.o \
    tests/CMakeFiles/make_fixture.dir/fixture.c.o
run ctest --test-dir Bau -N
for name in cusim/program cusim/gpu_check e2e/quickstart; do
    grep -q " $name$" "$work/log" || fail "without cmocka there is no test $name"
done
grep -q " unit/" "$work/log" && fail "tests that need cmocka are there without it"
exit 0
