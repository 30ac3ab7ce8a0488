"""From which of several places a numeric library is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from kuberian.errors import EngineError

Library = TypeVar("Library")


def first_usable(open_library: Callable[[str], Library], candidates: Iterable[str], missing: str) -> Library:
    """Return the first candidate that opens.

    Raises EngineError that names each refused candidate and why it was refused, or says `missing` if none was found.
    """
    refusals: list[str] = []
    for path in candidates:
        try:
            return open_library(path)
        except EngineError as error:
            # A name without a folder is a guess for the system's loader: that it is not there is no news.
            if Path(path).name != path:
                refusals.append(str(error))
    raise EngineError("; ".join(refusals) or missing)
