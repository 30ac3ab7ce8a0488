"""What an index run did, and what it says while it does it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol


class Progress(Protocol):
    """Called as work is done.

    `phase` is "fetch" (git objects received), "words" (files read and cut) or "meaning" (passages embedded).
    """

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Say that `done` of `total` objects, files or passages are through."""


@dataclass(frozen=True)
class IndexReport:
    """The counts of one index run.

    `files_skipped` counts by reason. `passages_embedded` were computed in this run, `passages_reused` were known to
    the home before; `coverage` is the share of the snapshot's chunks that have an embedding now.
    """

    repository: str
    path: str
    revision: str | None
    head: str
    files_indexed: int
    files_unchanged: int
    files_skipped: dict[str, int]
    chunks: int
    passages_embedded: int
    passages_reused: int
    coverage: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return what `kuberian index --json` prints."""
        return asdict(self)
