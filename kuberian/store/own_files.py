"""Which files of a repository are the home's own: a home may lie inside of a repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kuberian.store.checksums import FILE as CHECKSUMS
from kuberian.store.folder import DATABASE, HOLDER, LOCK, MIRRORS, QUANTIZED, VECTORS

# What a home has in its folder, or what begins so.
_NAMES = (DATABASE, CHECKSUMS, "kuberian.suspect", LOCK, HOLDER)
_FOLDERS = (VECTORS, MIRRORS, QUANTIZED)


def own_files(home: Path, root: Path) -> Callable[[str], bool]:
    """Return a function that tells whether a path, relative to a repository's root, is one of the home's own files.

    All of the home's folder is its own. Where that is the repository's root, only what the home has written is.
    """
    home, root = home.resolve(), root.resolve()
    if home == root:
        return _is_written
    if root not in home.parents:
        return lambda path: False
    inside = home.relative_to(root).as_posix()
    return lambda path: path == inside or path.startswith(inside + "/")


def _is_written(path: str) -> bool:
    name, is_below, _ = path.partition("/")
    return name in _FOLDERS if is_below else name.startswith(_NAMES)
