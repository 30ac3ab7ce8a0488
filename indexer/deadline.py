"""The time that an index run may take."""

from __future__ import annotations

import time


class Deadline:
    """A moment some seconds from now. With None it never comes."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def passed(self) -> bool:
        """Tell whether the time is up."""
        return self._end is not None and time.monotonic() >= self._end
