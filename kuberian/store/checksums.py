"""Whether a home's files are as they were written: sizes, times and checksums, noted when a writer is done.

SQLite notices damage to its own structure, but not a flipped byte in a row; FAISS does not notice one in a vector. So
each writer leaves the note `kuberian.sum`. A file with the size and time of the note is trusted. One that differs was
copied, restored or tampered with: it is read and its CRC-32 compared, which takes about 0.1 s for 100 MB. A writer
removes the note before it changes anything. Without a note, every file is trusted.

(A bit that flips on the disk does not change the time. `kuberian doctor --check` reads everything.)
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
    """Note the files (paths below the folder) as they are now. The note of an unchanged file is kept."""
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
    """Remove the note of a file that is about to change."""
    noted = _noted(folder)
    if noted is not None and noted.pop(name, None) is not None:
        _write(folder, noted)


def damaged(folder: Path, name: str, *, thorough: bool = False) -> bool:
    """Tell whether the note shows that a file is not as it was written. `thorough`: read it in any case."""
    noted = _noted(folder)
    expected = noted.get(name) if noted else None
    if expected is None:
        return False
    try:
        state = (folder / name).stat()
        if _same(expected, state) and not thorough:
            return False
    except OSError:
        return False
    differs = state.st_size != expected["size"]
    if not differs:
        (content,) = apart.read([folder / name])
        differs = content is not None and content.crc32 != expected["crc32"]
    # If a writer has begun meanwhile, the note is gone or another one.
    return differs and (_noted(folder) or {}).get(name) == expected


def _same(expected: dict[str, int], state: os.stat_result) -> bool:
    time_now, time_then = state.st_mtime_ns, expected["mtime_ns"]
    whole_second = time_then // 1_000_000_000 * 1_000_000_000  # tar, rsync and image layers keep no more
    return state.st_size == expected["size"] and time_now in (time_then, whole_second)


def _noted(folder: Path) -> dict[str, Any] | None:
    try:
        noted = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(noted, dict):
        return None
    return {name: file for name, file in noted.items() if _is_note(file)}


def _is_note(file: object) -> bool:
    """Tell whether a file's note is one. Another program, or a person, may have written it."""
    return isinstance(file, dict) and all(type(file.get(key)) is int for key in ("size", "mtime_ns", "crc32"))


def _write(folder: Path, noted: dict[str, Any]) -> None:
    """Replace the note as a whole. On a full disk there is none."""
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
