"""Trains in PyTorch what a run of ours trained, from the same weights on the same batches, and compares.

    golden_curves.py RUN_DIRECTORY START.h5 CORPUS.h5 OUT_DIRECTORY

RUN_DIRECTORY has metrics.jsonl with a line for every step of an acquisition with interval 1, dropout 0 and
fp32. Batches follow from the seed: the order of an epoch is a Fisher-Yates shuffle by Philox4x32-10, written
here a second time. Writes losses.csv and losses.svg; fails if a loss differs by more than one in a thousand.

For comparison PyTorch also trains from weights that differ by a rounding (1e-7): what part of a difference is
the problem's own sensitivity shows there. It grows with the learning rate: at 1e-3 two such runs of PyTorch
are 4 % apart within 35 steps, at 1e-4 they stay together.
"""

import csv
import json
import math
import os
import sys

import h5py
import numpy as np
import torch
from transformers import T5Config, T5ForConditionalGeneration

BOUND = 1e-3
MASK32, MASK64 = 2**32 - 1, 2**64 - 1
FOR_ORDER = 3
STAGES = ["recall", "analyze", "summarize"]


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK64
    return x ^ (x >> 31)


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK32, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK32]
        k = [(k[0] + 0x9E3779B9) & MASK32, (k[1] + 0xBB67AE85) & MASK32]
    return c


