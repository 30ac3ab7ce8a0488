"""Stems of words, by the very tokenizer that full text was written with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from kuberian.store import fulltext

# Texts whose stems are remembered: some 200 bytes each.
MOST_REMEMBERED = 1 << 17


class Stemmer:
    """Takes texts apart into stems as full text does, through one thread's connection.

    `known` are the stems of texts that were asked for, by text. Other threads may share it.
    """

    def __init__(self, connection: sqlite3.Connection, known: dict[str, tuple[str, ...]] | None = None) -> None:
        self._connection = connection
        self._known = {} if known is None else known

    def stems(self, texts: Iterable[str]) -> list[tuple[str, ...]]:
        """Return the stems of each text in order, of compound identifiers whole and in parts."""
        texts = list(texts)
        found = {text: stems for text in texts if (stems := self._known.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            found.update(zip(new, fulltext.stems(self._connection, new), strict=True))
            if len(self._known) + len(new) > MOST_REMEMBERED:
                self._known.clear()
            self._known.update(found)
        return [found[text] for text in texts]
