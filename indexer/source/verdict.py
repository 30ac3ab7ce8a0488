"""What is known of a file before it is read: whether it is left out, and what it is besides code that runs."""

from __future__ import annotations

from indexer.source.contents import skip_by_name
from indexer.source.ignore import FILE_NAME, ignore_rules
from indexer.source.noise import labels
from kuberian.git.repository import MissingObjectError, Repository, TreeFile

LINGUIST = ("linguist-generated", "linguist-vendored", "linguist-documentation")


class Verdicts:
    """The verdicts on the files of one tree, by their paths, the repository's .gitattributes and .kuberianignore."""

    def __init__(self, repository: Repository, files: list[TreeFile]) -> None:
        by_path = {file.path: file for file in files}
        self._linguist = repository.attributes(list(by_path), *LINGUIST)

        def read(path: str) -> bytes | None:
            try:
                content = None if by_path[path].skipped else repository.read(by_path[path])
            except MissingObjectError:
                return None
            return content[0] if content else None

        self._ignored = ignore_rules(list(by_path), read)

    def skip(self, file: TreeFile) -> str | None:
        """Return why a file is left out that need not be read for it, or None."""
        if file.skipped:
            return file.skipped
        if self._linguist.get(file.path, {}).get("linguist-generated"):
            return "generated"
        return skip_by_name(file.path) or (f"in {FILE_NAME}" if self._ignored(file.path) else None)

    def labels(self, file: TreeFile) -> str:
        """Return what else a file is, sorted, with spaces between: `documentation vendored`."""
        return " ".join(sorted(labels(file.path, linguist=self._linguist.get(file.path))))
