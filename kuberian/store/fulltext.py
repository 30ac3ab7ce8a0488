"""The full-text rows of chunks and paths: their words, how they are written, removed and searched.

The tables keep no copy of the text (`content=''`), so to remove a row takes the same words that were written. The words
are a pure function of the chunk and of `kuberian.words`; `words.WORDS_VERSION` says when that function has changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from kuberian.store import meta
from kuberian.store.columns import from_column
from kuberian.store.connection import transaction
from kuberian.store.texts import inflate, lines_of, slice_lines, storable
from kuberian.words import TOKENIZER, WORDS_VERSION, is_run, pairs, searchable

_INSERT = "INSERT INTO chunk_words(rowid, symbol, signature, doc, code) VALUES(?, ?, ?, ?, ?)"
_DELETE = "INSERT INTO chunk_words(chunk_words, rowid, symbol, signature, doc, code) VALUES('delete', ?, ?, ?, ?, ?)"


# Characters. Of a longer line, which no person wrote, only the beginning is looked up: the name that data is given.
LONGEST_LINE = 2000
BEGINNING = 500

# The values of a row of `chunk_words`, without its id: symbol, signature, doc, code.
Columns = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class ChunkText:
    """What the full-text row of a chunk is made from."""

    symbol: str | None
    names: str  # as the column `chunks.names` has them
    signature: str | None
    doc: str | None
    code: str

    def columns(self) -> Columns:
        """Return the values of the full-text row, in its columns' order."""
        others = [named.name for named in defined(self.names) if named.symbol != self.symbol]
        symbol, signature, doc, code = (
            searchable(field) if field else ""
            for field in ("\n".join([self.symbol or "", *others]).strip(), self.signature, self.doc, _read(self.code))
        )
        return symbol, signature, doc, code


def _read(code: str) -> str:
    """Return the code without the ends of lines that nobody reads: an image in base64 is no words."""
    if len(code) <= LONGEST_LINE:
        return code
    return "\n".join(line if len(line) <= LONGEST_LINE else line[:BEGINNING] for line in code.split("\n"))


@dataclass(frozen=True, slots=True)
class Defined:
    """Something that a chunk defines: its kind, and its scope and name ("Server.Handler.serve")."""

    kind: str
    symbol: str

    @property
    def name(self) -> str:
        """The last part of the symbol."""
        return self.symbol.rpartition(".")[2] or self.symbol


def defined(stored: str) -> list[Defined]:
    """Return the definitions in a value of the column `chunks.names`."""
    lines = (line.partition(" ") for line in stored.split("\n")) if stored else ()
    return [Defined(kind, symbol) for kind, _, symbol in lines]


def own_names(stored: str) -> Iterator[str]:
    """Yield the names in a value of `chunks.names` without their scopes, but no names that are only exported again."""
    return (definition.name for definition in defined(stored) if definition.kind != "export")


def add_chunk(connection: sqlite3.Connection, chunk_id: int, columns: Columns) -> None:
    """Write a chunk's full-text row."""
    connection.execute(_INSERT, (chunk_id, *columns))


def remove_chunk(connection: sqlite3.Connection, chunk_id: int, columns: Columns) -> None:
    """Remove the full-text row that `add_chunk` wrote with the same values."""
    connection.execute(_DELETE, (chunk_id, *columns))


def has_chunk(connection: sqlite3.Connection, chunk_id: int) -> bool:
    """Tell whether a chunk has its full-text row. An interrupted run of an old version may have left a chunk without.

    Ask before `remove_chunk`: if FTS5 is told to remove a row that it does not have, its index is wrong from then on.
    """
    return connection.execute("SELECT 1 FROM chunk_words_docsize WHERE id = ?", (chunk_id,)).fetchone() is not None


def add_path(connection: sqlite3.Connection, path_id: int, path: str) -> None:
    """Write a path's full-text row."""
    connection.execute("INSERT INTO path_words(rowid, words) VALUES(?, ?)", (path_id, searchable(storable(path))))


