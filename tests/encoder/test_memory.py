"""Memory does not grow with the number of texts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kuberian import Encoder

TEXTS = 100_000


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_over_many_chunks() -> None:
    encoder = Encoder()
    texts = [f"def f{i}(x):\n" + "    return x + 1\n" * (i % 7) for i in range(10_000)]
    for _ in range(2):  # kernels and buffers for every length, on every thread
        encoder.encode(texts)
    before = resident_mb()
    for _ in range(TEXTS // len(texts)):
        encoder.encode(texts)
    assert resident_mb() - before < 20
