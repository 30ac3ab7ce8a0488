"""File contents in the database, and the lines of a chunk in them."""

from __future__ import annotations

import sqlite3
import zlib

# zlib's level 6 makes source code a fourth of its size at some 40 MB/s. To read it back takes about 3 ms a megabyte.
LEVEL = 6


def storable(text: str) -> str:
    """Return the text with lone surrogates replaced: UTF-8, and so SQLite, cannot hold them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def deflate(text: str) -> bytes:
    """Return a text as it is stored. It must be `storable`."""
    return zlib.compress(text.encode("utf-8"), LEVEL)


def inflate(stored: bytes) -> str:
    """Return a stored text. Raises sqlite3.DatabaseError if it is damaged, as SQLite does for other damage."""
    try:
        return zlib.decompress(stored).decode("utf-8")
    except (zlib.error, UnicodeDecodeError) as error:
        raise sqlite3.DatabaseError(f"a file's content is corrupt: {error}") from error


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text without their ends. Only "\n" ends a line, as in grep and git."""
    lines = text.split("\n")
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def slice_lines(lines: list[str], start_line: int, end_line: int) -> str:
    """Return the lines start..end (1-based, inclusive) as one text."""
    return "\n".join(lines[start_line - 1 : end_line])
