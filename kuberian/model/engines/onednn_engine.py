"""BERT's operations on oneDNN, in float32, bfloat16 or bytes: generated kernels with everything fused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kuberian.model.bert import Embeddings, FoldedModel, embed_tokens
from kuberian.model.engines.onednn_program import MAX_ROWS, Program, Workspace, padded
from kuberian.model.engines.onednn_weights import PackedModel
from kuberian.model.int8.quantization import ByteModel
from kuberian.model.native.onednn import OneDnn
from kuberian.model.safetensors_file import Array


class OneDnnEngine:
    """The weights, which all workers share."""

    def __init__(self, embeddings: Embeddings, model: FoldedModel | ByteModel, library: OneDnn, precision: str) -> None:
        """Take the model in float32, for float32 and bfloat16, or in bytes for int8."""
        self.precision, self.description = precision, f"oneDNN {library.version}, {precision}"
        self._model = PackedModel(embeddings, model, library, precision)

    def batches(self, lengths: Sequence[int]) -> Iterator[range]:
        """Yield the indices of texts to run together: 1, 2, 4 … of one padded length, so that programs are few."""
        first = 0
        while first < len(lengths):
            length, count = padded(lengths[first]), 1
            while (
                2 * count * length <= MAX_ROWS
                and first + 2 * count <= len(lengths)
                and padded(lengths[first + 2 * count - 1]) == length
            ):
                count *= 2
            yield range(first, first + count)
            first += count

    def worker(self) -> OneDnnWorker:
        """Make a worker for the calling thread."""
        return OneDnnWorker(self._model)


class OneDnnWorker:
    """A workspace, and a program per shape that came up."""

    def __init__(self, model: PackedModel) -> None:
        self._model, self._workspace = model, Workspace(model)
        self._programs: dict[tuple[int, int], Program] = {}

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """Run BERT on sequences of token ids -> [tokens, hidden] each, valid until the next call.

        The sequences must have one padded length.
        """
        self._model.library.single_threaded()  # a worker may run in another thread than the one that made it
        lengths = list(map(len, sequences))
        shape = padded(lengths[0]), len(sequences)
        program = self._programs.get(shape)
        if program is None:
            program = self._programs[shape] = Program(self._workspace, *shape)
        padded_parts = np.split(self._workspace.x[: shape[0] * shape[1]], shape[1])
        for ids, x in zip(sequences, padded_parts, strict=True):
            embed_tokens(self._model.embeddings, [ids], out=x)
            x[len(ids) :] = 0
        program.run(lengths)
        return [x[:n] for x, n in zip(padded_parts, lengths, strict=True)]
