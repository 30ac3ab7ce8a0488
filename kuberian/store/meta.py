"""Facts about a home as a whole: which words its full-text rows have, and which state its snapshots are in."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass

_WORDS = "words"
_GENERATION = "generation"

# Tables whose ids only grow: the greatest id ever given tells whether a row was added.
_GROWING = ("blobs", "chunks", "embeddings", "vector_files")


@dataclass(frozen=True, slots=True)
class State:
    """What answers depend on. As long as it is equal, no answer of a home can change.

    `snapshots` is a random number, a new one after every change of a snapshot. `last_ids` are the greatest ids of
    blobs, chunks, embeddings and FAISS files.
    """

    snapshots: int
    last_ids: tuple[int, ...]

    def has_all_of(self, other: State) -> bool:
        """Tell whether it has the same snapshots as another state, and all rows of the other."""
        return self.snapshots == other.snapshots and all(
            mine >= theirs for mine, theirs in zip(self.last_ids, other.last_ids, strict=True)
        )


def words_version(connection: sqlite3.Connection) -> int | None:
    """Return the version of `kuberian.words` that made the full-text rows; None where there are none yet."""
    return _value(connection, _WORDS)


def set_words_version(connection: sqlite3.Connection, version: int) -> None:
    """Note the version of `kuberian.words` that made the full-text rows."""
    _set(connection, _WORDS, version)


def state(connection: sqlite3.Connection) -> State:
    """Return the state of a home. Takes microseconds, whatever its size."""
    marks = ",".join("?" * len(_GROWING))
    last = dict(connection.execute(f"SELECT name, seq FROM sqlite_sequence WHERE name IN ({marks})", _GROWING))
    return State(_value(connection, _GENERATION) or 0, tuple(last.get(table, 0) for table in _GROWING))


def note_change(connection: sqlite3.Connection) -> None:
    """Note that a snapshot was changed. Call it in the transaction of the change."""
    _set(connection, _GENERATION, random.getrandbits(63))


def _value(connection: sqlite3.Connection, name: str) -> int | None:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def _set(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute("INSERT OR REPLACE INTO meta(name, value) VALUES(?, ?)", (name, value))
