"""Which of several places a numeric library is taken from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from kuberian.errors import EngineError

Library = TypeVar("Library")


def first_usable(open_library: Callable[[str], Library], candidates: Iterable[str], missing: str) -> Library:
    """Return the first candidate that opens.

    Raises EngineError that names those that were refused and why, or says `missing` where nothing was found.
    """
    refusals: list[str] = []
    for path in candidates:
        try:
            return open_library(path)
        except EngineError as error:
            # Names without a folder are guesses for the system's loader: not there is no news.
            if Path(path).name != path:
                refusals.append(str(error))
    raise EngineError("; ".join(refusals) or missing)
