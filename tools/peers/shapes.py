"""Shapes of T5, by the names that `tinythinker bench --shape` takes. Needs Python alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    d_model: int
    d_kv: int
    d_ff: int
    layers: int  # of the encoder, and as many of the decoder
    heads: int
    vocabulary: int

    def decoder_weights(self):
        """Weights that a decoded token needs. Keys and values of the prompt are made once for a text."""
        attention = self.d_model * self.d_kv * self.heads
        layer = 4 * attention + 2 * attention + 2 * self.d_model * self.d_ff
        return self.layers * layer + self.vocabulary * self.d_model


SHAPES = {
    "tiny": Shape(128, 32, 512, 2, 4, 1024),
    "small": Shape(512, 64, 2048, 6, 8, 32128),
    "base": Shape(768, 64, 3072, 12, 12, 32128),
    "large": Shape(1024, 64, 4096, 24, 16, 32128),
}
