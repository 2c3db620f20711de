#!/usr/bin/env python3
"""Times one program alone and two at once on the same cores, with three ways of waiting for other threads, in turns.

  experiments/records/shared/measure.py RUN [REPETITIONS]   RUN: directory of a finished run of configs/everyday.yaml

A turn in which other programs took more than a twentieth of the cores says little; how many there were is printed.
"""
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = os.environ.get("TINYTHINKER", "build/default/tinythinker")
WAYS = {"default": {"GOMP_SPINCOUNT": "300000"}, "ours": {}, "passive": {"OMP_WAIT_POLICY": "passive"}}


def evaluation(run, _):
    return [PROGRAM, "eval", "--model", f"{run}/best.h5", "--corpus", f"{run}/corpus.h5", "--limit", "300"]


def training(_, output):
    settings = {"output": output, "acquisition.steps": 60, "acquisition.validate_every": 60,
                "evaluation.questions": 10, "acquisition.validation_questions": 10}
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return [PROGRAM, "run", "configs/everyday.yaml", "--fresh", *sets]


def busy():
    """Seconds of processor that all programs of the machine have taken."""
    with open("/proc/stat", encoding="utf-8") as file:
        ticks = [int(x) for x in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def own():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds(commands, way):
    """Of the clock, and the share of the cores that others had meanwhile."""
    variables = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")} | WAYS[way]
    began, all_before, own_before = time.monotonic(), busy(), own()
    running = [subprocess.Popen(c, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for c in commands]
    if any([process.wait() for process in running]):
        sys.exit(f"failed: {' '.join(commands[0])}")
    took = time.monotonic() - began
    return took, (busy() - all_before - own() + own_before) / took / os.cpu_count()


def measure(work, run, folder, repetitions):
    times, disturbed = {(way, number): [] for number in (1, 2) for way in WAYS}, 0
    for _ in range(repetitions):
        for (way, number), taken in times.items():
            took, others = seconds([work(run, f"{folder}/{i}") for i in range(number)], way)
            taken.append(took)
            disturbed += others > 0.05
    for (way, number), taken in times.items():
        to_default = statistics.median(t / d for t, d in zip(taken, times["default", number]))
        print(f"{work.__name__:10} {way:8} {number} at once: {statistics.median(taken):6.2f} s, "
              f"{to_default:.3f} of default in the same turn  ({' '.join(f'{t:.2f}' for t in sorted(taken))})")
    print(f"{work.__name__:10} {disturbed} of {repetitions * len(times)} disturbed by others", flush=True)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        for work in (evaluation, training):
            measure(work, sys.argv[1], folder, int(sys.argv[2]) if len(sys.argv) == 3 else 3)


if __name__ == "__main__":
    main()
