"""Where Kuberian keeps things, and the environment variable that changes it."""

from __future__ import annotations

import os
from pathlib import Path

from kuberian.errors import HomeError, KuberianError, UsageError

HOME_VARIABLE = "KUBERIAN_HOME"


def home_folder(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the home: the argument, else `KUBERIAN_HOME` (if it is not empty), else the platform's user data folder.

    It need not exist. Raises HomeError where it could not, and where nothing names it and the user has no home folder.
    """
    chosen = (os.environ.get(HOME_VARIABLE) or None) if home is None else home
    folder = expanded(_user_data_folder() if chosen is None else chosen).absolute()
    try:
        os.stat(os.path.join(folder, "."))  # noqa: PTH116, PTH118 - a Path drops the dot, which tells what it may be used for
    except (FileNotFoundError, NotADirectoryError):
        pass  # an index run makes it, or says why it cannot
    except (OSError, ValueError) as error:  # the name is too long, or a folder above may not be read
        raise HomeError(f"the home {folder} cannot be used ({_reason(error)}): name another with --home") from error
    return folder


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with the home folder in the place of `~`.

    Raises UsageError for an empty path, and for a `~name` that is no user's; KuberianError for a path in the current
    folder if that does not exist any more.
    """
    if not os.fspath(path):
        raise UsageError("the path is empty: write . for the current folder")
    try:
        found = Path(path).expanduser()
    except RuntimeError:
        raise UsageError(f"{os.fspath(path)} is in the home folder of no user: write the whole path") from None
    if not found.is_absolute() and _current_folder() is None:
        raise KuberianError("the current folder does not exist any more: go to another one")
    return found


def enclosing_repository(start: str | os.PathLike[str] = ".") -> Path | None:
    """Return the root of the git repository that `start` is in, or None.

    It only looks for `.git`, going upwards: a search must not wait until git itself starts.
    """
    if _current_folder() is None:
        return None
    folder = Path(start).resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _user_data_folder() -> Path:
    from platformdirs import user_data_path

    try:
        folder = user_data_path("kuberian", appauthor=False)
    except RuntimeError:  # newer versions; older ones return the `~` as it is
        folder = None
    if folder is None or folder.parts[0] == "~":
        raise HomeError(f"there is no home folder to keep the index in: name one with --home or {HOME_VARIABLE}")
    return folder


def _current_folder() -> Path | None:
    """Return the current folder, or None if it does not exist any more."""
    try:
        return Path.cwd()
    except OSError:
        return None
