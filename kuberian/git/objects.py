"""The objects of a repository by their ids, read through a git process that keeps running."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import suppress

from kuberian.git.command import Git


def hash_of(data: bytes, algorithm: str) -> str:
    """Return the object id of a blob with some content."""
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class Objects:
    """Reads blobs through `git cat-file`, started for the first one. Use it from one thread, and close it."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def content(self, oid: str) -> bytes | None:
        """Return an object's bytes; None if the repository lacks it or cannot read it."""
        answer = self._ask("--batch", oid)
        if answer is None:
            return None
        process, size = answer
        assert process.stdout is not None
        data = process.stdout.read(size)
        if len(data) < size or process.stdout.read(1) != b"\n":  # it ended inside the object: the pack is damaged
            self._end("--batch")
            return None
        return data if hash_of(data, "sha256" if len(oid) == 64 else "sha1") == oid else None

    def size(self, oid: str) -> int | None:
        """Return an object's size in bytes; None if the repository lacks it."""
        answer = self._ask("--batch-check", oid)
        return None if answer is None else answer[1]

    def close(self) -> None:
        """End the processes."""
        for mode in list(self._processes):
            self._end(mode)

    def _ask(self, mode: str, oid: str) -> tuple[subprocess.Popen[bytes], int] | None:
        """Ask for an object. Return the process, with its output at the object's bytes, and how many bytes they are."""
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
        if not header:  # git ended at this object: the next one starts it again
            self._end(mode)
        return None

    def _end(self, mode: str) -> None:
        process = self._processes.pop(mode)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # some input may not be written yet
                    pipe.close()
