"""Standard input, output and error as any command can use them, whatever the process was started with.

A descriptor may be closed, a terminal may lack a character, a disk may be full, and the reader of a pipe may go away.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO

# Characters that a terminal's encoding may lack: it can be used if they become escapes.
_PROBE = "\N{CJK UNIFIED IDEOGRAPH-65E5}\udcff"


class OutputError(Exception):
    """Standard output takes no more. No OSError: that is what libraries catch, and take for something else.

    `reader_is_gone` tells whether the other end of a pipe was closed, which is nobody's mistake.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.reader_is_gone = isinstance(error, ConnectionError)


class _Output(io.RawIOBase):
    """What is below a text stream: writes until that fails for the first time, and drops everything from then on.

    The first failure raises OutputError if the output `is_needed`. So nothing fails once more when Python ends.
    """

    def __init__(self, stream: io.TextIOWrapper, is_needed: bool) -> None:
        super().__init__()
        self._stream = stream  # kept, for it closes what is below when it is thrown away
        self._below: Any = getattr(stream.buffer, "raw", stream.buffer)
        self._is_needed = is_needed
        self._is_lost = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._below.fileno())

    def isatty(self) -> bool:
        return bool(self._below.isatty())

    def write(self, data: Any) -> int:
        if self._is_lost:
            return len(data)
        try:
            while (count := self._below.write(data)) is None:  # a full pipe, and another program made it non-blocking
                select.select([], [self], [])
        except OSError as error:
            self._is_lost = True
            if self._is_needed:
                raise OutputError(error) from error
            return len(data)
        return int(count)


def prepare() -> None:
    """Make the standard streams usable: call it first.

    Closed descriptors become the null device, before a file of ours gets their number and what is meant for the user
    is written into it. Characters that the encoding lacks are written as escapes. Standard output raises OutputError if
    it cannot be written; what standard error cannot take is dropped.
    """
    for descriptor in (0, 1, 2):
        _open_if_closed(descriptor)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    sys.stdout = _writable(sys.stdout, 1, is_needed=True)
    sys.stderr = _writable(sys.stderr, 2, is_needed=False)


def finish() -> None:
    """Write what is still in the buffers. Raises OutputError if standard output cannot take it."""
    sys.stderr.flush()
    sys.stdout.flush()


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, so mostly this one
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)


def _writable(stream: TextIO | None, descriptor: int, is_needed: bool) -> TextIO:
    """Return a stream that writes to the same place."""
    if stream is None:  # it was closed when Python started
        stream = open(descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # not Python's own: somebody collects what is printed
    with suppress(OSError):
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream, is_needed)),
        encoding=_usable(stream.encoding),
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _usable(encoding: str) -> str:
    """Return the encoding, or UTF-8 in the place of one that knows no escapes."""
    try:
        _PROBE.encode(encoding, "backslashreplace")
    except (LookupError, UnicodeError):
        return "utf-8"
    return encoding
