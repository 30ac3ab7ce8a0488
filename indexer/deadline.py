"""The time that an index run may take."""

from __future__ import annotations

import math
import time


class Deadline:
    """A moment some seconds from now. With None it never comes."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; infinity if it never comes."""
        return math.inf if self._end is None else self._end - time.monotonic()

    def passed(self) -> bool:
        """Tell whether the time is up."""
        return self.left() <= 0
