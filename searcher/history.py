"""When something came and went: an answer followed through the indexed revisions of a repository.

One search over all revisions finds the best answers, whichever revision they are in. An answer with a name is then
looked up by its name in each revision, one without a name by its text. Nothing is searched twice.
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

# Results to look through for different answers: the versions of one function stand close to each other.
LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Moment:
    """An indexed revision: a commit id, its tags and its date. `revision` is None for the working tree."""

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

    `came` is the first indexed revision that has it, and `last` the last one. `went` is the revision after `last`, or
    None if it is still there. `path` and `start_line` are its place in `last`; `score` is its score in the search.
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
        chosen = _repository(reader.connection, repository)
        moments = _moments(reader.connection, chosen)
        results = searcher.search(question, LOOKED_AT, chosen.path, language, path, EVERY_REVISION).results
        lives = _lives(reader.connection, moments, results, k)
    return History(question, chosen.name, tuple(moments.values()), tuple(lives))


def _repository(connection: sqlite3.Connection, name: str | None) -> KnownRepository:
    if name is not None:
        return repositories.find(connection, name)
    names = [repository.name for repository in repositories.everyone(connection)]
    if len(names) > 1:
        raise UsageError(f"there are {len(names)} repositories in the home: name one with --repo ({', '.join(names)})")
    return repositories.find(connection, names[0] if names else "")


def _moments(connection: sqlite3.Connection, repository: KnownRepository) -> dict[int, Moment]:
    """Return the snapshots of a repository in the order of its history, the working tree last."""
    indexed = snapshots.all_of(connection, repository.id)
    commits = _commits(repository.root, [snapshot.revision for snapshot in indexed if snapshot.revision])
    moments = {
        snapshot.id: commits.get(snapshot.revision or "", Moment(snapshot.revision, (), snapshot.indexed_at))
        for snapshot in indexed
    }

    def older(first: tuple[int, Moment], second: tuple[int, Moment]) -> int:
        a, b = first[1], second[1]
        if a.revision is None or b.revision is None:
            return (a.revision is None) - (b.revision is None)
        if a.date != b.date:
            return -1 if a.date < b.date else 1
        return -1 if _git(repository.root, "merge-base", "--is-ancestor", a.revision, b.revision) is not None else 1

    return dict(sorted(moments.items(), key=cmp_to_key(older)))


def _commits(root: Path, revisions: list[str]) -> dict[str, Moment]:
    """Return tags and dates (UTC, ISO 8601) of commits, as far as git still knows them."""
    if not revisions:
        return {}
    options = ("--no-walk=unsorted", "--ignore-missing", "--no-show-signature", "--format=%H%x00%ct%x00%D", "--stdin")
    # A command line of some 40,000 revisions is longer than Linux allows.
    output = _git(root, "log", *options, stdin="\n".join(revisions)) or ""
    moments = {}
    for line in output.split("\n")[:-1]:  # not splitlines: a tag may have any of Unicode's other line ends in it
        commit, seconds, names = line.split("\0")
        date = datetime.fromtimestamp(int(seconds), timezone.utc).isoformat(timespec="seconds")
        tags = tuple(name.removeprefix("tag: ") for name in names.split(", ") if name.startswith("tag: "))
        moments[commit] = Moment(commit, tags, date)
    return moments


def _git(root: Path, *command: str, stdin: str = "") -> str | None:
    # None where git or the folder is gone: the index still answers.
    output = Git.of(root).ask(*command, stdin=stdin.encode())
    return None if output is None else os.fsdecode(output)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A thing in one snapshot: where it is, and what it is made of."""

    path: str
    start_line: int
    made_of: frozenset[bytes]


def _lives(connection: sqlite3.Connection, moments: dict[int, Moment], results: Iterable[Result], k: int) -> list[Life]:
    lives: list[Life] = []
    listed: set[tuple[str | None, str, str]] = set()  # symbol, kind and path
    for result in results:
        sightings = _named(connection, moments, result) if result.symbol else _unnamed(connection, moments, result)
        if (result.symbol, result.kind, result.path) in listed or not sightings:
            continue
        listed |= {(result.symbol, result.kind, sighting.path) for sighting in sightings.values()}
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
    """Find a thing by its name: at its path, else in a file with the same name."""
    places_by_snapshot: dict[int, list[chunks.Sighting]] = {}
    for place in chunks.named(connection, result.symbol or "", result.kind):
        if place.snapshot_id in moments and place.path.rpartition("/")[2] == result.path.rpartition("/")[2]:
            places_by_snapshot.setdefault(place.snapshot_id, []).append(place)
    sightings = {}
    for snapshot, places in places_by_snapshot.items():
        path = result.path if any(place.path == result.path for place in places) else places[0].path
        here = [place for place in places if place.path == path]
        sightings[snapshot] = _Sighting(path, here[0].start_line, frozenset(place.passage for place in here))
    return sightings


def _unnamed(connection: sqlite3.Connection, moments: dict[int, Moment], result: Result) -> dict[int, _Sighting]:
    """Find a thing by its text, in the file at its path."""
    starts: dict[int, int] = {}  # the line by blob; 0 where the text is not in it
    sightings = {}
    for version in blobs.at_path(connection, result.path):
        if version.blob_id not in starts:
            text = "\n".join(blobs.text(connection, version.blob_id).lines)
            before, match, _ = text.partition(result.text)
            starts[version.blob_id] = before.count("\n") + 1 if match else 0
        if version.snapshot_id in moments and starts[version.blob_id]:
            sightings[version.snapshot_id] = _Sighting(result.path, starts[version.blob_id], frozenset())
    return sightings
