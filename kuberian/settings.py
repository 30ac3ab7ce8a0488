"""Where Kuberian keeps things, and the environment variables that say otherwise."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "KUBERIAN_HOME"


def home_folder(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the home: the argument, else `KUBERIAN_HOME`, else the platform's user data folder."""
    chosen = home or os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("kuberian", appauthor=False)


def enclosing_repository(start: str | os.PathLike[str] = ".") -> Path | None:
    """Return the root of the git repository that `start` lies in, or None.

    Only looks for `.git` going upwards, as a search must not wait for git itself to start.
    """
    folder = Path(start).resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return None
