"""Worker processes that cut files, as many at a time as there are cores.

Cutting takes most of the first phase's time, so it is worth the cores. And a grammar is native code, made by others,
that meets any file of a repository. A worker that crashes, or does not come to an end, is replaced, and the file is
tried once more; if that fails too, the file is cut by its lines. A worker ends by itself when its parent is gone.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kuberian.cores import available_cores

if TYPE_CHECKING:
    from types import TracebackType

    from indexer.chunking.cutting import FileRows
    from indexer.source.reading import Reading

# Each worker takes some 60 MB. With more than four, the process that writes their rows is the slower end.
MOST = 4
# One more worker pays for each so many bytes to cut.
BYTES_EACH = 1_000_000

# A parse may take a second (indexer/chunking/grammar.py): a worker that takes this long is stuck in native code.
LONGEST_SECONDS = 60.0

# A worker imports modules from where this process does, and not from the working directory: that may be anyone's.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from indexer.chunking.worker import main; main()"


class Workers:
    """Workers for `total_bytes` to cut, started as they are needed. Use it as a context manager."""

    def __init__(self, total_bytes: int, program: str = _PROGRAM) -> None:
        self.count = min(available_cores(), MOST, 1 + total_bytes // BYTES_EACH)
        self._program = program.format(path=sys.path)
        self._threads = ThreadPoolExecutor(self.count, "cut")  # one thread for each worker
        self._this_thread = threading.local()
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in running:
            _reap(process)

    def cut(self, path: str, data: bytes, reading: Reading | None = None) -> Future[FileRows]:
        """Have a worker cut a file; the arguments and what the future gives are those of `chunking.cutting.rows`.

        The future raises RuntimeError if cutting fails, or if each worker ended before it answered.
        """
        return self._threads.submit(self._cut, path, data, {"reading": reading} if reading else {})

    def _cut(self, path: str, data: bytes, options: dict[str, Any]) -> FileRows:
        for by_grammar in (True, True, False):
            worker = self._worker()
            try:
                file_rows = _ask(worker, path, data, {**options, "by_grammar": by_grammar})
            except (EOFError, OSError, pickle.UnpicklingError):
                self._drop(worker)
                continue
            if not by_grammar:
                warnings.warn(f"{path}: its grammar crashed twice, so it is cut by its lines", stacklevel=2)
            return file_rows
        raise RuntimeError(f"no worker can cut {path!r}: each ended before it answered")

    def _worker(self) -> subprocess.Popen[bytes]:
        """Return this thread's worker."""
        worker: subprocess.Popen[bytes] | None = getattr(self._this_thread, "worker", None)
        if worker is None:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the workers have been closed")
                worker = subprocess.Popen(
                    [sys.executable, "-c", self._program],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is for the parent, which ends its workers in order
                )
                self._running.add(worker)
            self._this_thread.worker = worker
        return worker

    def _drop(self, worker: subprocess.Popen[bytes]) -> None:
        """End this thread's worker; the next call of `_worker` starts another."""
        self._this_thread.worker = None
        worker.kill()
        with self._lock:
            self._running.discard(worker)
        _reap(worker)


def _ask(worker: subprocess.Popen[bytes], path: str, data: bytes, options: dict[str, Any]) -> FileRows:
    """Have one worker cut a file. A worker that takes more than LONGEST_SECONDS is killed."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    limit = threading.Timer(LONGEST_SECONDS, worker.kill)
    limit.start()
    try:
        pickle.dump((path, data, options), worker.stdin, pickle.HIGHEST_PROTOCOL)
        worker.stdin.flush()
        answer: FileRows | Exception = pickle.load(worker.stdout)
    finally:
        limit.cancel()
    if isinstance(answer, Exception):
        raise RuntimeError(f"cutting {path!r} failed: {answer!r}") from answer
    return answer


def _reap(worker: subprocess.Popen[bytes]) -> None:
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(OSError):  # closing writes what is left, and nobody reads any more
                pipe.close()
