"""Measures CTranslate2 on prompts that `tinythinker bench --texts` wrote; prints one JSON object.

    python -m peers.ctranslate convert HUGGING_FACE_DIRECTORY OUT
    python -m peers.ctranslate measure --model OUT --texts FILE.jsonl --type float32|int8|bfloat16 ...
"""

import argparse
import json
import time
from pathlib import Path

import ctranslate2

SPECIAL = ["<pad>", "</s>", "<unk>"]  # T5's first ids


def convert(directory, out):
    """The converter's own vocabulary has tokens twice where the tokenizer has fewer than the model: a token is called by its
    number instead."""
    ctranslate2.converters.TransformersConverter(directory).convert(out, force=True)
    vocabulary = Path(out) / "shared_vocabulary.json"
    size = len(json.loads(vocabulary.read_text(encoding="utf-8")))
    vocabulary.write_text(json.dumps(SPECIAL + [str(i) for i in range(len(SPECIAL), size)]), encoding="utf-8")


def word_of(number):
    return SPECIAL[number] if number < len(SPECIAL) else str(number)


def number_of(word):
    return SPECIAL.index(word) if word in SPECIAL else int(word)


def measure(args):
    """Batches of --slots texts; CTranslate2 sorts the prompts by length itself."""
    sources = json.loads(open(args.texts, encoding="utf-8").readline())["sources"]
    prompts = [[word_of(i) for i in source] for source in sources]
    translator = ctranslate2.Translator(
        args.model, device="cpu", compute_type=args.type, inter_threads=1, intra_threads=args.threads)
    how = {"beam_size": 1, "max_batch_size": max(1, args.slots // max(1, args.samples)), "batch_type": "examples",
           "max_decoding_length": args.new_tokens, "min_decoding_length": args.new_tokens, "max_input_length": 0}
    if args.samples:
        how |= {"sampling_topk": 0, "sampling_topp": 0.95, "num_hypotheses": args.samples}
    translator.translate_batch(
        prompts[:how["max_batch_size"]], **how | {"max_decoding_length": 2, "min_decoding_length": 2})  # warms up
    began = time.perf_counter()
    results = translator.translate_batch(prompts, **how)
    seconds = time.perf_counter() - began
    tokens = sum(len(h) for r in results for h in r.hypotheses)
    return {
        "seconds": [seconds], "tokens": [tokens], "texts": [list(map(number_of, r.hypotheses[0])) for r in results]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("convert")
    make.add_argument("directory")
    make.add_argument("out")
    time_ = commands.add_parser("measure")
    time_.add_argument("--model", required=True)
    time_.add_argument("--texts", required=True)
    time_.add_argument("--threads", type=int, required=True)
    time_.add_argument("--type", default="float32")
    time_.add_argument("--slots", type=int, default=128)
    time_.add_argument("--samples", type=int, default=0, help="samples of each prompt; 0: greedy")
    time_.add_argument("--new-tokens", type=int, default=48)
    args = parser.parse_args()
    if args.command == "convert":
        convert(args.directory, args.out)
    else:
        print(json.dumps(measure(args)))


if __name__ == "__main__":
    main()