def order_of(n, seed, stream, epoch):
    key = mix(mix(mix(seed) ^ FOR_ORDER) ^ 0)
    key = (key & MASK32, key >> 32)

    def words():
        block = 0
        while True:
            yield from philox([block, stream, epoch & MASK32, epoch >> 32], key)
            block += 1

    word, order = words(), list(range(n))
    for i in range(n - 1, 0, -1):
        reject = 2**32 % (i + 1)
        x = next(word)
        while x < reject:
            x = next(word)
        j = x % (i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def read_model(path):
    with h5py.File(path) as file:
        a = {k: v.item() if hasattr(v, "item") else v for k, v in file["model"].attrs.items()}
        weights = {k: torch.tensor(file["model"][k][()]) for k in file["model"]}
    config = T5Config(
        **{k: a[k] for k in ["vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers",
                             "num_heads", "relative_attention_num_buckets", "relative_attention_max_distance",
                             "layer_norm_epsilon"]},
        dropout_rate=0.0, feed_forward_proj="gated-gelu" if a["gated_gelu"] else "relu",
        tie_word_embeddings=bool(a["tie_word_embeddings"]), decoder_start_token_id=0)
    model = T5ForConditionalGeneration(config)
    own = dict(model.named_parameters())
    assert own.keys() == weights.keys(), own.keys() ^ weights.keys()
    with torch.no_grad():
        for key, p in own.items():
            p.copy_(weights[key].reshape(p.shape))
    return model.eval()


def read_stage(corpus, stage):
    group = corpus[f"stages/{stage}"]
    ids, offsets = group["ids"][()], group["offsets"][()]
    return [(ids[offsets[2 * i]:offsets[2 * i + 1]].tolist(), ids[offsets[2 * i + 1]:offsets[2 * i + 2]].tolist())
            for i in range((len(offsets) - 1) // 2)]


def padded(sequences, fill):
    width = max(map(len, sequences))
    return torch.tensor([s + [fill] * (width - len(s)) for s in sequences])


def rate(step, total, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def train(model, stages, steps, batch_size, seed, peak, warmup, clip):
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    taken = {s: 0 for s in stages}  # batches of a stage so far
    losses = []
    for step, stage in enumerate(steps):
        data = stages[stage]
        batches = -(-len(data) // batch_size)
        epoch, batch = divmod(taken[stage], batches)
        taken[stage] += 1
        order = order_of(len(data), seed, STAGES.index(stage), epoch)
        examples = [data[i] for i in order[batch * batch_size:(batch + 1) * batch_size]]
        inputs = padded([e[0] for e in examples], 0)
        labels = padded([e[1] for e in examples], -100)
        for group in optimizer.param_groups:
            group["lr"] = rate(step, len(steps), warmup, peak)
        optimizer.zero_grad()
        mask = torch.zeros_like(inputs)
        for i, e in enumerate(examples):
            mask[i, : len(e[0])] = 1
        loss = model(input_ids=inputs, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    return losses


def settings_of(run):
    """The acquisition's settings from the resolved configuration: numbers two spaces deep."""
    out, section = {}, ""
    with open(os.path.join(run, "config.yaml")) as f:
        for line in f:
            key, _, value = line.strip().partition(": ")
            section = section if line.startswith(" ") else line.split(":")[0]
            if section in ("seed", "acquisition"):
                out[key] = value
    return {k: float(out[k]) for k in ["seed", "batch_size", "learning_rate", "warmup", "clip"]}


def svg(path, steps, ours, theirs, control):
    """Two panels: the losses of the stages, theirs drawn over ours, and the relative difference."""
    width, height, left, right = 760, 250, 70, 20
    x = lambda i: left + (width - left - right) * i / (len(ours) - 1)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {2 * height + 40}" '
           'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>']

    def panel(top, low, high, log, title, label):
        scale = (lambda v: math.log10(v)) if log else (lambda v: v)
        y = lambda v: top + 30 + (height - 60) * (1 - (scale(v) - scale(low)) / (scale(high) - scale(low)))
        out.append(f'<text x="{left}" y="{top + 16}" font-weight="bold">{title}</text>')
        ticks = [10.0 ** e for e in range(int(math.log10(low)), int(math.log10(high)) + 1)] if log else \
            [low + (high - low) * k / 4 for k in range(5)]
        for t in ticks:
            out.append(f'<line x1="{left}" x2="{width - right}" y1="{y(t):.1f}" y2="{y(t):.1f}" stroke="#ddd"/>'
                       f'<text x="{left - 8}" y="{y(t) + 4:.1f}" text-anchor="end">{label(t)}</text>')
        for i in range(0, len(ours) + 1, 50):
            out.append(f'<text x="{x(min(i, len(ours) - 1)):.1f}" y="{top + height - 10}" '
                       f'text-anchor="middle">{i}</text>')
        return y

    def line(y, points, colour, thick, dash=""):
        path_ = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in points)
        out.append(f'<polyline points="{path_}" fill="none" stroke="{colour}" stroke-width="{thick}" {dash}/>')

    y = panel(0, 0, math.ceil(max(ours + theirs)), False, "Loss: ours (wide) and PyTorch's (dashed), by step",
              lambda t: f"{t:.1f}")
    for stage, colour in [("recall", "#9ec5e8"), ("summarize", "#f4c28a")]:
        line(y, [(i, v) for i, v in enumerate(ours) if steps[i] == stage], colour, 5)
        line(y, [(i, v) for i, v in enumerate(theirs) if steps[i] == stage], "#222", 1.2, 'stroke-dasharray="4 3"')
    y = panel(height + 20, 1e-8, 1e-2, True, f"Relative difference to PyTorch: ours (blue), PyTorch's "
              f"own from weights moved by 1e-7 (grey); bound {BOUND:g}", lambda t: f"{t:.0e}")
    for losses, colour in [(control, "#999"), (ours, "#0072b2")]:
        line(y, [(i, max(abs(a - b) / b, 1e-8)) for i, (a, b) in enumerate(zip(losses, theirs))], colour, 1.5)
    line(y, [(0, BOUND), (len(ours) - 1, BOUND)], "#d55e00", 1.5, 'stroke-dasharray="6 4"')
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out))


def main():
    run, start, corpus, out = sys.argv[1:]
    with open(os.path.join(run, "metrics.jsonl")) as f:
        lines = [m for m in map(json.loads, f) if m.get("phase") == "acquisition" and "loss" in m]
    assert [m["step"] for m in lines] == list(range(1, len(lines) + 1)), "every step must be logged"
    steps, ours = [m["stage"] for m in lines], [m["loss"] for m in lines]
    with h5py.File(corpus) as file:
        stages = {s: read_stage(file, s) for s in set(steps)}
    torch.set_num_threads(2)
    s = settings_of(run)
    how = (stages, steps, int(s["batch_size"]), int(s["seed"]), s["learning_rate"],
           round(s["warmup"] * len(steps)), s["clip"])
    theirs = train(read_model(start), *how)
    moved = read_model(start)
    torch.manual_seed(1)
    with torch.no_grad():
        for p in moved.parameters():
            p *= 1 + 1e-7 * torch.randn_like(p)
    control = train(moved, *how)
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "losses.csv"), "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["step", "stage", "ours", "pytorch", "pytorch_moved", "relative_difference"])
        for i, (stage, a, b, c) in enumerate(zip(steps, ours, theirs, control)):
            writer.writerow([i + 1, stage, f"{a:.9g}", f"{b:.9g}", f"{c:.9g}", f"{abs(a - b) / b:.3g}"])
    svg(os.path.join(out, "losses.svg"), steps, ours, theirs, control)
    worst = max(abs(a - b) / b for a, b in zip(ours, theirs))
    own = max(abs(a - b) / b for a, b in zip(control, theirs))
    print(f"{len(ours)} steps on {', '.join(f'{len(d)} {s} examples' for s, d in stages.items())}: "
          f"largest relative difference {worst:.2g}, bound {BOUND:g} "
          f"(PyTorch from weights moved by 1e-7: {own:.2g}); loss {ours[0]:.3f} -> "
          f"{np.mean(ours[-20:]):.3f} (mean of the last 20)")
    sys.exit(not worst <= BOUND)


if __name__ == "__main__":
    main()
