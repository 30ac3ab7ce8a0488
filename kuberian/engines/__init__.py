"""Engines: what computes the few operations of `kuberian.bert`.

An engine holds the weights in the form it likes; each thread takes a worker from it, which owns the buffers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kuberian.safetensors_file import Array


class Worker(Protocol):
    """One thread's share of an engine."""

    def token_vectors(self, sequences: Sequence[Sequence[int]]) -> Array:
        """Run BERT on packed sequences of token ids -> [tokens, hidden], valid until the next call."""


class Engine(Protocol):
    """A checkpoint's weights, ready to compute."""

    description: str  # for people: "MKL 2026.2, float32"
    precision: str

    def worker(self) -> Worker:
        """Make a worker for the calling thread."""
