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
from kuberian.store import repositories
from kuberian.store.home import Home, database_errors
from kuberian.store.paths import from_column, to_column
from kuberian.store.texts import inflate
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
    opened = Home.at(home)
    with Searcher(home) as searcher, database_errors(opened):
        connection = opened.reader()
        try:
            known = _repository(connection, repository)
            moments = _moments(connection, known)
            results = searcher.search(question, LOOKED_AT, known.path, language, path, EVERY_REVISION).results
            lives = _lives(connection, moments, results, k)
        finally:
            connection.close()
    return History(question, known.name, tuple(moments.values()), tuple(lives))


def _repository(connection: sqlite3.Connection, asked: str | None) -> repositories.KnownRepository:
    if asked is not None:
        return repositories.find(connection, asked)
    names = [row[0] for row in connection.execute("SELECT name FROM repositories ORDER BY name")]
    if len(names) > 1:
        raise UsageError(f"there are {len(names)} repositories in the home: name one with --repo ({', '.join(names)})")
    return repositories.find(connection, names[0] if names else "")


def _moments(connection: sqlite3.Connection, known: repositories.KnownRepository) -> dict[int, Moment]:
    """Return the snapshots of a repository in the order of its history, the working tree last."""
    rows = connection.execute(
        "SELECT id, kind, revision, indexed_at FROM snapshots WHERE repository_id = ?", (known.id,)
    ).fetchall()
    commits = _commits(Path(known.path), [row[2] for row in rows if row[1] == "commit"])
    found = []
    for snapshot_id, kind, revision, indexed_at in rows:
        if kind == "worktree":
            found.append((snapshot_id, Moment(None, (), indexed_at)))
        else:
            found.append((snapshot_id, commits.get(revision, Moment(revision, (), indexed_at))))

    def older(one: tuple[int, Moment], other: tuple[int, Moment]) -> int:
        a, b = one[1], other[1]
        if a.revision is None or b.revision is None:
            return (a.revision is None) - (b.revision is None)
        if a.date != b.date:
            return -1 if a.date < b.date else 1
        return -1 if _git(Path(known.path), "merge-base", "--is-ancestor", a.revision, b.revision) is not None else 1

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
    rows = connection.execute(
        """
        SELECT snapshot_id, path, start_line, chunks.passage FROM chunks
        JOIN snapshot_files USING(blob_id) JOIN paths ON paths.id = path_id
        WHERE symbol = ? AND kind = ? ORDER BY snapshot_id, path, start_line
        """,
        (result.symbol, result.kind),
    ).fetchall()
    found: dict[int, list[tuple[str, int, bytes]]] = {}
    for snapshot, stored, start_line, passage in rows:
        path = from_column(stored)
        if snapshot in moments and path.rpartition("/")[2] == result.path.rpartition("/")[2]:
            found.setdefault(snapshot, []).append((path, start_line, passage))
    sightings = {}
    for snapshot, places in found.items():
        path = result.path if any(place[0] == result.path for place in places) else places[0][0]
        here = [place for place in places if place[0] == path]
        sightings[snapshot] = _Sighting(path, here[0][1], frozenset(place[2] for place in here))
    return sightings


def _unnamed(connection: sqlite3.Connection, moments: dict[int, Moment], result: Result) -> dict[int, _Sighting]:
    """Find a thing by its text, in the file at its path."""
    rows = connection.execute(
        """
        SELECT snapshot_id, blob_id, content FROM snapshot_files
        JOIN paths ON paths.id = path_id JOIN blobs ON blobs.id = blob_id WHERE path = ?
        """,
        (to_column(result.path),),
    )
    starts: dict[int, int] = {}
    sightings = {}
    for snapshot, blob, content in rows:
        if blob not in starts:
            before, found, _ = inflate(content).replace("\r\n", "\n").partition(result.text)
            starts[blob] = before.count("\n") + 1 if found else 0
        if snapshot in moments and starts[blob]:
            sightings[snapshot] = _Sighting(result.path, starts[blob], frozenset())
    return sightings
