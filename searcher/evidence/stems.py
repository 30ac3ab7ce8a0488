"""Stems of words, by the very tokenizer that full text was written with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from kuberian.store.texts import storable
from kuberian.words import TOKENIZER, searchable


class Stemmer:
    """Takes texts apart into stems as full text does. Remembers what it has seen."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, tuple[str, ...]] = {}

    def stems(self, texts: Iterable[str]) -> list[tuple[str, ...]]:
        """Return the stems of each text in order, of compound identifiers whole and in parts."""
        texts = list(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._tokenize(new)
        return [self._known[text] for text in texts]

    def _tokenize(self, texts: list[str]) -> None:
        for statement in (
            f'CREATE VIRTUAL TABLE IF NOT EXISTS temp.stem_texts USING fts5(text, tokenize="{TOKENIZER}")',
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.stems USING fts5vocab(temp, stem_texts, instance)",
            "DELETE FROM temp.stem_texts",
        ):
            self._connection.execute(statement)
        self._connection.executemany(
            "INSERT INTO temp.stem_texts(rowid, text) VALUES(?, ?)",
            [(number, searchable(storable(text))) for number, text in enumerate(texts)],
        )
        found: list[list[str]] = [[] for _ in texts]
        for term, number in self._connection.execute("SELECT term, doc FROM temp.stems ORDER BY doc, offset"):
            found[number].append(term)
        self._known.update((text, tuple(stems)) for text, stems in zip(texts, found, strict=True))
