"""Random weights whose greedy texts are worth comparing. Needs Python alone."""

import array
import json
import struct
import sys
from pathlib import Path


def shrink_embedding(directory, factor):
    """Multiplies the embedding of a Hugging Face directory. With the usual random weights, the embedding of the last token
    outweighs all layers, so that a greedy text repeats its first token; with small ones the layers choose."""
    path = Path(directory) / "model.safetensors"
    content = bytearray(path.read_bytes())
    size = struct.unpack_from("<Q", content)[0]
    tensor = json.loads(content[8:8 + size])["shared.weight"]
    assert tensor["dtype"] == "F32" and sys.byteorder == "little", tensor
    first, last = (8 + size + at for at in tensor["data_offsets"])
    weights = array.array("f", bytes(content[first:last]))
    content[first:last] = array.array("f", (w * factor for w in weights)).tobytes()
    path.write_bytes(content)
