#!/usr/bin/env python3
"""Measures how speed and memory of this program grow with the size of the work, on CPUs, beside their limits.

    tools/bench_growth.py                    measures all axes, writes experiments/records/peers/growth.json and plots
    tools/bench_growth.py --only slots       some axes: tokens, lengths, sizes, slots, ranks
    tools/bench_growth.py --draw             plots and table again from growth.json, without measuring

The limit of training is the fastest matrix product, measured for each axis, over the operations that the texts need; that of
decoding is the slower of this and of reading the decoder's weights once for a token of all slots, at the speed at which as
many processes read memory as the program has threads. The limit of two ranks is twice the speed of one with one thread. Memory
is the largest resident size of the process. growth.json is written after each measurement; the same command goes on after an
interruption. Needs Python alone.
"""

import argparse
import json
import multiprocessing
import os
import signal
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from peers import ours, plot, record
from peers.shapes import SHAPES

OUT = record.SOURCE / "experiments" / "records" / "peers"
BLOCK = 1 << 27  # bytes that a process reads again and again: more than caches hold


@dataclass
class Point:
    curve: str
    x: int
    options: list  # of tinythinker bench


@dataclass
class Axis:
    name: str
    title: str
    x_name: str
    points: list
    decoding: bool = False


def powers(low, high, times=2):
    while low <= high:
        yield low
        low *= times


