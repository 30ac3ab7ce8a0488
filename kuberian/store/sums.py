"""Whether a home's files are the bytes that were written: sizes, times and checksums, noted when a writer is done.

SQLite notices damage to its own structure, but not a flipped byte in a row, nor does FAISS in a vector. So the last
writer leaves `kuberian.sum`. A file with the size and time that stand there is trusted; one that differs, because it
was copied, restored or tampered with, is read and its CRC-32 compared, which takes about 0.1 s for 100 MB. A writer
takes the note away before it changes anything: without it nothing is claimed.

(A disk that flips a bit leaves the time alone: `kuberian doctor --check` reads everything.)
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from kuberian.store import apart

FILE = "kuberian.sum"


def note(folder: Path, names: list[str]) -> None:
    """Write down the files (paths below the folder) as they are now; what was noted of an unchanged one is kept."""
    before = _noted(folder) or {}
    noted: dict[str, dict[str, int]] = {}
    changed: dict[str, os.stat_result] = {}
    for name in names:
        with suppress(OSError):
            state = (folder / name).stat()
            if name in before and _same(before[name], state):
                noted[name] = before[name]
            else:
                changed[name] = state
    contents = apart.read([folder / name for name in changed])
    for (name, state), content in zip(changed.items(), contents, strict=True):
        if content is not None:
            noted[name] = {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "crc32": content.crc32}
    _write(folder, noted)


def forget(folder: Path, name: str) -> None:
    """Take away what was noted of a file that is about to change."""
    noted = _noted(folder)
    if noted is not None and noted.pop(name, None) is not None:
        _write(folder, noted)


def damaged(folder: Path, name: str, *, thorough: bool = False) -> bool:
    """Tell whether a file is known not to be what was written; `thorough` reads it whatever its size and time."""
    noted = _noted(folder)
    known = noted.get(name) if noted else None
    if known is None:
        return False
    try:
        state = (folder / name).stat()
        if _same(known, state) and not thorough:
            return False
    except OSError:
        return False
    differs = state.st_size != known["size"]
    if not differs:
        (content,) = apart.read([folder / name])
        differs = content is not None and content.crc32 != known["crc32"]
    # A writer may have begun meanwhile: then the note is gone, or another.
    return differs and (_noted(folder) or {}).get(name) == known


def _same(known: dict[str, int], state: os.stat_result) -> bool:
    at, then = state.st_mtime_ns, known["mtime_ns"]
    # tar, rsync and image layers keep whole seconds only.
    return state.st_size == known["size"] and (at == then or at == then // 1_000_000_000 * 1_000_000_000)


def _noted(folder: Path) -> dict[str, Any] | None:
    try:
        noted = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return noted if isinstance(noted, dict) else None


def _write(folder: Path, noted: dict[str, Any]) -> None:
    """Replace the note as a whole. On a full disk there is none: then nothing is claimed."""
    temporary = folder / f"{FILE}.new"
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(noted, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / FILE)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
            (folder / FILE).unlink(missing_ok=True)
