"""Reading the files of a home in a process of their own.

When a process closes any descriptor of a file, POSIX drops all locks that the process holds on that file. So whoever
reads a live database without SQLite takes SQLite's locks away, and the next writer may delete the log that is in use
(SQLite, "How To Corrupt An SQLite Database File", 2.2). Another process has locks of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """
import sys, zlib
for name in sys.argv[1:]:
    try:
        with open(name, "rb") as file:
            first = block = file.read(1 << 20)
            crc = 0
            while block:
                crc = zlib.crc32(block, crc)
                block = file.read(1 << 20)
        print(crc, first[:100].hex())
    except OSError:
        print()
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read: the CRC-32 of the whole file, and its first 100 bytes."""

    crc32: int
    head: bytes


def read(files: Sequence[Path]) -> list[Contents | None]:
    """Read whole files, at about 1 GB a second and 12 ms for the process. None stands for one that cannot be read."""
    if not files:
        return []
    try:
        process = subprocess.run(
            # -I and -S: only the standard library, whatever is in the environment and the working directory.
            [sys.executable, "-I", "-S", "-c", _PROGRAM, *map(str, files)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return [None] * len(files)
    return [_contents(line) for line in process.stdout.decode("ascii").splitlines()]


def _contents(line: str) -> Contents | None:
    crc, _, head = line.partition(" ")
    return Contents(int(crc), bytes.fromhex(head)) if crc else None
