"""Engines: what computes the five operations of `kuberian.model.bert`.

An engine holds the weights in a form of its own. Each thread takes a worker from it; a worker owns its buffers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from kuberian.model.safetensors_file import Array


class Worker(Protocol):
    """One thread's share of an engine."""

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """Run BERT on the sequences of token ids of one of `Engine.batches` -> [tokens, hidden] each.

        The arrays are valid until the next call.
        """


class Engine(Protocol):
    """A checkpoint's weights, ready to compute."""

    description: str  # for people: "MKL 2026.2, float32"
    precision: str

    def batches(self, lengths: Sequence[int]) -> Iterator[range]:
        """Yield which sequences, by index, a worker is to take at each call; `lengths` are in tokens, sorted."""

    def worker(self) -> Worker:
        """Make a worker for the calling thread."""
