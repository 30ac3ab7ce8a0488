"""BERT's operations on oneDNN, in float32, bfloat16 or bytes: generated kernels with everything fused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuberian.bert import Embeddings, Model, embed_tokens
from kuberian.engines.onednn_program import Program, Workspace, padded
from kuberian.engines.onednn_weights import PackedModel
from kuberian.onednn import OneDnn
from kuberian.quantization import ByteModel
from kuberian.safetensors_file import Array


class OneDnnEngine:
    """Weights that all workers share."""

    def __init__(self, embeddings: Embeddings, layers: Model | ByteModel, library: OneDnn, precision: str) -> None:
        """Take `layers` in float32, for float32 and bfloat16, or in bytes for int8."""
        self.precision, self.description = precision, f"oneDNN {library.version}, {precision}"
        self._model = PackedModel(embeddings, layers, library, precision)

    def worker(self) -> OneDnnWorker:
        """Make a worker for the calling thread."""
        return OneDnnWorker(self._model)


class OneDnnWorker:
    """A workspace, and a program per length that came up."""

    def __init__(self, model: PackedModel) -> None:
        self._model, self._workspace = model, Workspace(model)
        self._programs: dict[int, Program] = {}
        self._out = np.empty((0, model.config.hidden), np.float32)

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> Array:
        """Run BERT on each sequence of token ids -> [tokens, hidden], valid until the next call."""
        self._model.library.single_threaded()  # a worker may come to another thread than the one it was made in
        if len(sequences) == 1:
            return self._run(sequences[0])
        total = sum(map(len, sequences))
        if len(self._out) < total:
            self._out = np.empty((total, self._model.config.hidden), np.float32)
        start = 0
        for ids in sequences:
            self._out[start : start + len(ids)] = self._run(ids)
            start += len(ids)
        return self._out[:total]

    def _run(self, ids: Sequence[int]) -> Array:
        n, x = len(ids), self._workspace.x
        rows = padded(n)
        program = self._programs.get(rows)
        if program is None:
            program = self._programs[rows] = Program(self._workspace, rows)
        embed_tokens(self._model.embeddings, [ids], out=x)
        x[n:rows] = 0
        program.run(n)
        return x[:n]
