"""Where git puts objects while it only reads: not into the user's repository.

A sparse index has folders in the place of their files. Whenever git makes it whole, or makes it sparse in its memory,
it writes the trees of what is staged, whichever command asked (git 2.39: `ls-files`, `diff-tree`, `check-attr`).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path


def own_folder(root: Path) -> Path:
    """Return git's own folder of a working tree: `.git`, or the one that a file of this name leads to."""
    try:
        text = (root / ".git").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return root / ".git"
    return root / text.removeprefix("gitdir:").strip()


def common_folder(directory: Path) -> Path:
    """Return the folder that linked worktrees share, from git's own folder of one of them."""
    try:
        return directory / (directory / "commondir").read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return directory


def objects_apart(directory: Path) -> dict[str, str]:
    """Return the variables by which git writes objects to a temporary folder, where it might have a sparse index."""
    if not (directory / "info" / "sparse-checkout").exists():
        return {}
    try:
        folder = _temporary()
    except OSError:  # nothing may be written anywhere
        return {}
    objects = os.fspath(common_folder(directory).resolve() / "objects")
    quoted = objects.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return {"GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"'}


@cache
def _temporary() -> str:
    folder = tempfile.mkdtemp(prefix="kuberian-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
