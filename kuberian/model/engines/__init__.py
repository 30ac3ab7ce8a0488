"""Engines: what computes the few operations of `kuberian.model.bert`.

An engine holds the weights in the form it likes; each thread takes a worker from it, which owns the buffers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from kuberian.model.safetensors_file import Array


class Worker(Protocol):
    """One thread's share of an engine."""

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> list[Array]:
        """Run BERT on sequences of token ids, one of `Engine.batches` -> [tokens, hidden] each, until the next call."""


class Engine(Protocol):
    """A checkpoint's weights, ready to compute."""

    description: str  # for people: "MKL 2026.2, float32"
    precision: str

    def batches(self, lengths: Sequence[int]) -> Iterator[range]:
        """Share out sequences, sorted by length, over calls of a worker: yields the indices of each call."""

    def worker(self) -> Worker:
        """Make a worker for the calling thread."""
