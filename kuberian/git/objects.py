"""The objects of a repository, by their ids, from one git process that stays."""

from __future__ import annotations

import subprocess
from contextlib import suppress

from kuberian.git.command import Git


class Objects:
    """Reads blobs through `git cat-file`, started when the first is wanted. Use from one thread; close it."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def content(self, oid: str) -> bytes | None:
        """Return an object's bytes; None where the repository lacks it or cannot read it."""
        answer = self._ask("--batch", oid)
        if answer is None:
            return None
        process, size = answer
        assert process.stdout is not None
        data = process.stdout.read(size)
        if len(data) < size or process.stdout.read(1) != b"\n":  # it ended amid the object: a damaged pack
            self._end("--batch")
            return None
        return data

    def size(self, oid: str) -> int | None:
        """Return an object's size in bytes; None where the repository lacks it."""
        answer = self._ask("--batch-check", oid)
        return None if answer is None else answer[1]

    def close(self) -> None:
        """End the processes."""
        for mode in list(self._processes):
            self._end(mode)

    def _ask(self, mode: str, oid: str) -> tuple[subprocess.Popen[bytes], int] | None:
        """Return the process, its output being at the object's bytes, and their number."""
        process = self._processes.get(mode)
        if process is None:
            process = self._processes[mode] = self._git.start("cat-file", mode, stderr=subprocess.DEVNULL)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(oid.encode() + b"\n")
            process.stdin.flush()
            header = process.stdout.readline().split()  # `id type size`, or `id missing`
        except OSError:
            header = []
        if len(header) == 3:
            return process, int(header[2])
        if not header:  # git gave up on this object, and with it on us: the next one starts it anew
            self._end(mode)
        return None

    def _end(self, mode: str) -> None:
        process = self._processes.pop(mode)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was still to be written
                    pipe.close()
