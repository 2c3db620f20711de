"""Measures Hugging Face's T5 in PyTorch on texts that `tinythinker bench --texts` wrote; prints one JSON object.

    python -m peers.hugging_face --work training|preference|generation --shape small --texts FILE.jsonl ...
"""

import argparse
import json
import random
import time
import warnings

import torch
import transformers

from . import t5

GROUP = 50  # batches among which the trainer sorts texts by length


def read_texts(path):
    """Of each line: sources of the targets, and targets."""
    for line in open(path, encoding="utf-8"):
        item = json.loads(line)
        yield [item["sources"][s] for s in item["source_of"]], item["targets"]


def grouped(batches, seed=1):
    """As many batches, of texts that are near each other in length: the trainer's group_by_length. It sorts the texts of
    50 batches; here they are drawn from those of the given batches, and every so many of the sorted batches is taken."""
    texts = [pair for batch in batches for pair in zip(*batch)]
    size = round(len(texts) / len(batches))
    pool = sorted(random.Random(seed).choices(texts, k=GROUP * size), key=lambda pair: len(pair[0]))
    starts = [int((i + 0.5) * GROUP / len(batches)) * size for i in range(len(batches))]
    return [tuple(zip(*pool[s:s + size])) for s in starts]


def real_tokens(sources, targets, work):
    """The source of a pair counts once."""
    texts = 2 if work == "preference" else 1
    return sum(map(len, sources)) // texts + sum(map(len, targets))


def training(args):
    batches = [tuple(map(list, b)) for b in read_texts(args.texts)]
    if args.group:
        batches = grouped(batches)
    model = t5.model_of(args.shape).train()
    optimizer = t5.optimizer_of(model)
    run = torch.compile(model, dynamic=True) if args.mode == "compile" else model
    loss_of = t5.preference_loss if args.work == "preference" else t5.supervised_loss
    ready = [t5.batch_of(*b) for b in batches]
    tokens = [real_tokens(*b, args.work) for b in batches]
    padded = sum(b["input_ids"].numel() + b["labels"].numel() for b in ready)
    written = sum(len(s) + len(t) for b in batches for s, t in zip(*b))
    largest = max(range(len(ready)), key=lambda i: ready[i]["input_ids"].numel())
    # Memory and threads are ready after the largest batch; compiled code needs every shape once.
    warm = ready if args.mode == "compile" else [ready[largest]]
    seconds = []
    for batch in warm + ready:
        began = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            loss = loss_of(run, batch)
        t5.update(model, optimizer, loss)
        seconds.append(time.perf_counter() - began)
    return {
        "seconds": seconds[len(warm):], "tokens": tokens, "warm_up_seconds": sum(seconds[:len(warm)]),
        "padding": 1 - written / padded}


def generation(args):
    """Batches of --slots texts, of prompts that are sorted by length."""
    sources = json.loads(open(args.texts, encoding="utf-8").readline())["sources"]
    model = transformers.T5ForConditionalGeneration.from_pretrained(args.model).eval()
    if args.precision == "bf16":
        model = model.to(torch.bfloat16)
    how = {"max_new_tokens": args.new_tokens, "min_new_tokens": args.new_tokens, "num_beams": 1}
    how |= {"do_sample": True, "top_p": 0.95, "top_k": 0, "temperature": 1.0, "num_return_sequences": args.samples} \
        if args.samples else {"do_sample": False}
    size = max(1, args.slots // max(1, args.samples))
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))

    def write(numbers, **more):
        source = t5.padded([sources[i] for i in numbers], 0, "cpu")
        with torch.no_grad():
            return model.generate(input_ids=source, attention_mask=(source != 0).long(), **how | more)[:, 1:].tolist()

    write(order[:size], max_new_tokens=2, min_new_tokens=2)  # warms up
    texts, began = {}, time.perf_counter()
    for at in range(0, len(order), size):
        numbers = order[at:at + size]
        rows = write(numbers)
        texts |= {i: rows[k * len(rows) // len(numbers)] for k, i in enumerate(numbers)}
    seconds = time.perf_counter() - began
    tokens = len(sources) * max(1, args.samples) * args.new_tokens
    return {"seconds": [seconds], "tokens": [tokens], "texts": [texts[i] for i in range(len(sources))]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=["training", "preference", "generation"], required=True)
    parser.add_argument("--shape", choices=t5.SHAPES, help="training: a random model of this shape")
    parser.add_argument("--model", help="generation: Hugging Face directory")
    parser.add_argument("--texts", required=True, help="what `tinythinker bench --texts` wrote")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--group", action="store_true", help="training: batches of texts of near lengths")
    parser.add_argument("--slots", type=int, default=128, help="generation: texts of a batch")
    parser.add_argument("--samples", type=int, default=0, help="generation: samples of each prompt; 0: greedy")
    parser.add_argument("--new-tokens", type=int, default=48)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    print(json.dumps((generation if args.work == "generation" else training)(args)))


if __name__ == "__main__":
    main()