def remove_path(connection: sqlite3.Connection, path_id: int, path: str) -> None:
    """Remove the full-text row that `add_path` wrote for the same path."""
    values = (path_id, searchable(storable(path)))
    connection.execute("INSERT INTO path_words(path_words, rowid, words) VALUES('delete', ?, ?)", values)


def chunk_texts(connection: sqlite3.Connection, blob_id: int) -> list[tuple[int, ChunkText]]:
    """Return the ids of a blob's chunks, and what their full-text rows are made from."""
    stored = connection.execute("SELECT content FROM blobs WHERE id = ?", (blob_id,)).fetchone()[0]
    lines = lines_of(inflate(stored)) if stored is not None else []
    rows = connection.execute(
        "SELECT id, symbol, names, signature, doc, start_line, end_line FROM chunks WHERE blob_id = ?", (blob_id,)
    ).fetchall()
    return [
        (chunk_id, ChunkText(symbol, names, signature, doc, slice_lines(lines, start, end)))
        for chunk_id, symbol, names, signature, doc, start, end in rows
    ]


def check_words(connection: sqlite3.Connection) -> None:
    """Write all full-text rows again if another version of `kuberian.words` made them."""
    if meta.words_version(connection) == WORDS_VERSION:
        return
    with transaction(connection):
        connection.execute("INSERT INTO chunk_words(chunk_words) VALUES('delete-all')")
        connection.execute("INSERT INTO path_words(path_words) VALUES('delete-all')")
        for (blob_id,) in connection.execute("SELECT id FROM blobs").fetchall():
            for chunk_id, chunk in chunk_texts(connection, blob_id):
                add_chunk(connection, chunk_id, chunk.columns())
        for path_id, stored in connection.execute("SELECT id, path FROM paths").fetchall():
            add_path(connection, path_id, from_column(stored))
        meta.set_words_version(connection, WORDS_VERSION)
        meta.note_change(connection)


def optimize(connection: sqlite3.Connection) -> None:
    """Merge what FTS5 has written piece by piece: that is smaller, and faster to search."""
    connection.execute("INSERT INTO chunk_words(chunk_words) VALUES('optimize')")


def term(word: str) -> str:
    """Return the full-text expression for a word.

    A run of a script without spaces is looked for by its pairs, as a phrase; a single letter of one, by the tokens that
    begin with it.
    """
    if is_run(word):
        return f'"{word}" *' if len(word) == 1 else '"{}"'.format(" ".join(pairs(word)))
    return '"{}"'.format(storable(word).replace('"', ""))


def chunks_with(connection: sqlite3.Connection, expression: str, first: int, last: int) -> Iterator[int]:
    """Yield the ids, from `first` to `last`, of the chunks that a full-text expression finds."""
    rows = connection.execute(
        "SELECT rowid FROM chunk_words WHERE chunk_words MATCH ? AND rowid BETWEEN ? AND ?", (expression, first, last)
    )
    return chain.from_iterable(rows.fetchall())


def paths_with(connection: sqlite3.Connection, expression: str) -> Iterator[int]:
    """Yield the ids of the paths that a full-text expression finds."""
    return chain.from_iterable(
        connection.execute("SELECT rowid FROM path_words WHERE path_words MATCH ?", (expression,)).fetchall()
    )


def stems(connection: sqlite3.Connection, texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the stems of texts, in order, as the tokenizer of the full-text tables makes them."""
    for statement in (
        f'CREATE VIRTUAL TABLE IF NOT EXISTS temp.stem_texts USING fts5(text, tokenize="{TOKENIZER}")',
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.stems USING fts5vocab(temp, stem_texts, instance)",
        "DELETE FROM temp.stem_texts",
    ):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO temp.stem_texts(rowid, text) VALUES(?, ?)",
        [(number, searchable(storable(text))) for number, text in enumerate(texts)],
    )
    stems_of: list[list[str]] = [[] for _ in texts]
    for stem, number in connection.execute("SELECT term, doc FROM temp.stems ORDER BY doc, offset"):
        stems_of[number].append(stem)
    return [tuple(of_text) for of_text in stems_of]
