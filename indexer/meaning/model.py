"""Which model an index run embeds with, and that the home remembers it.

Vectors of two precisions of one checkpoint could be compared, but a snapshot's are all of one: what a search finds must
not depend on which machine happened to embed a chunk.
"""

from __future__ import annotations

import sqlite3
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.meaning.passages import passage
from kuberian.errors import EngineError
from kuberian.git.repository import Repository
from kuberian.model.bundled import bundled_fingerprint
from kuberian.store import chunks, models
from kuberian.store.folder import HomeFolder

if TYPE_CHECKING:
    from kuberian.model.encoder import Encoder

# Chunks that int8 is calibrated on for a checkpoint that brings no eight-bit form. It takes some twenty seconds, once.
CALIBRATION_CHUNKS = 160
# With fewer the ranges are not known well enough; such an index is embedded in no time in float32 too.
MIN_CALIBRATION_CHUNKS = 32


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A checkpoint folder (None: the bundled one) and a precision. `asked` is false for what was only remembered.

    `known` is the id of the model that this is, where the repository was indexed with it before.
    """

    checkpoint: str | None
    precision: str
    asked: bool
    known: int | None = None


def choose_model(
    connection: sqlite3.Connection, repository: Repository, checkpoint: str | None, precision: str | None
) -> ModelChoice:
    """Return what was asked for, filled up with what the repository was indexed with, else with the defaults.

    Raises CheckpointError if the folder holds no checkpoint that can be used.
    """
    known = models.last_of(connection, str(repository.root))
    folder = str(Path(checkpoint).resolve()) if checkpoint else known.path if known else None
    fingerprint = _fingerprint(folder)
    same = known is not None and folder == known.path
    wanted = precision or (known.precision if known and same else "auto")
    unchanged = known is not None and same and (wanted, fingerprint) == (known.precision, known.fingerprint)
    return ModelChoice(folder, wanted, asked=precision is not None, known=known.id if known and unchanged else None)


def _fingerprint(checkpoint: str | None) -> str:
    if checkpoint is None:
        return bundled_fingerprint()
    from kuberian.model.checkpoint import open_checkpoint

    return open_checkpoint(checkpoint).fingerprint()


def open_encoder(connection: sqlite3.Connection, home: HomeFolder, snapshot_id: int, choice: ModelChoice) -> Encoder:
    """Return the encoder of a choice, calibrated on the snapshot's own chunks if int8 needs it.

    Raises EngineError if a precision was asked for that cannot be had; one that was only remembered is replaced, with a
    warning, by the best that this machine has.
    """
    from kuberian.model.encoder import Encoder
    from kuberian.model.engines.choose import choose

    try:
        wanted = choose(choice.precision).precision
    except EngineError as error:
        if choice.asked:
            raise
        warnings.warn(f"{error}: embedding anew with what this machine has", stacklevel=2)
        return open_encoder(connection, home, snapshot_id, ModelChoice(choice.checkpoint, "auto", asked=False))
    calibration = _eight_bit(connection, home, snapshot_id, choice.checkpoint) if wanted == "int8" else None
    return Encoder(choice.checkpoint, choice.precision, calibration=calibration)


def model_row(connection: sqlite3.Connection, encoder: Encoder, checkpoint: str | None) -> int:
    """Return the row of the encoder's model, made if it is new to the home; `checkpoint` is None if it is bundled."""
    return models.put(connection, encoder.name, checkpoint, encoder.fingerprint, encoder.precision, encoder.dimension)


def _eight_bit(
    connection: sqlite3.Connection, home: HomeFolder, snapshot_id: int, checkpoint: str | None
) -> Path | None:
    """Return the file with a checkpoint's eight-bit form: beside it, or made once from a snapshot's chunks and kept.

    None if there are too few chunks to make it from.
    """
    from kuberian.model.checkpoint import QUANTIZED, open_checkpoint
    from kuberian.model.encoder import Encoder

    opened = open_checkpoint(checkpoint)
    shipped = Path(opened.folder / QUANTIZED)
    if shipped.is_file():
        return shipped
    kept = home.quantized / f"{opened.fingerprint()}.safetensors"
    if not kept.is_file():
        ids = chunks.some_of(connection, snapshot_id, CALIBRATION_CHUNKS)
        if len(ids) < MIN_CALIBRATION_CHUNKS:
            return None
        kept.parent.mkdir(parents=True, exist_ok=True)
        texts = [passage(stored, stored.code) for stored in chunks.with_code(connection, ids)]
        Encoder(checkpoint, "float32").calibrate(texts, kept)
    return kept
