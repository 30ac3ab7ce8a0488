"""NumPy's BLAS on one thread, while our own threads use it."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType


class OneBlasThread(AbstractContextManager[None]):
    """A `with` block in which NumPy's BLAS stays on the calling thread; several threads may be inside at a time.

    Otherwise BLAS starts threads of its own and each of ours waits for all of them: up to 20 times slower. And two
    threads that share a product sum it in another order, so that a text's vector would depend on who embeds it.

    OpenBLAS has one number of threads for the process, and threadpoolctl lets only that thread change it which changed
    it first; what others ask for is silently not done. So one thread of our own sets the limit, waits, and lifts it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._left = threading.Event()
        self._keeper = threading.Thread()

    def __enter__(self) -> None:
        """Limit BLAS to one thread when the first thread comes."""
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                limited, self._left = threading.Event(), threading.Event()
                self._keeper = threading.Thread(target=_keep_limited, args=(limited, self._left), daemon=True)
                self._keeper.start()
                limited.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give BLAS its threads back when the last thread leaves."""
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._left.set()
                self._keeper.join()


def _keep_limited(limited: threading.Event, left: threading.Event) -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    try:
        with threadpool_limits(1, user_api="blas"):
            limited.set()
            left.wait()
    finally:
        limited.set()  # also if there is no limit to be had: nobody waits for ever


# The one limit of the process: two of them would lift each other's.
ONE_BLAS_THREAD = OneBlasThread()
