"""`tinythinker bench`, measured. Needs Python alone."""

import json
import os
from pathlib import Path

from . import record


def program(given):
    """The program: as given, from the environment, or from a build of these sources."""
    places = [given or os.environ.get("TINYTHINKER")] if given or "TINYTHINKER" in os.environ else [
        record.SOURCE / "build" / preset / "tinythinker" for preset in ("default", "ci")]
    for place in places:
        if os.access(place, os.X_OK) and Path(place).is_file():
            return Path(place).resolve()
    raise record.Failed(
        f"{places[0]}: no such program; build it (cmake --preset default && cmake --build --preset default), or name it "
        "with --program")


def version(program_):
    return record.run([program_, "--version"]).output.strip().splitlines()[0]


def peak(program_, threads, precision="fp32"):
    """Floating-point operations per second of the fastest large product, now."""
    command = [program_, "bench", "--shape", "tiny", "--steps", "1", "--tokens", "16", "--json", "--threads", threads,
               "--precision", precision, "--device", "cpu"]
    return json.loads(record.run(command).output)["peak_flops_per_second"]


def bench(program_, threads, *options, peak_=None):
    """Runs bench with one shape; returns its JSON of that shape with memory, load and time beside it."""
    load, began = record.load(), record.now()
    given = ["--peak", peak_ / 1e9] if peak_ else []
    measured = record.run(
        [program_, "bench", "--json", "--device", "cpu", "--threads", threads, *given, *options])
    out = json.loads(measured.output)
    shape = out["shapes"][0]
    generation = "new_tokens_per_second" in shape
    return {
        "began": began, "load": load, "wall_seconds": round(measured.seconds, 1),
        "processor_seconds": round(measured.processor, 1), "memory_bytes": measured.memory,
        "tokens_per_second": shape["new_tokens_per_second" if generation else "tokens_per_second"]["median"],
        "step_seconds": shape["step_seconds"], "share_of_peak": shape["share_of_peak"]["median"],
        "peak_flops_per_second": out["peak_flops_per_second"], "flops": shape["flops"],
        "tokens": shape["new_tokens"] if generation else shape["source_tokens"] + shape["target_tokens"],
        "parameters": shape["parameters"], "seconds_by_kind": shape["seconds_by_kind"]}
