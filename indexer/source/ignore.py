"""`.kuberianignore`: files that git tracks and a search need not see, in the syntax and by the rules of .gitignore.

A line that begins with "!" also brings files back that git ignores: `!build/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pathspec

FILE_NAME = ".kuberianignore"


class IgnoreRules:
    """The rules of all `.kuberianignore` files of a tree. The last one that fits decides; deeper folders come later."""

    def __init__(self, files: dict[str, str]) -> None:
        """Take the files' texts by their paths. A line that is no pattern is ignored, as in git."""
        self._specs = {path.rpartition("/")[0]: _spec(text) for path, text in files.items()}

    def __call__(self, path: str) -> bool:
        """Tell whether a path (relative to the root, '/' between folders) is to be left out."""
        return self._verdict(path) is True

    def brings_back(self, path: str) -> bool:
        """Tell whether a path is taken in although git ignores it: the last rule that fits begins with "!"."""
        return self._verdict(path) is False

    def may_bring_back(self) -> bool:
        """Tell whether a rule begins with "!"."""
        return any(pattern.include is False for spec in self._specs.values() for pattern in spec.patterns)

    def _verdict(self, path: str) -> bool | None:
        ignored = None
        parts = path.split("/")
        for depth in range(len(parts) if self._specs else 0):
            spec = self._specs.get("/".join(parts[:depth]))
            if spec is not None:
                verdict = spec.check_file("/".join(parts[depth:])).include
                ignored = ignored if verdict is None else verdict
        return ignored


def _spec(text: str) -> pathspec.PathSpec:
    import pathspec  # hardly a repository has such a file

    lines = []
    for line in text.splitlines():
        try:
            pathspec.PathSpec.from_lines("gitignore", [line])
        except ValueError:
            continue
        lines.append(line)
    return pathspec.GitIgnoreSpec.from_lines(lines)


def ignore_rules(paths: list[str], read: Callable[[str], bytes | None]) -> IgnoreRules:
    """Collect the rules of a tree from the paths of its files and a function that reads one."""
    texts = {}
    for path in paths:
        if path == FILE_NAME or path.endswith("/" + FILE_NAME):
            data = read(path)
            if data is not None:
                texts[path] = data.decode("utf-8", "replace")
    return IgnoreRules(texts)
