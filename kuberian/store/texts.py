"""File contents in the database, and the lines of a chunk out of them."""

from __future__ import annotations

import sqlite3
import zlib

# Level 6 makes source code a fourth of its size at some 40 MB/s; reading one back costs about 3 ms a megabyte.
LEVEL = 6


def storable(text: str) -> str:
    """Return the text with lone surrogates replaced, which UTF-8 and so SQLite cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def deflate(text: str) -> bytes:
    """Return a text, which must be `storable`, as it is stored."""
    return zlib.compress(text.encode("utf-8"), LEVEL)


def inflate(stored: bytes) -> str:
    """Return a stored text. Raises sqlite3.DatabaseError, as SQLite does for what it checks, if it is damaged."""
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
