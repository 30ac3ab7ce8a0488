"""How large a model's activations get: what eight-bit products must know beforehand.

The ranges are seen by running BERT in float32 on real texts, once per checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kuberian.bert import Embeddings, Linear, Model
from kuberian.engines.numpy_engine import NumpyWorker
from kuberian.safetensors_file import Array


@dataclass(frozen=True)
class Ranges:
    """What a layer's activations were seen to be: least and greatest, per channel."""

    x: Array  # [2, hidden], into query, key, value
    qk: Array  # [2], greatest magnitude of scaled queries and of keys
    context: Array  # [2, hidden], out of the attention (values without bias)
    middle: Array  # [2, hidden], into the feed-forward
    h: Array  # [2, intermediate], behind GELU


NAMES = ("x", "qk", "context", "middle", "h")


class Calibrator(NumpyWorker):
    """Runs BERT in float32 and remembers the ranges of its activations."""

    def __init__(self, embeddings: Embeddings, model: Model) -> None:
        super().__init__(embeddings, model)
        self._layer_of = {id(getattr(layer, name)): (i, name) for i, layer in enumerate(model.layers)
                          for name in ("qkv", "attention_output", "intermediate", "output")}  # fmt: skip
        self._seen: dict[tuple[int, str], Array] = {}

    def _note(self, layer: int, name: str, x: Array) -> None:
        seen = np.stack([x.min(0), x.max(0)])
        key = (layer, name)
        if key in self._seen:
            before = self._seen[key]
            seen = np.stack([np.minimum(before[0], seen[0]), np.maximum(before[1], seen[1])])
        self._seen[key] = seen

    def linear(self, x: Array, weights: Linear) -> Array:
        """Note the range of what goes in, and of queries and keys."""
        layer, name = self._layer_of[id(weights)]
        self._note(layer, {"qkv": "x", "attention_output": "context", "intermediate": "middle", "output": "h"}[name], x)
        y = super().linear(x, weights)
        if name == "qkv":
            q, k, _ = np.split(np.abs(y), 3, axis=1)
            self._note(layer, "qk", np.array([[q.max(), k.max()]], np.float32))
        return y

    def ranges(self) -> list[Ranges]:
        """What was seen so far, layer by layer."""
        return [
            Ranges(**{name: self._seen[i, name][1] if name == "qk" else self._seen[i, name] for name in NAMES})
            for i in range(self.config.layers)
        ]


def calibrate(embeddings: Embeddings, model: Model, sequences: list[list[int]]) -> list[Ranges]:
    """Ranges of a model's activations over some token sequences."""
    calibrator = Calibrator(embeddings, model)
    for ids in sequences:
        calibrator.token_vectors([ids])
    return calibrator.ranges()