def axes(toy=False):
    """Few steps, since each axis is to take a minute or two on two cores."""
    train = lambda shape, tokens, *more: ["--shape", shape, "--tokens", tokens, "--steps", 2 if shape == "tiny" else 1, *more]
    lengths = lambda n: ["--source-length", n, "--target-length", n]
    most = 512 if toy else 16384
    tokens = [Point("tiny", n, train("tiny", n)) for n in powers(256, most)]
    tokens += [Point("small", n, train("small", n)) for n in powers(256, most // 8)]
    length = [Point("tiny", n, train("tiny", most // 8, *lengths(n))) for n in powers(16, most // 16)]
    length += [Point("small", n, train("small", most // 16, *lengths(n))) for n in powers(16, most // 16, 4)]
    sizes = [Point("training", n, train(n, most // 64)) for n in (["tiny", "small"] if toy else SHAPES)]
    decoder = "tiny" if toy else "small"
    decode = lambda n: ["--work", "generation", "--greedy", "--shape", decoder, "--slots", n, "--prompts", max(n, 4),
                        "--source-length", 16, "--new-tokens", 32, "--steps", 1]
    return [
        Axis("tokens", "Training by tokens of a batch", "target tokens of a batch", tokens),
        Axis("lengths", "Training by length of texts", "tokens of each source and of each target", length),
        Axis("sizes", "Training by size of the model", "parameters", sizes),
        Axis("slots", "Greedy decoding by slots", "sequences decoded at a time",
             [Point(decoder, n, decode(n)) for n in powers(1, 8 if toy else 512)], decoding=True),
        Axis("ranks", "Training by ranks", "ranks, one thread each", [Point("tiny", n, []) for n in (1, 2)])]


# Measuring

def read_memory(seconds):
    """Bytes a second. Looks for a byte that is not there: memchr reads memory at the speed of a core."""
    block = bytearray(b"\2") * BLOCK
    block.find(b"\1")
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        block.find(b"\1")
        done += BLOCK
    return done / (time.perf_counter() - began)


def leave_signals():
    """An interrupt from the keyboard reaches readers, too; the process that waits for them says what there is to say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def bandwidth(threads, seconds=1.0):
    """Bytes per second that as many processes read together."""
    try:
        with ProcessPoolExecutor(threads, multiprocessing.get_context("fork"), leave_signals) as pool:
            return sum(pool.map(read_memory, [seconds] * threads))
    except (BrokenProcessPool, MemoryError) as error:
        raise record.Failed(
            f"one of {threads} processes that read {BLOCK >> 20} MiB each ended before its time; is memory short?") from error


def measure_ranks(program, ranks, steps):
    """Ranks that meet by a file, one thread each, train the everyday student; tokens per second from the logged times."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"output": folder, "name": "ranks", "threads": 1, "precision": "fp32", "device": "cpu",
                    "acquisition.steps": steps, "acquisition.log_every": 1, "acquisition.validate_every": 0,
                    "acquisition.validation_questions": 1, "evaluation.splits": "[]"}
        command = [program, "run", record.SOURCE / "configs" / "everyday.yaml"]
        command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        meet = {"TT_WORLD": str(ranks), "TT_RENDEZVOUS": f"{folder}/meet"} if ranks > 1 else {}
        load, began = record.load(), record.now()
        done = record.run_all([(command, meet and meet | {"TT_RANK": str(r)}) for r in range(ranks)], record.environment())
        with open(Path(folder, "ranks", "metrics.jsonl"), encoding="utf-8") as file:
            lines = [m for m in map(json.loads, file) if m.get("phase") == "acquisition" and "loss" in m]
    first, last = lines[4], lines[-1]  # tokens and seconds since the start; the first steps grow buffers
    return {"began": began, "load": load, "wall_seconds": round(max(d.seconds for d in done), 1),
            "memory_bytes": max(d.memory for d in done),
            "tokens_per_second": (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"])}


def measure_axis(axis, args, program, threads, kept):
    """What is not there yet. The peak is measured before and, where something was, behind; the higher one counts."""
    missing = [p for p in axis.points if str(p.x) not in kept.get(axis.name, "points", p.curve)]
    if not missing:
        return
    before = kept.get(axis.name, "limits")
    fastest = lambda: 1e9 * args.peak or ours.peak(program, threads)
    peak = 0 if axis.name == "ranks" else max(fastest(), before.get("peak_flops_per_second", 0))
    speed = max(bandwidth(threads), before.get("bytes_per_second", 0)) if axis.decoding else 0
    for point in missing:
        if axis.name == "ranks":
            result = measure_ranks(program, point.x, 12 if args.toy else 60)
        else:
            result = ours.bench(program, threads, *point.options, peak_=peak)
        kept.put({"peak_flops_per_second": peak, "bytes_per_second": speed}, axis.name, "limits")
        kept.put(result, axis.name, "points", point.curve, str(point.x))
        print(f"{axis.name} {point.x}, {point.curve}: {result['tokens_per_second']:,.0f} tokens/s, "
              f"{result['memory_bytes'] / 1e6:,.0f} MB ({result['wall_seconds']:.0f} s, load {result['load']})", flush=True)
    if peak:
        kept.put({"peak_flops_per_second": max(peak, fastest()),
                  "bytes_per_second": max(speed, bandwidth(threads)) if speed else 0}, axis.name, "limits")


# Plots and table

def limit_of(axis, x, result, limits, points):
    """Tokens per second that cannot be passed."""
    if axis.name == "ranks":
        return int(x) * points["1"]["tokens_per_second"]
    arithmetic = limits["peak_flops_per_second"] * result["tokens"] / result["flops"]
    if not axis.decoding:
        return arithmetic
    weights = SHAPES["tiny" if result["parameters"] < 1e7 else "small"].decoder_weights()
    return min(arithmetic, int(x) * limits["bytes_per_second"] / (4 * weights))


def position(axis, x, result):
    return result["parameters"] if axis.name == "sizes" else int(x)


def check(data, path):
    """Whether what was measured has the form that measure_axis() gives it."""
    for name, axis in data["measured"].items():
        if not isinstance(axis, dict) or not isinstance(axis.get("points", {}), dict):
            raise record.Failed(f"{path}: {name}: no points; --fresh starts anew")
        record.check_results(path, name, {"limits": {"load": 0} | axis.get("limits", {})},
                             {"peak_flops_per_second", "bytes_per_second"})
        keys = {"tokens_per_second", "memory_bytes"} | (set() if name == "ranks" else {"tokens", "flops", "parameters"})
        for curve, results in axis.get("points", {}).items():
            record.check_results(path, f"{name}, {curve}", results, keys)


def measured_axes(data):
    for axis in axes():
        kept = data["measured"].get(axis.name, {})
        curves_ = {name: points for name, points in kept.get("points", {}).items() if "1" in points or axis.name != "ranks"}
        if curves_:
            yield axis, curves_, kept["limits"]


def draw_axis(out, axis, curves_, limits):
    speed = plot.Panel("tokens per second")
    memory = plot.Panel("memory, MB", height=150)
    names = {}
    for i, (name, points) in enumerate(curves_.items()):
        colour = plot.COLOURS[i]
        order = sorted(points.items(), key=lambda p: position(axis, *p))
        at = lambda value: [(position(axis, x, r), value(x, r)) for x, r in order]
        speed.curves += [plot.Curve(name, at(lambda x, r: r["tokens_per_second"]), colour),
                         plot.Curve(f"limit, {name}", at(lambda x, r: limit_of(axis, x, r, limits, points)), colour, limit=True)]
        memory.curves.append(plot.Curve(name, at(lambda x, r: r["memory_bytes"] / 1e6), colour))
        if axis.name == "sizes":
            names |= {r["parameters"]: f"{x}, {plot.number(r['parameters'])}" for x, r in order}
    plot.curves(out / f"growth-{axis.name}.svg", axis.title, axis.x_name, [speed, memory], names)


def table(data):
    lines = ["| axis | | tokens/s | of the limit | memory |", "|---|---|---|---|---|"]
    for axis, curves_, limits in measured_axes(data):
        for name, points in curves_.items():
            order = sorted(points.items(), key=lambda p: position(axis, *p))
            title = axis.title[0].lower() + axis.title[1:] + ("" if axis.name == "sizes" else f", {name}")
            for x, r in order:
                share = r["tokens_per_second"] / limit_of(axis, x, r, limits, points)
                at = x if axis.name == "sizes" else f"{int(x):,}"
                lines.append(f"| {title} | {at} | {r['tokens_per_second']:,.0f} | {100 * share:.0f} % | "
                             f"{r['memory_bytes'] / 1e6:,.0f} MB |")
                title = ""
    return "\n".join(lines)


def machine_line(data):
    axes_ = data["measured"].values()
    loads = [r["load"] for a in axes_ for c in a.get("points", {}).values() for r in c.values()]
    peaks = [a["limits"]["peak_flops_per_second"] / 1e9 for a in axes_ if a["limits"]["peak_flops_per_second"]]
    read = [a["limits"]["bytes_per_second"] / 1e9 for a in axes_ if a["limits"]["bytes_per_second"]]
    words = f"fastest products of the axes {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s; " if peaks else ""
    words += f"memory read at {max(read):.1f} GB/s; " if read else ""
    s = data["settings"]
    toy = " **Toy sizes: the numbers say nothing.**" if s.get("toy") else ""
    return (f"{data['machine']['processor']['name']}, {s['threads']} threads; {s['program']}; tools of commit {s['commit']}; "
            f"begun {data['began']}; {words}load averages {min(loads):.1f} to {max(loads):.1f}.{toy}")


def draw(out):
    data = record.read(out / "growth.json")
    check(data, out / "growth.json")
    if not list(measured_axes(data)):
        raise record.Failed(f"{out / 'growth.json'}: nothing is measured yet")
    images = []
    for axis, curves_, limits in measured_axes(data):
        draw_axis(out, axis, curves_, limits)
        images.append(f"![{axis.title}](growth-{axis.name}.svg)")
    record.put_between(out / "README.md", "growth machine", machine_line(data))
    record.put_between(out / "README.md", "growth", "\n".join([*images, "", table(data)]))


def work_through(args):
    every = axes(args.toy)
    words = [w for w in args.only.split(",") if w]
    unknown = sorted(set(words) - {a.name for a in every})
    if unknown:
        raise record.Failed(f"--only: no axis '{unknown[0]}'; axes: {', '.join(a.name for a in every)}")
    program, threads = ours.program(args.program), args.threads or len(os.sched_getaffinity(0))
    args.out.mkdir(parents=True, exist_ok=True)
    kept = record.Record(
        args.out / "growth.json",
        {"program": ours.version(program), "commit": record.commit(), "threads": threads, "toy": args.toy}, {}, args.fresh)
    for axis in every:
        if not words or axis.name in words:
            measure_axis(axis, args, program, threads, kept)
    draw(args.out)
    print(f"written to {args.out}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print axes and their points")
    parser.add_argument("--only", default="", metavar="AXES", help="tokens, lengths, sizes, slots, ranks; separated by commas")
    parser.add_argument("--fresh", action="store_true", help="measure anew, and replace growth.json")
    parser.add_argument("--draw", action="store_true", help="table and plots from growth.json alone")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of growth.json (default experiments/records/peers)")
    parser.add_argument("--program", help="tinythinker (default: $TINYTHINKER, build/default, build/ci)")
    parser.add_argument("--threads", type=record.at_least(0), default=0, help="threads of the program (default: all cores)")
    parser.add_argument("--peak", type=record.at_least(0, float), default=0, metavar="G",
                        help="GFLOP/s of the limit (default: measured for each axis)")
    parser.add_argument("--toy", action="store_true", help="tiny sizes, to try the tool: the numbers say nothing")
    args = parser.parse_args()
    if args.list:
        for axis in axes(args.toy):
            print(f"{axis.name}: {axis.title}: {', '.join(f'{p.curve} {p.x}' for p in axis.points)}")
    elif args.draw:
        draw(args.out)
    else:
        work_through(args)


if __name__ == "__main__":
    record.main_of(main)
