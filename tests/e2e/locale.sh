#!/usr/bin/env bash
# What is read and written does not depend on the locale that a host program has set: a run in a process whose decimal
# separator is a comma leaves the same files as the same run without a locale.
set -u
export OMP_NUM_THREADS=1
[ -n "${TT_COMMA_LOCALE:-}" ] || { echo "skipped: sanitizers do not go with LD_PRELOAD"; exit 77; }
command -v localedef >/dev/null || { echo "skipped: localedef is not installed"; exit 77; }
. "$(dirname "$0")/../common.sh"
mkdir locales
localedef -i de_DE -f UTF-8 locales/de_DE.UTF-8 >localedef.log 2>&1 || # it warns by its exit status
    [ -e locales/de_DE.UTF-8/LC_NUMERIC ] || { echo "skipped: localedef made no de_DE:"; cat localedef.log; exit 77; }
comma() { LOCPATH="$work/locales" TT_TEST_LOCALE=de_DE.UTF-8 LD_PRELOAD="$TT_COMMA_LOCALE" "$@"; }
comma "$TINYTHINKER" --version >/dev/null || { echo "skipped: the locale cannot be set"; exit 77; }
"$TT_MAKE_FIXTURE" data || exit 1

cat >run.yaml <<'YAML'
name: run
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 1,
  num_decoder_layers: 1, num_heads: 2, relative_attention_num_buckets: 8, relative_attention_max_distance: 12,
  dropout_rate: 0.05}
acquisition: {steps: 120, batch_size: 16, interval: 1, log_every: 1, validate_every: 5, warmup: 0.25, dropout: 0,
  learning_rate: 5.5e-3, validation_questions: 4}
reflection: {iterations: 1, questions: 12, samples: 4, batch_size: 4, cycles: 2, learning_rate: 1e-3, log_every: 1}
evaluation: {max_length: 12, samples: 2, questions: 6, temperature: 0.75}
YAML
failed=0
# Copies what a run leaves, without what depends on the clock.
outcome() { # folder
    cp "$1/config.yaml" "$2/config.yaml"
    sed 's/, "seconds".*//' "$1/metrics.jsonl" >"$2/metrics.jsonl"
    cp "$1/predictions.jsonl" "$2/predictions.jsonl"
    grep -v '"seconds"\|_second' "$1/result.json" >"$2/result.json"
    sed 's/ in [0-9]* s//; s/trained at .*//' "$1/result.txt" >"$2/result.txt"
}
"$TINYTHINKER" run run.yaml --set output=point >point.log 2>&1 || { cat point.log; exit 1; }
comma "$TINYTHINKER" run run.yaml --set output=comma >comma.log 2>&1 || { echo "FAILED:"; cat comma.log; exit 1; }
mkdir point.out comma.out
outcome point/run point.out
outcome comma/run comma.out
sed -i 's/^output: .*//' point.out/config.yaml comma.out/config.yaml
sed -i 's/  in \(point\|comma\)\/run//' point.out/result.txt comma.out/result.txt
diff -r point.out comma.out || { echo "FAILED: files differ"; failed=1; }
grep -q rewards/chosen comma.out/metrics.jsonl || { echo "FAILED: no pairs were trained on"; failed=1; }
grep -q 'learning_rate: 0.0055' comma.out/config.yaml || { echo "FAILED: no 0.0055 in config.yaml"; failed=1; }

# A process with a comma reads what one without wrote: the finished run is shown.
comma "$TINYTHINKER" run run.yaml --set output=point >again.log 2>&1 || { echo "FAILED:"; cat again.log; failed=1; }
# Reports, exports and worlds contain numbers as well.
"$TINYTHINKER" report point/run -o point.html >/dev/null 2>&1 || { echo "FAILED: report"; failed=1; }
comma "$TINYTHINKER" report point/run -o comma.html >/dev/null 2>&1 || { echo "FAILED: report with a comma"; failed=1; }
cmp point.html comma.html || failed=1
for one in point comma; do
    run=$([ $one = point ] || echo comma)
    $run "$TINYTHINKER" model export point/run/best.h5 -o $one.hf >export.log 2>&1 || { cat export.log; failed=1; }
    $run "$TINYTHINKER" corpus build "$TT_SOURCE_DIR/datasets/everyday/world.yaml" -o $one.h5 >/dev/null 2>build.log ||
        { cat build.log; failed=1; }
    $run "$TINYTHINKER" corpus show $one.h5 >$one.show || failed=1
done
cmp point.hf/config.json comma.hf/config.json || failed=1
cmp point.show comma.show || failed=1
exit $failed
