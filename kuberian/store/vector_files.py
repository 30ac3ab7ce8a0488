"""Writing the FAISS files of a home: in segments, so that memory holds one, and new embeddings rewrite one."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from kuberian.errors import HomeError
from kuberian.store import embeddings, models
from kuberian.store.clock import now
from kuberian.store.connection import transaction
from kuberian.store.folder import HomeFolder
from kuberian.store.vector_rows import FileRow, are_behind, current_files
from kuberian.store.vectors import EXACT_ROWS, import_faiss

# Rows of a file: 50 MB at 384 dimensions. Memory holds as much while one is written.
SEGMENT_ROWS = 1 << 17


def write_files(
    connection: sqlite3.Connection,
    home: HomeFolder,
    model_id: int,
    *,
    anew: bool = False,
    segment_rows: int = SEGMENT_ROWS,
    exact_rows: int = EXACT_ROWS,
) -> bool:
    """Bring a model's FAISS files up to date if they lag far enough behind. `anew`: write all again from SQLite.

    The last file is written again together with newer embeddings, until it has `segment_rows`. Signs are written if
    there are more than `exact_rows`. Returns whether a file was written. Raises HomeError on a full disk.
    """
    if not _can_be_named(home.vectors):
        return False
    if not anew and not are_behind(connection, home, model_id):
        return False
    files = [] if anew else current_files(connection, home, model_id)
    kept = [file for file in files if file.rows >= segment_rows or file is not files[-1]]
    start = kept[-1].last_embedding if kept else 0
    dimension = models.get(connection, model_id).dimension
    written = []
    for segment in _segments(connection, model_id, dimension, start, segment_rows):
        path = home.vectors / f"{model_id}-{uuid.uuid4().hex}.faiss"
        _write_durably(segment, path)
        written.append(FileRow(path, segment.ntotal, int(import_faiss().vector_to_array(segment.id_map)[-1])))
    if sum(file.rows for file in (*kept, *written)) > exact_rows:
        after = 0
        for file in (*kept, *written):
            if not file.signs.exists():
                _write_signs(connection, model_id, dimension, after, file)
            after = file.last_embedding
    with transaction(connection):
        names = [file.path.name for file in kept]
        marks = ",".join("?" * len(names))
        connection.execute(f"DELETE FROM vector_files WHERE model_id = ? AND file NOT IN ({marks})", (model_id, *names))
        connection.executemany(
            """
            INSERT INTO vector_files(model_id, file, rows, last_embedding, bytes, written_at) VALUES(?, ?, ?, ?, ?, ?)
            """,
            [
                (model_id, file.path.name, file.rows, file.last_embedding, file.path.stat().st_size, now())
                for file in written
            ],
        )
    remove_unused_files(connection, home)
    return True


def _can_be_named(folder: Path) -> bool:
    """Tell whether FAISS can be given the folder's name, which must be UTF-8. Else vectors are read from SQLite."""
    try:
        os.fspath(folder).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def remove_unused_files(connection: sqlite3.Connection, home: HomeFolder) -> None:
    """Delete the FAISS files that no row names: older ones, and ones that a killed run left half written."""
    used = {Path(row[0]).stem for row in connection.execute("SELECT file FROM vector_files")}
    for file in home.vector_files():
        if file.stem not in used:
            with suppress(OSError):  # on Windows, while a search has it open: the next run deletes it
                file.unlink(missing_ok=True)


def _segments(
    connection: sqlite3.Connection, model_id: int, dimension: int, last: int, segment_rows: int
) -> Iterator[Any]:
    """Yield FAISS indexes of the embeddings after an id. Each takes two passes: for the ranges, and for the codes."""
    faiss = import_faiss()
    while True:
        low, high = np.full(dimension, np.inf, np.float32), np.full(dimension, -np.inf, np.float32)
        for _, vectors in embeddings.batches(connection, model_id, dimension, last, segment_rows):
            low, high = np.minimum(low, vectors.min(axis=0)), np.maximum(high, vectors.max(axis=0))
        if not np.isfinite(low).all():
            return
        # Eight bits for each component, between its least and greatest value. That is half as large as in SQLite, and
        # exact enough to tell which rows to look up there.
        flat = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        flat.train(np.stack([low, high]))
        index = faiss.IndexIDMap(flat)
        for ids, vectors in embeddings.batches(connection, model_id, dimension, last, segment_rows):
            index.add_with_ids(vectors, ids)
        last = int(ids[-1])
        yield index


def _write_signs(connection: sqlite3.Connection, model_id: int, dimension: int, after: int, file: FileRow) -> None:
    """Write the signs of a file's vectors, the ones after an id. FAISS needs a multiple of 8 dimensions for them."""
    if dimension % 8:
        return
    signs = import_faiss().IndexBinaryFlat(dimension)
    for _, vectors in embeddings.batches(connection, model_id, dimension, after, file.rows):
        signs.add(np.packbits(vectors > 0, axis=1))
    _write_durably(signs, file.signs)


def _write_durably(index: Any, path: Path) -> None:
    faiss = import_faiss()
    write = faiss.write_index_binary if isinstance(index, faiss.IndexBinary) else faiss.write_index
    try:
        write(index, os.fspath(path))
        with path.open("rb") as file:
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:  # FAISS raises RuntimeError with the C library's reason
        path.unlink(missing_ok=True)
        if not path.parent.is_dir():
            raise HomeError(f"{path.parent} was deleted while it was written to: run `kuberian index` again") from error
        reason = error.strerror if isinstance(error, OSError) else str(error).strip().rpartition(": ")[2]
        raise HomeError(f"{path} cannot be written ({reason}): make room; what was embedded is kept") from error
