"""When something came and went: an answer followed through the indexed revisions of a repository.

One search over all of them finds what answers best, whichever revision it is in. What has a name is then looked up by
its name in each revision, what has none by its text; nothing is searched twice.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import cmp_to_key
from itertools import pairwise
from pathlib import Path
from typing import Any

from kuberian.errors import UsageError
from kuberian.git.command import Git
from kuberian.store import blobs, chunks, repositories, snapshots
from kuberian.store.home import Home
from kuberian.store.repositories import KnownRepository
from searcher.readers import Readers
from searcher.results import Result
from searcher.scope import EVERY_REVISION
from searcher.searcher import Searcher

# Results among which the different things are looked for: versions of one function follow each other closely.
LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Moment:
    """An indexed revision: a commit id, its tags and its date; for the working tree `revision` is None."""

    revision: str | None
    tags: tuple[str, ...]
    date: str

    @property
    def name(self) -> str:
        """Its first tag, else the short commit id."""
        return "the working tree" if self.revision is None else next(iter(self.tags), self.revision[:12])


@dataclass(frozen=True, slots=True)
class Life:
    """Something that answers, and the moments at which it came, changed and went.

    `came` is the first indexed revision that has it, `went` the first after the last one that does not, or None if it
    is still there. `path` and `start_line` are its place when it was last seen; `score` is that of the search.
    """

    symbol: str | None
    kind: str
    path: str
    start_line: int
    score: float
    came: Moment
    changed: tuple[Moment, ...]
    last: Moment
    went: Moment | None


@dataclass(frozen=True, slots=True)
class History:
    """What answers a question over a repository's revisions, the best first."""

    query: str
    repository: str
    moments: tuple[Moment, ...]
    lives: tuple[Life, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return asdict(self)


def when(
    question: str,
    k: int = 3,
    home: str | os.PathLike[str] | None = None,
    repository: str | None = None,
    language: str | None = None,
    path: str | None = None,
) -> History:
    """Say when the `k` best answers came into a repository and when they went, over its indexed revisions.

    `repository` may be left out where the home has only one. Raises what `Searcher.search` does.
    """
    with Searcher(home) as searcher, Readers(Home.at(home)) as readers, readers.lend() as reader, reader.one_state():
        known = _repository(reader.connection, repository)
        moments = _moments(reader.connection, known)
        results = searcher.search(question, LOOKED_AT, known.path, language, path, EVERY_REVISION).results
        lives = _lives(reader.connection, moments, results, k)
    return History(question, known.name, tuple(moments.values()), tuple(lives))


def _repository(connection: sqlite3.Connection, asked: str | None) -> KnownRepository:
    if asked is not None:
        return repositories.find(connection, asked)
    names = [known.name for known in repositories.everyone(connection)]
    if len(names) > 1:
        raise UsageError(f"there are {len(names)} repositories in the home: name one with --repo ({', '.join(names)})")
    return repositories.find(connection, names[0] if names else "")


def _moments(connection: sqlite3.Connection, known: KnownRepository) -> dict[int, Moment]:
    """Return the snapshots of a repository in the order of its history, the working tree last."""
    indexed = snapshots.all_of(connection, known.id)
    commits = _commits(known.root, [one.revision for one in indexed if one.revision])
    found = [(one.id, commits.get(one.revision or "", Moment(one.revision, (), one.indexed_at))) for one in indexed]

    def older(one: tuple[int, Moment], other: tuple[int, Moment]) -> int:
        a, b = one[1], other[1]
        if a.revision is None or b.revision is None:
            return (a.revision is None) - (b.revision is None)
        if a.date != b.date:
            return -1 if a.date < b.date else 1
        return -1 if _git(known.root, "merge-base", "--is-ancestor", a.revision, b.revision) is not None else 1

    return dict(sorted(found, key=cmp_to_key(older)))


def _commits(root: Path, revisions: list[str]) -> dict[str, Moment]:
    """Return tags and dates (UTC, ISO 8601) of commits, as far as git still knows them."""
    if not revisions:
        return {}
    output = _git(root, "log", "--no-walk=unsorted", "--ignore-missing", "--format=%H%x00%ct%x00%D", *revisions) or ""
    found = {}
    for line in output.splitlines():
        commit, seconds, names = line.split("\0")
        date = datetime.fromtimestamp(int(seconds), timezone.utc).isoformat(timespec="seconds")
        tags = tuple(name.removeprefix("tag: ") for name in names.split(", ") if name.startswith("tag: "))
        found[commit] = Moment(commit, tags, date)
    return found


def _git(root: Path, *command: str) -> str | None:
    output = Git(root).ask(*command)  # None: no git, or the folder is gone; the index still answers
    return None if output is None else os.fsdecode(output)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A thing in one snapshot: where it is, and what it is made of."""

    path: str
    start_line: int
    made_of: frozenset[bytes]


def _lives(connection: sqlite3.Connection, moments: dict[int, Moment], results: Iterable[Result], k: int) -> list[Life]:
    lives: list[Life] = []
    seen: set[tuple[str | None, str, str]] = set()
    for result in results:
        sightings = _named(connection, moments, result) if result.symbol else _unnamed(connection, moments, result)
        if (result.symbol, result.kind, result.path) in seen or not sightings:
            continue
        seen |= {(result.symbol, result.kind, sighting.path) for sighting in sightings.values()}
        lives.append(_life(moments, result, sightings))
        if len(lives) == k:
            break
    return lives


def _life(moments: dict[int, Moment], result: Result, sightings: dict[int, _Sighting]) -> Life:
    present = [snapshot for snapshot in moments if snapshot in sightings]
    after = list(moments)[list(moments).index(present[-1]) + 1 :]
    changed = [moments[now] for before, now in pairwise(present) if sightings[now].made_of != sightings[before].made_of]
    last = sightings[present[-1]]
    return Life(
        symbol=result.symbol,
        kind=result.kind,
        path=last.path,
        start_line=last.start_line,
        score=result.score,
        came=moments[present[0]],
        changed=tuple(changed),
        last=moments[present[-1]],
        went=moments[after[0]] if after else None,
    )


def _named(connection: sqlite3.Connection, moments: dict[int, Moment], result: Result) -> dict[int, _Sighting]:
    """Find a thing by its name: at its path, else in a file that is called the same."""
    found: dict[int, list[chunks.Sighting]] = {}
    for seen in chunks.named(connection, result.symbol or "", result.kind):
        if seen.snapshot_id in moments and seen.path.rpartition("/")[2] == result.path.rpartition("/")[2]:
            found.setdefault(seen.snapshot_id, []).append(seen)
    sightings = {}
    for snapshot, places in found.items():
        path = result.path if any(place.path == result.path for place in places) else places[0].path
        here = [place for place in places if place.path == path]
        sightings[snapshot] = _Sighting(path, here[0].start_line, frozenset(place.passage for place in here))
    return sightings


def _unnamed(connection: sqlite3.Connection, moments: dict[int, Moment], result: Result) -> dict[int, _Sighting]:
    """Find a thing by its text, in the file at its path."""
    starts: dict[int, int] = {}
    sightings = {}
    for seen in blobs.at_path(connection, result.path):
        if seen.blob_id not in starts:
            text = "\n".join(blobs.text(connection, seen.blob_id).lines)
            before, found, _ = text.partition(result.text)
            starts[seen.blob_id] = before.count("\n") + 1 if found else 0
        if seen.snapshot_id in moments and starts[seen.blob_id]:
            sightings[seen.snapshot_id] = _Sighting(result.path, starts[seen.blob_id], frozenset())
    return sightings
