"""Where Kuberian keeps things, and the environment variable that changes it."""

from __future__ import annotations

import os
from pathlib import Path

from kuberian.errors import UsageError

HOME_VARIABLE = "KUBERIAN_HOME"


def home_folder(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the home: the argument, else `KUBERIAN_HOME`, else the platform's user data folder."""
    chosen = home or os.environ.get(HOME_VARIABLE)
    if chosen:
        return expanded(chosen).absolute()
    from platformdirs import user_data_path

    return user_data_path("kuberian", appauthor=False)


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with the home folder in the place of `~`. Raises UsageError for a `~name` that is no user's."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(f"{os.fspath(path)} is in the home folder of no user: write the whole path") from None


def enclosing_repository(start: str | os.PathLike[str] = ".") -> Path | None:
    """Return the root of the git repository that `start` is in, or None.

    It only looks for `.git`, going upwards: a search must not wait until git itself starts.
    """
    folder = Path(start).resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return None
