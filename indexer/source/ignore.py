"""`.kuberianignore`: files that git tracks and a search need not see, in the syntax and by the rules of .gitignore.

A line that begins with "!" also brings files back that git ignores: `!build/`.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

FILE_NAME = ".kuberianignore"

# Patterns of one file that may fit a path by the same name in them. pathspec tries 1,000 in half a millisecond.
MAX_ALIKE = 1000

# What a part of a path must be, how it must begin or how it must end, for a pattern to fit the path.
_Key = tuple[str, str]
_ANY: _Key = ("is", "")

_SPECIAL = re.compile(r"[*?\[\]\\]")


class IgnoreRules:
    """The rules of all `.kuberianignore` files of a tree. The last one that fits decides; deeper folders come later."""

    def __init__(self, files: dict[str, str]) -> None:
        """Take the files' texts by their paths. A line that is no pattern is ignored, as in git."""
        self._patterns = {path.rpartition("/")[0]: _Patterns(path, text) for path, text in files.items()}

    def __call__(self, path: str) -> bool:
        """Tell whether a path (relative to the root, '/' between folders) is to be left out."""
        return self._verdict(path) is True

    def brings_back(self, path: str) -> bool:
        """Tell whether a path is taken in although git ignores it: the last rule that fits begins with "!"."""
        return self._verdict(path) is False

    def may_bring_back(self) -> bool:
        """Tell whether a rule begins with "!"."""
        return any(patterns.may_bring_back for patterns in self._patterns.values())

    def _verdict(self, path: str) -> bool | None:
        ignored = None
        parts = path.split("/")
        for depth in range(len(parts) if self._patterns else 0):
            patterns = self._patterns.get("/".join(parts[:depth]))
            if patterns is not None:
                verdict = patterns.verdict("/".join(parts[depth:]))
                ignored = ignored if verdict is None else verdict
        return ignored


class _Patterns:
    """The patterns of one file.

    pathspec needs longer for one pattern than git for a hundred, and tries one after the other. So each pattern is
    found by something that a path must have in it to fit: a name, how a name begins, or how it ends. pathspec decides
    between the few that may fit.
    """

    def __init__(self, path: str, text: str) -> None:
        lines = list(dict.fromkeys(reversed(text.splitlines())))[::-1]  # of equal lines the last one decides
        self._lines = [line for line in lines if line.strip() and not line.startswith("#")]
        self.may_bring_back = any(line.startswith("!") for line in self._lines)
        self._numbers: dict[_Key, list[int]] = {}  # of the lines, by the key that they are found by
        self._compiled: dict[int, list[Any]] = {}  # pathspec's patterns of the lines that were needed
        self._file(path)

    def verdict(self, path: str) -> bool | None:
        """Tell whether a path (relative to the file's folder) is left out. None if no pattern fits."""
        numbers = {number for key in _keys_of_path(path) for number in self._numbers.get(key, ())}
        if not numbers:
            return None
        import pathspec  # hardly a repository has such a file

        for number in numbers - self._compiled.keys():
            self._compiled[number] = _compiled(self._lines[number])
        return (
            pathspec.GitIgnoreSpec([pattern for number in sorted(numbers) for pattern in self._compiled[number]])
            .check_file(path)
            .include
        )

    def _file(self, path: str) -> None:
        keys_of = [_keys_of_pattern(line) for line in self._lines]
        counts = Counter(key for keys in keys_of for key in keys)
        left_out = 0
        for number, keys in enumerate(keys_of):
            alike = self._numbers.setdefault(min(keys, key=counts.__getitem__, default=_ANY), [])
            if len(alike) < MAX_ALIKE:
                alike.append(number)
            else:
                left_out += 1
        if left_out:
            warnings.warn(
                f"{path} has too many patterns that are alike: of those only the first {MAX_ALIKE:,} count, and "
                f"{left_out:,} do not: name folders in their place",
                stacklevel=2,
            )


def _keys_of_pattern(line: str) -> set[_Key]:
    """Return what a path must have in it for a pattern to fit it; any one of these is enough to find the pattern."""
    keys = set()
    for part in line.removeprefix("!").rstrip().split("/"):
        specials = list(_SPECIAL.finditer(part))
        if not specials:
            keys.add(("is", part))
        else:
            keys |= {("begins", part[: specials[0].start()]), ("ends", part[specials[-1].end() :])}
    return {key for key in keys if key[1]}


def _keys_of_path(path: str) -> set[_Key]:
    """Return the keys of all patterns that may fit a path."""
    keys = {_ANY}
    for part in path.split("/"):
        keys.add(("is", part))
        keys.update(("begins", part[:end]) for end in range(1, len(part) + 1))
        keys.update(("ends", part[start:]) for start in range(len(part)))
    return keys


def _compiled(line: str) -> list[Any]:
    """Return the pattern of a line, or nothing if it is no pattern."""
    import pathspec

    try:
        return list(pathspec.GitIgnoreSpec.from_lines([line]).patterns)
    except ValueError:
        return []


def ignore_rules(paths: Iterable[str], read: Callable[[str], bytes | None]) -> IgnoreRules:
    """Collect the rules of a tree from the paths of its files and a function that reads one."""
    texts = {}
    for path in paths:
        if path == FILE_NAME or path.endswith("/" + FILE_NAME):
            data = read(path)
            if data is not None:
                texts[path] = data.decode("utf-8", "replace")
    return IgnoreRules(texts)
