"""From which of several places a numeric library is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

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


class Once(Generic[Library]):
    """A library that is opened when it is first asked for, and kept for the life of the process; so is a refusal."""

    def __init__(self, open_it: Callable[[], Library]) -> None:
        self._open = open_it
        self._library: Library | None = None
        self._refusal: str | None = None

    def get(self) -> Library:
        """Return the library. Raises EngineError if it was refused, now or before."""
        if self._refusal is None and self._library is None:
            try:
                self._library = self._open()
            except EngineError as error:
                self._refusal = str(error)  # without the traceback, which keeps every caller's variables alive
        if self._library is None:
            raise EngineError(self._refusal)
        return self._library
