"""Loads adapters of ours with PEFT, on an export of their base, and compares with the merged export.

    golden_adapters.py BASE ADAPTERS MERGED

The three are directories that `model export` wrote. Logits and merged weights must agree but for rounding, and the
adapters must not be zero. PEFT, which would fill in what is missing, must find every tensor.
"""

import sys
import tempfile

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import T5ForConditionalGeneration


def distance(a, b):
    return ((a - b).norm() / b.norm()).item()


base, adapters, merged = sys.argv[1:]
ours = load_file(f"{adapters}/adapter_model.safetensors")
whole = T5ForConditionalGeneration.from_pretrained(merged).eval()
plain = T5ForConditionalGeneration.from_pretrained(base).eval()
ids = torch.arange(3, 60).reshape(3, 19)
call = {"input_ids": ids, "decoder_input_ids": ids[:, :7]}
with torch.no_grad():
    want, before = whole(**call).logits, plain(**call).logits
    student = PeftModel.from_pretrained(plain, adapters).eval()
    got = student(**call).logits
assert distance(before, want) > 1e-3, "the adapters change nothing"
assert distance(got, want) <= 1e-5, f"logits are {distance(got, want):.2g} away"

with tempfile.TemporaryDirectory() as folder:
    student.save_pretrained(folder)
    theirs = load_file(f"{folder}/adapter_model.safetensors")
assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
assert all(torch.equal(ours[key], theirs[key]) for key in ours)

worst = 0
for key, w in student.merge_and_unload().named_parameters():
    worst = max(worst, distance(w, dict(whole.named_parameters())[key]))
assert worst <= 1e-6, f"merged weights are {worst:.2g} away"
print(f"PEFT reads {adapters}: {len(ours)} tensors; logits {distance(got, want):.1g} away, merged weights {worst:.1g}")
