"""Damage to a home: found, named, and set aside so that an index run can rebuild from git."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from kuberian.store import apart, checksums
from kuberian.store.clock import stamp
from kuberian.store.columns import from_column
from kuberian.store.folder import HomeFolder
from kuberian.store.texts import inflate

# A reader that meets damage leaves this file. Then the next writer examines everything first.
SUSPECT = "kuberian.suspect"

# Vectors have unit length; float16 keeps it to 0.1 %.
LENGTH_TOLERANCE = 0.01


def cut_short(home: HomeFolder) -> str | None:
    """Say how much a database lacks at its end, by the page count in its header; None if it seems to be whole."""
    (content,) = apart.read([home.database])
    state = home.state()
    if content is None or state is None or len(content.head) < 100 or state.log_bytes:
        return None  # the log may be on its way into the database
    header, size = content.head, state.size
    page = struct.unpack(">H", header[16:18])[0]
    expected = (65536 if page == 1 else page) * struct.unpack(">I", header[28:32])[0]
    is_counted = header[24:28] == header[92:96]  # else the page count is out of date
    return f"{size:,} of {expected:,} bytes" if is_counted and size < expected else None


def reason(home: HomeFolder, error: sqlite3.DatabaseError) -> str:
    """Return what is wrong with a database that SQLite refuses."""
    short = cut_short(home)
    return f"it is cut short: {short}" if short else str(error)


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with one file of a home. The path is relative to the home."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def examine(home: HomeFolder, connection: sqlite3.Connection) -> list[Damage]:
    """Read everything in a home, and return what is wrong."""
    database = home.database.name
    damages = []
    try:
        names = [f"{home.vectors.name}/{file.name}" for file in home.vector_files()]
        damages += [
            Damage(name, "its bytes are not those that Kuberian wrote")
            for name in (database, *names)
            if checksums.damaged(home.folder, name, thorough=True)
        ]
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        damages += [Damage(database, problem) for problem in problems if problem != "ok"]
        for blob_id, content in connection.execute("SELECT id, content FROM blobs WHERE content IS NOT NULL"):
            try:
                inflate(content)
            except sqlite3.DatabaseError as error:
                damages.append(Damage(database, f"blob {blob_id}: {error}"))
        damages += [Damage(database, problem) for problem in _lacking(connection)]
        for model_id, dimension in connection.execute("SELECT id, dimension FROM models").fetchall():
            cursor = connection.execute("SELECT vector FROM embeddings WHERE model_id = ?", (model_id,))
            bad = 0
            while rows := cursor.fetchmany(4096):
                bad += _bad_vectors(rows, dimension)
            if bad:
                damages.append(Damage(database, f"{bad} embeddings do not have unit length"))
    except sqlite3.DatabaseError as error:
        damages.append(Damage(database, str(error)))
    return damages


def _lacking(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield which chunks and full-text rows are missing, and which full-text rows are of nothing."""
    for blob_id, written, there in connection.execute(
        """
        SELECT id, chunks, (SELECT count(*) FROM chunks WHERE blob_id = blobs.id) AS there FROM blobs
        WHERE chunks IS NOT NULL AND chunks != there
        """
    ):
        yield f"blob {blob_id} has {there} of its {written} chunks"
    for table, of_table in (("chunk_words", "chunks"), ("path_words", "paths")):
        count = connection.execute(
            f"""
            SELECT (SELECT count(*) FROM {of_table} WHERE id NOT IN (SELECT id FROM {table}_docsize))
                + (SELECT count(*) FROM {table}_docsize WHERE id NOT IN (SELECT id FROM {of_table}))
            """
        ).fetchone()[0]
        if count:
            yield f"{count} {of_table} do not have the full-text row that is theirs"


def _bad_vectors(rows: list[tuple[bytes]], dimension: int) -> int:
    import numpy as np

    whole = [row[0] for row in rows if isinstance(row[0], bytes) and len(row[0]) == 2 * dimension]
    vectors = np.frombuffer(b"".join(whole), "<f2").astype(np.float32).reshape(len(whole), dimension)
    lengths = np.linalg.norm(vectors, axis=1)
    return len(rows) - int((np.abs(lengths - 1) < LENGTH_TOLERANCE).sum())  # NaN is not near 1


def suspect(home: HomeFolder) -> None:
    """Note that a reader has met damage, if the home may be written."""
    with suppress(OSError):
        (home.folder / SUSPECT).touch()


def is_suspect(home: HomeFolder) -> bool:
    """Tell whether a reader has met damage."""
    return (home.folder / SUSPECT).exists()


def clear(home: HomeFolder) -> None:
    """Remove the note."""
    (home.folder / SUSPECT).unlink(missing_ok=True)


def known_paths(home: HomeFolder) -> list[str]:
    """Return the folders of the repositories in a damaged database, as far as they can be read."""
    return _still_readable(home, "SELECT path FROM repositories ORDER BY name")


def known_checkpoints(home: HomeFolder) -> list[str]:
    """Return the folders of the checkpoints in a damaged database likewise, without the bundled one."""
    return _still_readable(home, "SELECT DISTINCT path FROM models WHERE path IS NOT NULL ORDER BY id")


def _still_readable(home: HomeFolder, query: str) -> list[str]:
    try:
        with closing(sqlite3.connect(f"{home.database.as_uri()}?mode=ro", uri=True)) as connection:
            return [from_column(row[0]) for row in connection.execute(query)]
    except (sqlite3.Error, TypeError):
        return []


def set_aside(home: HomeFolder) -> str:
    """Move the database away, so that a new one can be made; return its new name."""
    name = f"{home.database.name}.damaged-{stamp()}"
    home.database.rename(home.folder / name)
    for end in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            home.database.with_name(home.database.name + end).rename(home.folder / (name + end))
    checksums.forget(home.folder, home.database.name)
    clear(home)
    return name
