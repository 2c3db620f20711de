#!/usr/bin/env python3
"""Times one program alone and two at once on the same cores, with three ways of waiting for other threads.

  experiments/records/shared/measure.py RUN [REPETITIONS]   RUN: directory of a finished run of configs/everyday.yaml
"""
import os
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


def seconds(commands, way):
    variables = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")} | WAYS[way]
    began = time.monotonic()
    running = [subprocess.Popen(c, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for c in commands]
    if any(process.wait() for process in running):
        sys.exit(f"failed: {' '.join(commands[0])}")
    return time.monotonic() - began


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    repetitions = int(sys.argv[2]) if len(sys.argv) == 3 else 3
    with tempfile.TemporaryDirectory() as folder:
        for work in (evaluation, training):
            for way in WAYS:
                for number in (1, 2):
                    commands = [work(sys.argv[1], f"{folder}/{i}") for i in range(number)]
                    times = [seconds(commands, way) for _ in range(repetitions)]
                    print(f"{work.__name__:10} {way:8} {number} at once: {statistics.median(times):6.2f} s  "
                          f"({' '.join(f'{t:.2f}' for t in sorted(times))})", flush=True)


if __name__ == "__main__":
    main()
