#!/usr/bin/env python3
"""Cuts texts by the tokenizers package on one core, for comparison with `tinythinker tokenizer encode`.

    tools/bench_tokenizer.py tokenizer.json TEXTS... [-o ids.jsonl] [--batch 1000] [--program build/default/tinythinker --rounds 5]

With --program both take turns, A B A B: the table says the seconds of one core of each round, their ratio, and whether the ids
are the same. The packages: tools/requirements-golden.txt (tokenizers comes with transformers).
"""
import argparse, gc, json, os, re, subprocess, sys, tempfile, time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers  # noqa: E402, behind the variables that it reads


def read(paths):
    texts = []
    for path in paths:
        with open(path, encoding="utf-8", newline="\n") as file:
            texts += [line.rstrip("\n").rstrip("\r") for line in file]
    return texts


def encode(tokenizer, texts, batch):
    """The ids of each text, and the CPU seconds of this process."""
    ids, seconds = [], 0.0
    gc.disable()
    for i in range(0, len(texts), batch):
        began = time.process_time()
        encodings = tokenizer.encode_batch_fast(texts[i : i + batch])
        seconds += time.process_time() - began
        ids += [encoding.ids for encoding in encodings]
    return ids, seconds


def ours(program, model, paths):
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as out:
        said = subprocess.run([program, "tokenizer", "encode", model, *paths, "-o", out.name], check=True,
                              capture_output=True, text=True).stdout
        with open(out.name) as file:
            return [json.loads(line) for line in file], float(re.search(r"one core: ([\d.]+) s", said)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts", nargs="+")
    parser.add_argument("-o", help="write the ids, a list a line")
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--program", help="compare with this program")
    parser.add_argument("--program-model", help="the tokenizer that the program reads (default: the same file)")
    parser.add_argument("--rounds", type=int, default=5)
    a = parser.parse_args()
    tokenizer, texts = tokenizers.Tokenizer.from_file(a.model), read(a.texts)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    print(f"tokenizers {tokenizers.__version__}, {len(texts)} texts")
    for k in range(a.rounds if a.program else 1):
        ids, seconds = encode(tokenizer, texts, a.batch)
        tokens = sum(map(len, ids))
        line = f"tokenizers {seconds:.2f} s, {1e-6 * tokens / seconds:.2f} million tokens/s"
        if a.program:
            own, own_seconds = ours(a.program, a.program_model or a.model, a.texts)
            differ = sum(x != y for x, y in zip(ids, own)) + abs(len(ids) - len(own))
            line += f"; tinythinker {own_seconds:.2f} s; ratio {seconds / own_seconds:.2f}; {differ} texts differ"
        print(line, flush=True)
    if a.o:
        with open(a.o, "w") as file:
            for row in ids:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    sys.exit(main())
