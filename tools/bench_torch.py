#!/usr/bin/env python3
"""Speed of Hugging Face's T5 on the work that `tinythinker bench` measures, for comparison.

    bench_torch.py --shape base --work training|preference|generation|attention --mode eager|compile|layers --rival usual|packed

Random models and random tokens, sequences as long as there (sources of 20 to 150 tokens, targets of 8 to 60,
generation of --new-tokens for ten samples of each prompt). Batches are padded to their longest sequence, as is usual;
tokens are counted without padding. Training: weights in fp32, computation in bf16 by autocast, fused AdamW, clipped
norm. Preference: DPO with the NLL of chosen texts as TRL did it for encoder-decoders: each pair's prompt is encoded
for both texts, the reference's log-probabilities are given. The rival `packed` (bench_packed.py) trains without
padding by FlexAttention, which is compiled in every mode, and encodes each prompt once; --check compares it with the
usual one on the CPU. The mode `compile` compiles the whole model, which can take minutes; `layers`, of the usual rival's
training, an encoder and a decoder layer, whose code all layers share. Generation: weights in bf16. Attention: PyTorch's
fused attention without bias and dropout on --tokens tokens in sequences of 512, forward and backward, in bf16. Prints one
JSON object.
"""

import argparse
import json
import random
import statistics
import time

import torch
import transformers

import bench_packed
from peers import t5
from peers.shapes import SHAPES

SAMPLES = 10


def ids(rng, low, high, vocab):
    return [rng.randint(3, vocab - 1) for _ in range(rng.randint(low, high) - 1)] + [1]


def multiple_of(args):
    """Compiled code is kept for few lengths."""
    return 1 if args.mode == "eager" else 32


