"""Paths in the database: text where they are valid UTF-8, else the raw bytes. In Python they are always `str`."""

from __future__ import annotations

import os


def to_column(path: str) -> str | bytes:
    """Return what is stored for a path whose undecodable bytes are surrogate escapes (as `os.fsdecode` gives)."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def from_column(stored: str | bytes) -> str:
    """Return the path of a stored column."""
    return stored if isinstance(stored, str) else os.fsdecode(stored)
