"""Ctrl-C: whatever it interrupts, the command says so in one line and ends."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupts:
    """Notes that Ctrl-C was pressed, while it is used as a context manager; afterwards Ctrl-C does nothing.

    The note outlives the KeyboardInterrupt. That may become another error on its way: in a function that SQLite calls,
    or because git, which the same Ctrl-C ended, is found to have failed. What is left to do afterwards is Python's own
    end, which would show a traceback.
    """

    def __init__(self) -> None:
        self.happened = False
        self._is_ours = False

    def __enter__(self) -> Interrupts:
        # Not if it is ignored, as in a shell's background, or if somebody else has taken it.
        self._is_ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._is_ours:
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ours:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.happened = True
        raise KeyboardInterrupt