def batch_of(rng, args, texts):
    """A fixed number of texts, of 34 tokens on average: compiled code is for one number."""
    vocab = SHAPES[args.shape].vocabulary
    sources, targets = [], []
    for _ in range(max(1, round(args.tokens / (34 * texts)))):
        source = ids(rng, 20, 150, vocab)
        for _ in range(texts):
            sources.append(source)
            targets.append(ids(rng, 8, 60, vocab))
    tokens = sum(map(len, targets))
    real_sources = sum(map(len, sources)) // texts  # a prompt is counted once
    counts = {"target_tokens": tokens, "tokens": tokens + real_sources}
    if args.rival == "packed":
        step = bench_packed.BLOCK if args.mode == "eager" else 1024
        source_of = [i // texts for i in range(len(targets))]
        return {**bench_packed.pack(sources[::texts], targets, source_of, step, args.device), **counts}
    return {**t5.batch_of(sources, targets, args.device, multiple_of(args)), **counts}


def loss_of(model, batch, work, bf16=True):
    with torch.autocast(batch["labels"].device.type, dtype=torch.bfloat16, enabled=bf16):
        if "source" not in batch:
            return (t5.preference_loss if work == "preference" else t5.supervised_loss)(model, batch)
        losses = model(batch)
    if work == "training":
        return losses.sum() / batch["target_tokens"]
    nll, tokens = bench_packed.chosen_nll(losses, batch)
    return t5.dpo(bench_packed.log_probabilities(losses, batch)) + t5.NLL * nll / tokens


def wait(args):
    if args.device != "cpu":
        torch.cuda.synchronize()


def training(args, model):
    rng = random.Random(1)
    model.train()
    optimizer = t5.optimizer_of(model)
    run = bench_packed.PackedT5(model, args.device) if args.rival == "packed" else model
    if args.mode == "compile":
        run = torch.compile(run, dynamic=False)
    if args.mode == "layers":
        for block in [*model.encoder.block, *model.decoder.block]:
            block.compile(dynamic=False)
    batches = [batch_of(rng, args, 2 if args.work == "preference" else 1) for _ in range(args.steps)]
    seconds = []
    for i in list(range(args.steps)) * 2:  # the first round warms up, and compiles every shape
        wait(args)
        started = time.perf_counter()
        t5.update(model, optimizer, loss_of(run, batches[i], args.work))
        wait(args)
        seconds.append(time.perf_counter() - started)
    seconds = seconds[args.steps:]
    return {
        "step_seconds": spread(seconds),
        "target_tokens_per_second": spread([b["target_tokens"] / s for b, s in zip(batches, seconds)]),
        "tokens_per_second": spread([b["tokens"] / s for b, s in zip(batches, seconds)])}


def generation(args, model):
    rng = random.Random(1)
    vocab = SHAPES[args.shape].vocabulary
    model = model.to(torch.bfloat16).eval()
    if args.mode == "compile":
        model.generation_config.cache_implementation = "static"
        model.forward = torch.compile(model.forward, dynamic=False)
    source = t5.padded([ids(rng, 20, 150, vocab) for _ in range(args.prompts)], 0, args.device, multiple_of(args))
    seconds, tokens = [], []
    for i in range(args.steps + 2):
        wait(args)
        started = time.perf_counter()
        with torch.no_grad():
            out = model.generate(
                input_ids=source, attention_mask=(source != 0).long(), do_sample=True, top_p=0.95, top_k=0,
                num_return_sequences=SAMPLES, min_new_tokens=args.new_tokens, max_new_tokens=args.new_tokens)
        wait(args)
        if i >= 2:
            seconds.append(time.perf_counter() - started)
            tokens.append(out.shape[0] * (out.shape[1] - 1))
    return {
        "prompts": args.prompts, "samples": SAMPLES, "new_tokens": statistics.mean(tokens),
        "step_seconds": spread(seconds), "new_tokens_per_second": spread([n / s for n, s in zip(tokens, seconds)])}


def repeated(args, work):
    """Seconds of one call, as a spread over the steps; each measures as many calls as take 5 ms."""
    def measure(times):
        wait(args)
        started = time.perf_counter()
        for _ in range(times):
            work()
        wait(args)
        return (time.perf_counter() - started) / times
    measure(3)
    times = max(1, min(200, int(5e-3 / measure(1))))
    return spread([measure(times) for _ in range(args.steps)])


def attention(args):
    length, of = 512, SHAPES[args.shape]
    shape = (max(1, args.tokens // length), of.heads, min(length, args.tokens), of.d_kv)
    tensors = [torch.rand(shape, device=args.device, dtype=torch.bfloat16) - 0.5 for _ in range(4)]
    q, k, v = (t.requires_grad_() for t in tensors[:3])

    def forward():
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=1.0)

    out = forward()
    return {
        "tokens": args.tokens, "forward_seconds": repeated(args, forward),
        "backward_seconds": repeated(
            args, lambda: torch.autograd.grad(out, (q, k, v), tensors[3], retain_graph=True))}


def check(args):
    """Both rivals on the same batches, in fp32: losses and gradients."""
    differences = {}
    for work, texts in (("training", 1), ("preference", 2)):
        gradients, losses = [], []
        for args.rival in ("usual", "packed"):
            model = t5.model_of(args.shape, args.dropout, args.device).eval()
            with torch.no_grad():  # biases of all sizes, and logits that are far from uniform
                for stack in (model.encoder, model.decoder):
                    stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight.normal_()
            run = bench_packed.PackedT5(model, args.device) if args.rival == "packed" else model
            batch = batch_of(random.Random(1), args, texts)
            loss_of(run, batch, work, bf16=False).backward()
            with torch.no_grad():
                losses.append(loss_of(run, batch, work, bf16=False).item())
            gradients.append({name: p.grad for name, p in model.named_parameters()})
        worst = max((a - gradients[1][name]).norm().item() / a.norm().item() for name, a in gradients[0].items())
        differences[work] = {"losses": losses, "worst_gradient": worst}
        assert abs(losses[0] - losses[1]) < 1e-5 * abs(losses[0]) and worst < 1e-4, (work, losses, worst)
    return differences


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--work", choices=["training", "preference", "generation", "attention"], default="training")
    parser.add_argument("--mode", choices=["eager", "compile", "layers"], default="eager")
    parser.add_argument("--rival", choices=["usual", "packed"], default="usual")
    parser.add_argument("--check", action="store_true", help="whether both rivals compute the same, on the CPU")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=16384, help="target tokens of a batch, about")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=48)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--json", action="store_true", help="what it prints is JSON anyway")
    args = parser.parse_args()
    if args.mode == "layers" and (args.rival == "packed" or args.work not in ("training", "preference")):
        parser.error("--mode layers: training and preference of the usual rival only")
    torch.backends.cuda.matmul.allow_tf32 = True
    if args.check:
        args.shape, args.device, args.tokens = "tiny", "cpu", 300
        measured = check(args)
    elif args.work == "attention":
        measured = attention(args)
    elif args.work == "generation":
        measured = generation(args, t5.model_of(args.shape, args.dropout, args.device))
    else:
        measured = training(args, t5.model_of(args.shape, args.dropout, args.device))
    card = torch.cuda.get_device_name() if args.device != "cpu" else "cpu"
    print(json.dumps({
        "torch": torch.__version__, "transformers": transformers.__version__, "card": card, "shape": args.shape,
        "work": args.work, "mode": args.mode, "rival": args.rival, **measured}, indent=2))


if __name__ == "__main__":
    main()
