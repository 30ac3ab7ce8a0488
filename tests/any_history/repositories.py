"""A user's repositories: what is done to them, and a look at every byte of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import event

_OPTIONS = {
    "user.name": "Test",
    "user.email": "test@example.org",
    "init.defaultBranch": "main",
    "protocol.file.allow": "always",
    "filter.spelled.clean": "tr Q q",
    "filter.spelled.smudge": "tr q Q",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
# No hooks to read again and again.
_ENVIRONMENT = {**os.environ, "GIT_TEMPLATE_DIR": "", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}


def attempt(root: Path, *arguments: str) -> bool:
    """Run git as a user does, who is sometimes refused. Tell whether it did what was asked."""
    options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
    done = subprocess.run(["git", *options, *arguments], cwd=root, env=_ENVIRONMENT, capture_output=True, check=False)
    event(f"git {' '.join(arguments[:2])}: {'refused' if done.returncode else 'done'}")
    return done.returncode == 0


def must(root: Path, *arguments: str) -> None:
    """Run git where it cannot be refused."""
    assert attempt(root, *arguments), arguments


def commit(root: Path) -> None:
    """Commit everything, if git takes it."""
    if attempt(root, "add", "-A"):
        attempt(root, "commit", "-q", "--allow-empty", "-m", "change")


def make(root: Path, files: list[dict[str, bytes]], algorithm: str) -> Path:
    """Make a repository with a commit for each of some sets of files, and the filters that .gitattributes may name."""
    root.mkdir()
    must(root, "init", "-q", f"--object-format={algorithm}")
    configure(root)
    for each in files:
        for name, content in each.items():
            put(root / name, content, root)
        commit(root)
    return root


def configure(root: Path) -> None:
    """Write into the configuration what Kuberian's git has to know too, and what a clone may ask for."""
    for name in ("filter.spelled.clean", "filter.spelled.smudge"):
        must(root, "config", name, _OPTIONS[name])
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        must(root, "config", name, "true")


def put(path: Path, content: bytes, root: Path) -> None:
    """Write a file, whatever is in its place or in the place of its folders, inside of a root."""
    for folder in reversed(path.parents):
        if root in folder.parents and os.path.lexists(folder) and not folder.is_dir():
            folder.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    clear(path)
    path.write_bytes(content)


def clear(path: Path) -> None:
    """Delete a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def files_of(root: Path) -> list[Path]:
    """Return the files of a working tree, without those of repositories inside of it, sorted."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".git" and not os.path.lexists(Path(folder, name, ".git"))]
        found += [Path(folder, name) for name in names if name != ".git"]
    return sorted(found)


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the mode and the bytes of all that is below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = os.fsencode(path.readlink()) if path.is_symlink() else b"" if path.is_dir() else path.read_bytes()
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, content)
    return found


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Assert that all below a folder is the same afterwards: configuration, refs, index, worktrees, objects, files."""
    before = everything(folder)
    yield
    after = everything(folder)
    assert sorted(after.keys() ^ before.keys()) == []
    assert [path for path in before if after[path] != before[path]] == []
