"""Which model an index run embeds with. The home remembers it for the next run.

The vectors of two precisions of a checkpoint could be compared. But all vectors of a snapshot have one precision: what
a search finds must not depend on the machine that embedded a chunk.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.meaning.passages import passage
from kuberian.errors import EngineError
from kuberian.git.repository import Repository
from kuberian.model.bundled import bundled_fingerprint
from kuberian.settings import expanded
from kuberian.store import chunks, models
from kuberian.store.folder import HomeFolder

if TYPE_CHECKING:
    from kuberian.model.encoder import Encoder

# Chunks to calibrate int8 on, for a checkpoint without an eight-bit form. It takes some twenty seconds, once.
CALIBRATION_CHUNKS = 160
# With fewer chunks the ranges are not exact enough, and float32 embeds such a small index in no time anyway.
MIN_CALIBRATION_CHUNKS = 32


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A checkpoint folder (None: the bundled one) and a precision.

    `is_required` tells whether the user named the precision; if not, another one may take its place. `last_id` is the
    id of the model if it is the one that the repository was last indexed with.
    """

    checkpoint: str | None
    precision: str
    is_required: bool
    last_id: int | None = None


def choose_model(
    connection: sqlite3.Connection, repository: Repository, checkpoint: str | None, precision: str | None
) -> ModelChoice:
    """Return the model that the user names, else the one of the repository's last run, else the default.

    Raises CheckpointError if the folder has no checkpoint that can be used.
    """
    last = models.last_of(connection, str(repository.root))
    folder = os.path.realpath(expanded(checkpoint)) if checkpoint else last.path if last else None
    fingerprint = _fingerprint(folder)
    is_same_folder = last is not None and folder == last.path
    wanted = precision or (last.precision if last and is_same_folder else "auto")
    is_last = last is not None and is_same_folder and (wanted, fingerprint) == (last.precision, last.fingerprint)
    return ModelChoice(folder, wanted, is_required=precision is not None, last_id=last.id if last and is_last else None)


def _fingerprint(checkpoint: str | None) -> str:
    if checkpoint is None:
        return bundled_fingerprint()
    from kuberian.model.checkpoint import open_checkpoint

    return open_checkpoint(checkpoint).fingerprint()


def open_encoder(connection: sqlite3.Connection, home: HomeFolder, snapshot_id: int, choice: ModelChoice) -> Encoder:
    """Return the encoder of a choice, calibrated on the snapshot's own chunks if int8 needs that.

    Raises EngineError if this machine does not have the precision that the user named. If the user named none, the best
    that this machine has takes its place, with a warning.
    """
    from kuberian.model.encoder import Encoder
    from kuberian.model.engines.choose import choose

    try:
        wanted = choose(choice.precision).precision
    except EngineError as error:
        if choice.is_required:
            raise
        warnings.warn(f"{error}: embedding anew with what this machine has", stacklevel=2)
        return open_encoder(connection, home, snapshot_id, ModelChoice(choice.checkpoint, "auto", is_required=False))
    calibration = _eight_bit(connection, home, snapshot_id, choice.checkpoint) if wanted == "int8" else None
    return Encoder(choice.checkpoint, choice.precision, calibration=calibration)


def model_id_of(connection: sqlite3.Connection, encoder: Encoder, checkpoint: str | None) -> int:
    """Return the id of the encoder's model, added if it is new. `checkpoint` is None for the bundled one."""
    return models.put(connection, encoder.name, checkpoint, encoder.fingerprint, encoder.precision, encoder.dimension)


def _eight_bit(
    connection: sqlite3.Connection, home: HomeFolder, snapshot_id: int, checkpoint: str | None
) -> Path | None:
    """Return the file with a checkpoint's eight-bit form: the one in its folder, or one that is made once and kept.

    It is made from a snapshot's chunks. None if there are too few of them.
    """
    from kuberian.model.checkpoint import QUANTIZED, open_checkpoint
    from kuberian.model.encoder import Encoder

    opened = open_checkpoint(checkpoint)
    own = Path(opened.folder / QUANTIZED)
    if own.is_file():
        return own
    kept = home.quantized / f"{opened.fingerprint()}.safetensors"
    if not kept.is_file():
        ids = chunks.some_of(connection, snapshot_id, CALIBRATION_CHUNKS)
        if len(ids) < MIN_CALIBRATION_CHUNKS:
            return None
        kept.parent.mkdir(parents=True, exist_ok=True)
        texts = [passage(stored, stored.code) for stored in chunks.with_code(connection, ids)]
        Encoder(checkpoint, "float32").calibrate(texts, kept)
    return kept
