"""Stems of words, by the same tokenizer that wrote the full text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from kuberian.store import fulltext

# Texts to keep the stems of, at some 200 bytes each.
MOST_REMEMBERED = 1 << 17


class Stemmer:
    """Takes texts apart into stems as full text does, through one thread's connection.

    `kept` are the stems of earlier texts, by text. Threads may share it.
    """

    def __init__(self, connection: sqlite3.Connection, kept: dict[str, tuple[str, ...]] | None = None) -> None:
        self._connection = connection
        self._kept = {} if kept is None else kept

    def stems(self, texts: Iterable[str]) -> list[tuple[str, ...]]:
        """Return the stems of each text, in order. A compound identifier counts whole and in parts."""
        texts = list(texts)
        stems_of = {text: stems for text in texts if (stems := self._kept.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in stems_of]
        if new:
            stems_of.update(zip(new, fulltext.stems(self._connection, new), strict=True))
            if len(self._kept) + len(new) > MOST_REMEMBERED:
                self._kept.clear()
            self._kept.update(stems_of)
        return [stems_of[text] for text in texts]
