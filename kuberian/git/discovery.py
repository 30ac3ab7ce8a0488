"""Which repository a folder is in, as git finds it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kuberian.errors import RepositoryError
from kuberian.git.command import Git
from kuberian.settings import enclosing_repository


@dataclass(frozen=True, slots=True)
class Discovered:
    """A repository as git found it from a folder in it. `directory` is git's own folder, mostly `.git`.

    Where it is `bare`, which is to say without a working tree, `root` may still be a folder around `directory`: the one
    whose `.git` leads there. Linked worktrees are often kept in such a folder.
    """

    root: Path
    directory: Path
    bare: bool
    algorithm: str  # of object ids: sha1 or sha256


def discover(folder: Path) -> Discovered:
    """Ask git which repository a folder is in, going upwards. git refuses repositories of other users."""
    question = ("rev-parse", "--is-inside-work-tree", "--is-bare-repository", "--show-object-format")
    git = Git(folder, above=True)
    process = git.start(*question, "--absolute-git-dir")
    output, errors = process.communicate()
    if process.returncode and b"safe.bareRepository" in errors:  # git wants a bare one to be named explicitly
        git = Git(folder, folder, bare=True)
        process = git.start(*question, "--absolute-git-dir")
        output, errors = process.communicate()
    if process.returncode:
        raise _no_repository(folder) if b"not a git repository" in errors else git.refusal(errors)
    inside, bare, algorithm, directory = os.fsdecode(output).removesuffix("\n").split("\n", 3)
    own = Path(directory)
    algorithm = algorithm if algorithm.startswith("sha") else "sha1"  # git before 2.28 repeats the question
    if inside == "true" or bare == "false":
        top = git.ask("rev-parse", "--show-toplevel")
        if top is not None:  # may be another folder than this one, where `core.worktree` says so
            return Discovered(Path(os.fsdecode(top).removesuffix("\n")).resolve(), own, False, algorithm)
        if own.name == ".git":
            return Discovered(own.parent, own, False, algorithm)
    return Discovered(_around(folder, own), own, True, algorithm)


def _no_repository(folder: Path) -> RepositoryError:
    root = enclosing_repository(folder)
    if root is None:
        return RepositoryError(f"{folder} is not a git repository: run `git init` there, or name another")
    return RepositoryError(
        f"git takes {root / '.git'} for no repository, as it lacks a part or leads nowhere: clone it again"
    )


def _around(folder: Path, own: Path) -> Path:
    """Return the nearest folder whose `.git` leads to git's own folder, or that itself if there is none."""
    own = own.resolve()
    for candidate in (own.parent, folder, *folder.parents):
        if _leads_to(candidate / ".git") == own:
            return candidate
    return own


def _leads_to(path: Path) -> Path | None:
    """Return the folder that a `.git` is, or that it names: it may be a file, `gitdir: FOLDER`."""
    try:
        if path.is_dir():
            return path.resolve()
        named = os.fsdecode(path.read_bytes()).removeprefix("gitdir:").strip()
        return (path.parent / named).resolve()
    except (OSError, ValueError):
        return None
