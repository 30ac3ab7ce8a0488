"""Which sequences an engine works on at a time, end to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Short texts are run together up to this many tokens: enough rows for a fast product, few enough for the cache.
PACK_TOKENS = 256


def packs(lengths: Sequence[int], max_tokens: int = PACK_TOKENS) -> Iterator[range]:
    """Yield the indices of neighbours that have at most max_tokens together, or of one sequence that has more."""
    first, tokens = 0, 0
    for i, length in enumerate(lengths):
        if i > first and tokens + length > max_tokens:
            yield range(first, i)
            first, tokens = i, 0
        tokens += length
    if first < len(lengths):
        yield range(first, len(lengths))
