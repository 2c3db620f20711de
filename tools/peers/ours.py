"""`tinythinker bench`, measured. Needs Python alone."""

import os
import re
import shutil
from pathlib import Path

from . import record


def program(given):
    """The program: as given, from the environment, or from a build of these sources. A name without a folder is looked for in
    PATH."""
    named = given or os.environ.get("TINYTHINKER")
    places = [named] if named else [record.SOURCE / "build" / preset / "tinythinker" for preset in ("default", "ci")]
    for place in places:
        found = shutil.which(place)
        if found:
            return Path(found).resolve()
    raise record.Failed(
        f"{places[0]}: no such program; build it (cmake --preset default && cmake --build --preset default), or name it "
        "with --program")


def version(program_):
    """The first line of its --version. Says so where the program is of another commit than these sources."""
    line = record.run([program_, "--version"]).output.strip().partition("\n")[0]
    if not line.startswith("tinythinker "):
        raise record.Failed(f"{program_}: not tinythinker: its --version printed {line!r}")
    commit = re.search(r"\(([0-9a-f]{7,40})", line)
    sources = record.commit().rstrip("+")
    if commit and sources != "unknown" and not (sources.startswith(commit[1]) or commit[1].startswith(sources)):
        print(f"{program_} is of commit {commit[1]}, these sources are of {sources}: the record names both", flush=True)
    return line


def peak(program_, threads, precision="fp32"):
    """Floating-point operations per second of the fastest large product, now."""
    command = [program_, "bench", "--shape", "tiny", "--steps", "1", "--tokens", "16", "--json", "--threads", threads,
               "--precision", precision, "--device", "cpu"]
    return record.json_of(record.run(command), command)["peak_flops_per_second"]


def bench(program_, threads, *options, peak_=None):
    """Runs bench with one shape; returns its JSON of that shape with memory, load and time beside it."""
    load, began = record.load(), record.now()
    given = ["--peak", peak_ / 1e9] if peak_ else []
    command = [program_, "bench", "--json", "--device", "cpu", "--threads", threads, *given, *options]
    measured = record.run(command)
    out = record.json_of(measured, command)
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
