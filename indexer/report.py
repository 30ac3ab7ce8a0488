"""What an index run reports: its progress, and its counts at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol


class Progress(Protocol):
    """Called as work is done.

    `phase` is "fetch" (git receives objects), "words" (files are read and cut) or "meaning" (passages are embedded).
    """

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Take note that `done` of `total` objects, files or passages are done."""


@dataclass(frozen=True)
class IndexReport:
    """The counts of one index run.

    `files_skipped` counts by reason. `passages_embedded` were embedded in this run, `passages_reused` in an earlier
    one. `coverage` is the share of the snapshot's chunks that have an embedding now.
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
