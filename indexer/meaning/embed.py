"""The second phase, meaning: every passage of a snapshot without an embedding gets one.

A passage is known by its hash, so it is embedded only once, however many files, branches and repositories have it. Each
batch is committed as soon as it is embedded: a killed run loses one batch.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterator
from itertools import chain

from indexer.deadline import Deadline
from indexer.meaning.passages import outline_passage, passage, passage_hash, path_passage
from indexer.report import Progress
from kuberian.model.encoder import Encoder
from kuberian.store import chunks, embeddings
from kuberian.store.connection import transaction
from kuberian.store.passages import of_chunks_without_embedding, of_files_without_embedding

# Passages to hold and sort by length at a time: about 8 MB of text.
WINDOW = 4096
# Passages in one commit: one second of work on two cores, or two seconds without int8. A kill can cost as much. With
# half as many, threads wait for each other a tenth of the time.
BATCH = 128
# Passages in the first batch of a run that has to end in time: a fifth of a second in float32 on one core.
FIRST_BATCH = 8


def embed_chunks(
    connection: sqlite3.Connection,
    encoder: Encoder,
    model_id: int,
    snapshot_id: int,
    progress: Progress | None,
    deadline: Deadline,
) -> int:
    """Embed the passages of the snapshot's chunks, or as many as there is time for. Return how many were embedded."""
    chunk_ids = of_chunks_without_embedding(connection, model_id, snapshot_id)
    done = 0
    for start in range(0, len(chunk_ids), WINDOW):
        stored = chunks.with_code(connection, chunk_ids[start : start + WINDOW])
        for batch in _batches([(chunk.passage, passage(chunk, chunk.code)) for chunk in stored], deadline):
            _embed(connection, encoder, model_id, batch)
            done += len(batch)
            if progress is not None:
                progress("meaning", done, len(chunk_ids))
            if deadline.passed():
                return done
    return done


def embed_files(
    connection: sqlite3.Connection, encoder: Encoder, model_id: int, snapshot_id: int, deadline: Deadline
) -> None:
    """Embed the passages of the snapshot's paths and of its files' outlines, or as many as there is time for."""
    missing = of_files_without_embedding(connection, model_id, snapshot_id)
    of_paths = [(key, path_passage(path)) for key, path in missing.paths.items()]
    of_outlines = (
        [_outline(connection, blob_id) for blob_id in missing.outlines[start : start + WINDOW]]
        for start in range(0, len(missing.outlines), WINDOW)
    )
    for window in chain([of_paths], of_outlines):
        for batch in _batches(window, deadline):
            _embed(connection, encoder, model_id, batch)
            if deadline.passed():
                return


def _outline(connection: sqlite3.Connection, blob_id: int) -> tuple[bytes, str]:
    text = outline_passage(chunks.defined_in(connection, blob_id))
    return passage_hash(text), text


def _batches(passages: list[tuple[bytes, str]], deadline: Deadline) -> Iterator[list[tuple[bytes, str]]]:
    """Yield batches of passages of similar length, the longest first.

    With a deadline the first batch is small, and tells how many there is time for: somebody may be waiting.
    """
    ordered = sorted(passages, key=lambda item: -len(item[1]))
    size = BATCH if deadline.left() == math.inf else FIRST_BATCH
    first = 0
    while first < len(ordered):
        before = time.monotonic()
        yield ordered[first : first + size]
        first += size
        if deadline.left() < math.inf:
            in_time = size * deadline.left() / max(time.monotonic() - before, 1e-6)
            size = max(FIRST_BATCH, min(BATCH, int(in_time)))


def _embed(connection: sqlite3.Connection, encoder: Encoder, model_id: int, batch: list[tuple[bytes, str]]) -> None:
    vectors = encoder.encode([text for _, text in batch])
    with transaction(connection):
        embeddings.add(connection, model_id, [key for key, _ in batch], vectors)
