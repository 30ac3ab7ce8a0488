"""The progress of an index run: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

LABELS = {"fetch": "fetching", "words": "reading files", "meaning": "embedding passages"}
UNITS = {"fetch": "objects", "words": "files", "meaning": "passages"}

# Seconds between two plain lines: seldom enough for a log, often enough to see that something happens.
LINE_SECONDS = 5.0


class PlainProgress:
    """Progress as lines, one every few seconds."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr
        self._phase = ""
        self._started = self._last_line = 0.0

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Print a line if the last one is a few seconds old."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._started, self._last_line = phase, now, now
        if now - self._last_line < LINE_SECONDS:
            return
        self._last_line = now
        rate = done / (now - self._started)
        left = (total - done) / rate if rate else 0
        print(
            f"{LABELS[phase]}: {done:,} of {total:,} ({done / total:.0%}), "
            f"{rate:,.0f} {UNITS[phase]}/s, {left:.0f} s left",
            file=self._file,
            flush=True,
        )


class BarProgress:
    """Progress as bars, one for each phase."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, tuple[int, float]] = {}  # rich's TaskID is an int

    def __enter__(self) -> BarProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Move the bar of the phase."""
        now = time.monotonic()
        if phase not in self._tasks:
            self._tasks[phase] = (self._progress.add_task(LABELS[phase], total=total, rate=""), now)
        task, started = self._tasks[phase]
        rate = f"{done / (now - started):,.0f} {UNITS[phase]}/s" if now > started else ""
        self._progress.update(task, completed=done, total=total, rate=rate)  # type: ignore[arg-type]
