"""Why a file is in the index, and as what, or why it is not. The home is neither read nor written."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.chunking.chunk import Chunk
from indexer.chunking.cutting import cut_file
from indexer.run import MAX_BYTES
from indexer.source.verdict import Verdicts
from kuberian.errors import RepositoryError
from kuberian.git.repository import MISSING_OBJECT, MissingObjectError, Repository, TreeFile
from kuberian.settings import expanded


@dataclass(frozen=True)
class Explanation:
    """What becomes of one file: its language, labels and chunks, or the reason why it is `skipped`."""

    path: str
    skipped: str | None
    language: str | None
    labels: list[str]
    chunks: list[Chunk]

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def explain(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Explanation:
    """Say what becomes of a file in a working tree. Raises RepositoryError if it lies in no repository."""
    file = expanded(path).absolute()
    folder = file.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    repository = Repository(folder)
    try:
        inside = Path(os.path.normpath(folder.resolve() / file.relative_to(folder)))
        if repository.bare or not inside.is_relative_to(repository.root):
            raise RepositoryError(f"{file} is not in a working tree")
        name = inside.relative_to(repository.root).as_posix()
        files = repository.files()
        tree_file = next((each for each in files if each.path == name), None)
        if tree_file is None:
            return Explanation(name, _why_unknown(repository, inside, name), None, [], [])
        return _explain(repository, tree_file, Verdicts(repository, files, max_bytes))
    finally:
        repository.close()


def dry_run(path: str | os.PathLike[str], revision: str | None = None, max_bytes: int = MAX_BYTES) -> list[Explanation]:
    """Say what an index run would make of every file of a working tree or a revision. Raises RepositoryError."""
    repository = Repository(path)
    try:
        revision = "HEAD" if repository.bare and revision is None else revision
        files = repository.files(repository.resolve(revision) if revision else None)
        verdicts = Verdicts(repository, files, max_bytes)
        return [_explain(repository, file, verdicts) for file in files]
    finally:
        repository.close()


def _explain(repository: Repository, file: TreeFile, verdicts: Verdicts) -> Explanation:
    verdict = verdicts.of(file)
    labels = verdict.labels.split()
    if verdict.skipped:
        return Explanation(file.path, verdict.skipped, None, labels, [])
    try:
        content = repository.read(file)
    except MissingObjectError:
        return Explanation(file.path, MISSING_OBJECT, None, labels, [])
    if content is None:
        return Explanation(file.path, "gone", None, labels, [])
    cut = cut_file(file.path, content[0])
    return Explanation(file.path, cut.skipped, None if cut.skipped else cut.language, labels, cut.chunks)


def _why_unknown(repository: Repository, file: Path, name: str) -> str:
    if not os.path.lexists(file):
        return "no such file"
    if file.is_dir():
        return "a folder: name a file"
    rule = repository.ignored_by(name)
    return f"ignored by git ({rule})" if rule else "not known to git"
