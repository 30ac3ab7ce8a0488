"""Why a file is in the index, and as what, or why it is not. Of the home, only its clones are used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from indexer.chunking.chunk import Chunk
from indexer.chunking.cutting import cut_file
from indexer.run import MAX_BYTES, check_limits
from indexer.several import revisions
from indexer.source.verdict import Selection, Verdicts
from kuberian.errors import RepositoryError
from kuberian.git.address import is_address
from kuberian.git.listing import TreeFile
from kuberian.git.mirror import fetch, place
from kuberian.git.repository import MISSING_OBJECT, MissingObjectError, Repository
from kuberian.settings import expanded, home_folder
from kuberian.store.folder import HomeFolder
from kuberian.store.own_files import own_files


@dataclass(frozen=True)
class Explanation:
    """What becomes of one file: its language, labels and chunks, or the reason why it is `skipped`.

    `revision` is the commit whose file it is, None for the working tree's.
    """

    path: str
    skipped: str | None
    language: str | None
    labels: list[str]
    chunks: list[Chunk]
    revision: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def explain(
    path: str | os.PathLike[str], max_bytes: int = MAX_BYTES, home: str | os.PathLike[str] | None = None
) -> Explanation:
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
        without = own_files(home_folder(home), repository.root)
        if without(name):
            return Explanation(name, "part of Kuberian's own index", None, [], [])
        verdicts = Verdicts(repository, None, Selection(max_bytes, without))
        tree_file = next((each for each in verdicts.files if each.path == name), None)
        if tree_file is None:
            return Explanation(name, _why_unknown(repository, inside, name), None, [], [])
        return _explain(repository, tree_file, verdicts, None)
    finally:
        repository.close()


def dry_run(
    path: str | os.PathLike[str],
    revision: str | None = None,
    max_bytes: int = MAX_BYTES,
    *,
    tags: str | None = None,
    home: str | os.PathLike[str] | None = None,
    wait: bool = False,
    submodules: bool = False,
) -> list[Explanation]:
    """Say what an index run would make of every file of a working tree, or of revisions, one after the other.

    `revision` may be a range: then it is both ends. `tags` and `path`, a folder or an address, are as for
    `index_several`. Of an address that the home has no clone of, one is made and thrown away. Raises RepositoryError,
    UsageError or HomeError.
    """
    check_limits(max_bytes, None)
    with _folder_of(path, home, wait) as folder:
        repository = Repository(folder)
        try:
            names = revisions(repository, revision, tags) or (["HEAD"] if repository.bare else [])
            commits: list[str | None] = [repository.resolve(name) for name in names] or [None]
            without = own_files(home_folder(home), repository.root)
            selection = Selection(max_bytes, without, lambda submodule: submodules)
            explanations: list[Explanation] = []
            for commit in dict.fromkeys(commits):
                verdicts = Verdicts(repository, commit, selection)
                explanations += [_explain(repository, file, verdicts, commit) for file in verdicts.files]
            return explanations
        finally:
            repository.close()


@contextmanager
def _folder_of(
    path: str | os.PathLike[str], home: str | os.PathLike[str] | None, wait: bool
) -> Iterator[str | os.PathLike[str]]:
    """Give the folder of a repository: of an address, the home's clone, or without one, another that is deleted."""
    if not is_address(path):
        yield path
        return
    address, mirrors = os.fspath(path), HomeFolder(home_folder(home)).mirrors
    if place(mirrors, address).exists():
        yield fetch(mirrors, address, wait=wait)
        return
    with TemporaryDirectory(prefix="kuberian-") as folder:
        yield fetch(Path(folder), address)


def _explain(repository: Repository, file: TreeFile, verdicts: Verdicts, commit: str | None) -> Explanation:
    verdict = verdicts.of(file)
    labels = verdict.labels.split()

    def skipped(reason: str) -> Explanation:
        return Explanation(file.path, reason, None, labels, [], commit)

    if verdict.skipped:
        return skipped(verdict.skipped)
    try:
        content = repository.read(file)
    except MissingObjectError:
        return skipped(MISSING_OBJECT)
    if content is None:
        return skipped("gone")
    cut = cut_file(file.path, content[0], verdict.reading)
    if cut.skipped:
        return skipped(cut.skipped)
    return Explanation(file.path, None, cut.language, labels, cut.chunks, commit)


def _why_unknown(repository: Repository, file: Path, name: str) -> str:
    if not os.path.lexists(file):
        return "no such file"
    if file.is_dir():
        return "a folder: name a file"
    rule = repository.ignored_by(name)
    return f"ignored by git ({rule})" if rule else "not known to git"
