"""What a search returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One chunk that answers, as the JSON of `kuberian search --json` has it.

    `root` is the repository's folder, and `path` is relative to it. `start_line` and `end_line` are 1-based and
    inclusive. `revision` is a commit id, or None for the working tree. `stale` says that the file has changed since it
    was indexed, and no longer has the chunk's lines. `labels` say what the file is besides code that runs: "test",
    "example", "documentation", "vendored", "generated", "benchmark", "compatibility", "declaration". `why` says what
    each feature of `evidence.features.FILE` added to the score, the largest first. If the chunk is not the best of its
    file, the last entry says how much it lost by that.
    """

    rank: int
    repository: str
    root: str
    revision: str | None
    path: str
    start_line: int
    end_line: int
    language: str
    kind: str
    symbol: str | None
    signature: str | None
    score: float
    text: str
    stale: bool
    labels: tuple[str, ...]
    why: dict[str, float]


@dataclass(frozen=True, slots=True)
class SearchResults:
    """The results of one question, best first.

    `coverage` is the share of the searched chunks that have an embedding, and `files` the number of files that the
    filters left to be searched.
    """

    query: str
    coverage: float
    results: tuple[Result, ...]
    files: int

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "query": self.query,
            "coverage": round(self.coverage, 4),
            "files": self.files,
            "results": [asdict(result) for result in self.results],
        }
