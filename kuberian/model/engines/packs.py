"""Sequences that are worked on at a time, end to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Tokens of short texts that are run together: enough rows for a fast product, few enough for the cache.
PACK = 256


def packs(lengths: Sequence[int], most: int = PACK) -> Iterator[range]:
    """Yield the indices of neighbours with at most so many tokens together, or of one sequence that has more."""
    first, tokens = 0, 0
    for i, length in enumerate(lengths):
        if i > first and tokens + length > most:
            yield range(first, i)
            first, tokens = i, 0
        tokens += length
    if first < len(lengths):
        yield range(first, len(lengths))
