"""What is embedded for a chunk: what it is called, what it says of itself, then its code."""

from __future__ import annotations

from indexer.chunks import Chunk

MAX_CHARS = 2400
"""More than the encoder's 256 tokens hold; bounds what one endless line costs to tokenize."""


def passage(chunk: Chunk, code: str, language: str | None) -> str:
    """The text that is embedded for `chunk`, whose lines are `code`.

    A function of the file's content alone, without its path, so that renaming a file embeds nothing again.
    """
    head = []
    if chunk.symbol and (chunk.scope or chunk.part > 1):
        head.append(f"{chunk.kind} {chunk.symbol}")
    return "\n".join([*head, code])[:MAX_CHARS]
