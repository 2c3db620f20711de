"""For peers.sh: a `tinythinker` or a Python with packages, by its first argument, that measures nothing and says numbers.
Each call is a line of $SAID; $FAIL names a command that fails, $READY lets what compiles end, $VERSION and $TORCH are versions."""

import json
import os
import struct
import sys
import time

who, words = sys.argv[1], sys.argv[2:]
line = " ".join([who, *words])
with open(os.environ["SAID"], "a", encoding="utf-8") as log:
    log.write(line.replace("\n", " ") + " \n")


def after(option):
    return words[words.index(option) + 1] if option in words else ""


def safetensors():
    header = json.dumps({"shared.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<f", 1)


def bench():
    with open(after("--texts"), "w", encoding="utf-8") as file:
        json.dump({"shape": "small", "sources": [[5, 1]], "targets": [[7, 8]], "source_of": [0]}, file)
    speed, once = {"median": 200.0}, {"median": 1.0, "low": 1.0, "high": 1.0}
    shape = {"tokens_per_second": speed, "step_seconds": once, "share_of_peak": {"median": 0.5}, "flops": 1.0,
             "source_tokens": 1.0, "target_tokens": 1.0, "parameters": 1, "seconds_by_kind": {"gemm": 1.0}}
    if after("--work") == "generation":
        shape |= {"new_tokens_per_second": speed, "new_tokens": 2.0}
    print(json.dumps({"peak_flops_per_second": 1.0, "shapes": [shape]}))


if os.environ.get("FAIL", "nothing") in line:
    sys.exit("it fails")
if words[0] == "--version":
    print(os.environ.get("VERSION", "tinythinker 1"))
elif words[0] == "-c":
    print(json.dumps({"torch": os.environ.get("TORCH", "1"), "python": "Python 3"}))
elif words[:2] == ["model", "export"]:
    os.mkdir(after("-o"))
    with open(os.path.join(after("-o"), "model.safetensors"), "wb") as file:
        file.write(safetensors())
elif words[0] == "bench":
    bench()
elif words[0] == "-m" and words[2] != "convert":
    time.sleep(60 if after("--mode") == "compile" and "READY" not in os.environ else 0)
    print(json.dumps({"tokens": [100], "seconds": [1.0], "texts": [[7, 8]]}))
