"""Whether a result's lines are still where the index saw them: found, moved, changed or gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kuberian.store.texts import lines_of


@dataclass(frozen=True, slots=True)
class Lines:
    """Where a chunk's lines are now. `stale`: the file no longer has them as they were indexed."""

    start_line: int
    end_line: int
    stale: bool


class WorkingFiles:
    """The lines of files on disk, each read once."""

    def __init__(self) -> None:
        self._lines: dict[tuple[Path, str], list[str] | None] = {}

    def locate(self, file: Path, encoding: str, indexed: list[str], start_line: int) -> Lines | None:
        """Return where the lines that were indexed at `start_line` are in the file now; None if the file is gone.

        If the file has them several times, the place nearest to `start_line` is taken.
        """
        current = self._read(file, encoding)
        if current is None:
            return None
        end_line = start_line + len(indexed) - 1
        if current[start_line - 1 : end_line] == indexed:
            return Lines(start_line, end_line, stale=False)
        starts = [
            number
            for number, line in enumerate(current, 1)
            if line == indexed[0] and current[number - 1 : number - 1 + len(indexed)] == indexed
        ]
        if starts:
            moved = min(starts, key=lambda number: (abs(number - start_line), number))
            return Lines(moved, moved + len(indexed) - 1, stale=False)
        return Lines(min(start_line, len(current)), min(end_line, len(current)), stale=True)

    def _read(self, file: Path, encoding: str) -> list[str] | None:
        if (file, encoding) not in self._lines:
            try:
                regular = file.is_file() and not file.is_symlink()
                text = file.read_bytes().decode(encoding, errors="replace") if regular else None
            except OSError:
                text = None
            self._lines[file, encoding] = None if text is None else lines_of(text)
        return self._lines[file, encoding]
