#!/usr/bin/env bash
# seeds.sh FOLDER: makes inputs to begin fuzzing with, FOLDER/<target>/*, from the project's own files and by its program
# ($TINYTHINKER, $TT_MAKE_FIXTURE). Small ones that a person can read are in seeds/<target>/.
set -euo pipefail
out=$1
: "${TINYTHINKER:?the program}" "${TT_MAKE_FIXTURE:?the maker of small data}" "${TT_SOURCE_DIR:?the project}"
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

seed() { # target, name: standard input becomes an input
    mkdir -p "$out/$1"
    cat >"$out/$1/$2"
}
bytes() { # hexadecimal...
    local text
    printf -v text '\\x%s' "$@"
    printf '%b' "$text"
}
little() { # width, number: in the order of most machines
    local i byte all=()
    for ((i = 0; i < $1; ++i)); do
        printf -v byte %x $(($2 >> (8 * i) & 255))
        all+=("$byte")
    done
    bytes "${all[@]}"
}
padded() { # width, text
    printf %s "$2" && head -c $(($1 - ${#2})) /dev/zero
}
part() { # name, file: a part of an input of several files
    printf '=== %s\n' "$1"
    cat "$2"
    printf '\n'
}

# Configurations, sweeps, prompts: what the project ships.
for file in "$TT_SOURCE_DIR"/configs/*.yaml; do
    { part run.yaml "$file" && part base.yaml "$TT_SOURCE_DIR/configs/everyday.yaml"; } |
        sed 's/^base: .*/base: base.yaml/' | seed config "$(basename "$file")"
done
for file in "$TT_SOURCE_DIR"/experiments/*.yaml; do
    { sed 's/^base: .*/base: base.yaml/' "$file" | part sweep.yaml - && part base.yaml "$TT_SOURCE_DIR/configs/everyday.yaml"; } |
        seed sweep "$(basename "$file")"
done
for file in "$TT_SOURCE_DIR"/datasets/prompts/{everyday,csqa}.yaml; do
    part pool.yaml "$file" | seed teach "$(basename "$file")"
done
part prices.yaml "$TT_SOURCE_DIR/datasets/prompts/prices.yaml" | seed teach prices.yaml
{ part world.yaml "$TT_SOURCE_DIR/datasets/elsewhere/world.yaml" && part objects.yaml "$TT_SOURCE_DIR/datasets/elsewhere/animals.yaml"; } |
    sed 's/^objects: .*/objects: objects.yaml/; /^vocabulary:/d; s/^reading: .*/reading: {texts: 5, tasks: 5}/' |
    seed world elsewhere.yaml

# Files of a toy world: a tokenizer, questions, a model and its Hugging Face directory, a run.
"$TT_MAKE_FIXTURE" data
seed tokenizer toy.model <data/tokenizer.model
# A smaller one, as protobuf: pieces (1) with text, score and type; how it was trained (2), how it normalises (3).
piece() { # text, high byte of its score, type
    bytes 0a "$(printf %x $((${#1} + 9)))" 0a "$(printf %x ${#1})"
    printf %s "$1"
    bytes 15 00 00 "$2" c0 18 "$3"
}
{
    LC_ALL=C
    piece '<pad>' 00 3 && piece '</s>' 00 3 && piece '<unk>' 00 2
    for text in $'\xe2\x96\x81' a b c e $'\xe2\x96\x81b' be bec; do piece "$text" 40 1; done
    bytes 12 17 18 1 c0 2 2 c8 2 ff ff ff ff ff ff ff ff ff 1 d0 2 1 d8 2 0
    bytes 1a 10 0a 8 && printf identity && bytes 18 1 20 1 28 1
} | seed tokenizer small.model
# One whose pieces all have types of their own, so that none is a key of what is encoded.
{
    LC_ALL=C
    piece '<pad>' 00 3 && piece '</s>' 00 3 && piece '<unk>' 00 2 && piece $'\xe2\x96\x81' 40 5
} | seed tokenizer no-keys.model
"$TINYTHINKER" corpus export data/corpus.h5 -o all.jsonl >/dev/null 2>&1
head -n 12 all.jsonl | seed questions toy.jsonl
{ echo '=== text.txt' && head -n 5 data/text.txt && echo '=== pairs.jsonl' && head -n 5 data/pairs.jsonl; } | seed runs toy
for style in "" --gated-gelu; do
    # shellcheck disable=SC2086 # nothing, or an option
    "$TINYTHINKER" model init --tokenizer data/tokenizer.model -o m.h5 --d-model 4 --d-kv 2 --d-ff 4 --layers 1 --heads 2 \
        --extra-ids 10 ${style:+$style --untied} >/dev/null 2>&1
    "$TINYTHINKER" model export m.h5 -o "hf$style" >/dev/null 2>&1
    header=$((16#$(od -An -tx1 -N8 "hf$style/model.safetensors" | tr -d ' \n' | fold -w2 | tac | tr -d '\n')))
    seed safetensors "toy$style.safetensors" <"hf$style/model.safetensors"
    {
        part config.json "hf$style/config.json"
        head -c $((8 + header)) "hf$style/model.safetensors" | tail -c +9 | part model.safetensors -
        part tokenizer_config.json "hf$style/tokenizer_config.json"
        part generation_config.json "hf$style/generation_config.json"
    } | seed huggingface "toy$style"
done
# The tokenizer as JSON alone, as transformers 5 saves it.
cat >tokenizer.json <<'JSON'
{"version": "1.0", "truncation": null, "padding": null,
 "added_tokens": [{"id": 0, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
  {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
  {"id": 2, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
 "normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": false, "strip_right": true}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}]},
 "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": true},
 "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [], "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
 "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": true},
 "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": false,
  "vocab": [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["\u2581", -2.0], ["e", -2.5], ["a", -3], ["b", -3.5], ["\u2581b", -4.25], ["be", -5.0]]}}
JSON
{ cat "$out/huggingface/toy" && part tokenizer.json tokenizer.json; } | seed huggingface toy-json
cat >toy.yaml <<'Y'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 8, d_kv: 4, d_ff: 8, num_heads: 2, num_layers: 1}
acquisition: {steps: 6, batch_size: 4, interval: 1, validate_every: 1, log_every: 2}
reflection: {iterations: 1, samples: 1, questions: 6, batch_size: 4}
evaluation: {max_length: 8, samples: 2, questions: 3, splits: [test]}
Y
"$TINYTHINKER" run toy.yaml >/dev/null 2>&1
{
    for file in config.yaml metrics.jsonl result.json predictions.jsonl environment.json; do part $file runs/run/$file; done
} | seed report toy

# Changes to HDF5 files, five bytes each (hdf5_changes.h): none; bits here and there; a cut; content of other kinds.
for target in corpus_file pairs_file checkpoint_file; do
    seed $target same </dev/null
    for i in 1 2 3 4 5; do
        bytes 1 "$i$i" "$i" 2 "$i" | seed $target "bit-$i"
        bytes 1 "$i" "$i$i" 0 0 | seed $target "cut-$i"
        for how in 0 1 2 3; do
            bytes "8$how" "$i" 0 "$i" "c$i" | seed $target "content-$how-$i"
            bytes "8$how" "1$i" 0 "1$i" "$i" | seed $target "content-$how-1$i"
        done
    done
done

# Messages of ranks (wire.c): which side, what is called, each peer's bytes behind their number.
wire() { # name, side, call, file of the first peer, of the second
    { little 1 "$2" && little 1 "$3" && little 2 "$(wc -c <"$4")" && cat "$4" && little 2 "$(wc -c <"$5")" && cat "$5"; } |
        seed wire "$1"
}
hello() { # rank
    little 8 $((0x32726b6e69687474)) && printf 0123456789abcdef && little 4 "$1" && little 4 3 && padded 64 there
}
notice() { # operation, bytes
    little 8 "$1" && little 8 "$2"
}
hello 1 >one && hello 2 >two && echo "GET / HTTP/1.1" >web && : >none
wire host 0 0 one two
wire host-twice 0 0 one one
wire host-foreign 0 0 web two
{ little 4 0 && padded 512 "" && padded 64 here && padded 64 there && padded 64 there; } >welcome
{ little 4 1 && padded 512 "rank 1 was started twice"; } >refusal
printf 'tinythinker rendezvous 2\n30313233343536373839616263646566 there 4711\n127.0.0.1\n::1\nend\n' >place
wire join 1 0 welcome none
wire join-refused 1 0 refusal none
{ little 4 1 && padded 512 ""; } >refusal
wire join-refused-without-a-reason 1 0 refusal none
wire file 2 0 place welcome
for call in 0:32 1:64 2:64 3:64 4:5 5:1; do # sums, maximum, broadcast, gather, barrier
    { notice "${call%:*}" "${call#*:}" && padded "${call#*:}" a; } >one
    wire "call-$call" 3 "${call%:*}" one one
    wire "other-$call" 4 "${call%:*}" one none
done
{ notice 2 8 && little 8 0 && for i in 1 2 3 4; do notice 3 8; done; } >one
wire agree 3 6 one one
{ notice 4 464 && padded 464 "" && notice 3 1392; } >one
wire split 3 7 one one
