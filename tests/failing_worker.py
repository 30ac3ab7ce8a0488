"""A worker to which happens, really, what its files' names say."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from indexer.chunking import worker
from indexer.chunking.cutting import FileRows, rows


def misfortune(path: str, data: bytes, *, by_grammar: bool, **options: Any) -> FileRows:
    name = Path(path).name
    if (name.startswith("crash") and by_grammar) or name.startswith("hopeless"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("once") and data:
        marker = Path(data.decode().splitlines()[0])
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("hang") and by_grammar:
        time.sleep(1000)
    if name.startswith("raise"):
        raise ValueError(f"in {name}")
    if name.startswith("print"):
        print("a library's chatter", flush=True)
        os.write(1, b"and that of native code\n")
    return rows(path, data, by_grammar=by_grammar, **options)


def main() -> None:
    worker.rows = misfortune
    worker.main()
