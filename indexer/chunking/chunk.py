"""What a file is cut into: chunks, and the names that are defined in them."""

from __future__ import annotations

from dataclasses import dataclass

CHUNKER_VERSION = 14
"""Grows when chunks or passages change, so that stored blobs are cut again."""


@dataclass(frozen=True, slots=True)
class Name:
    """Something that is defined in a chunk: its own definition, one inside of it, a field, a member of an enum."""

    line: int
    """Line of the definition itself, from 1: below decorators and comments. One of several equations or overloads has
    a name for each."""
    kind: str
    name: str
    """As it is written where it is defined: "serve"."""
    symbol: str
    """Scope and name: "Server.Handler.serve"."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines of a file that belong together. Lines count from 1, both ends included; only a line feed ends a line."""

    start_line: int
    end_line: int
    kind: str
    """function, method, class, …; "code" for what defines nothing or several things, "text" without a grammar."""
    symbol: str | None
    """Scope and name: "Server.Handler.serve"."""
    signature: str | None
    """One line."""
    scope: str | None
    """What encloses it: "Server.Handler"."""
    doc: str | None
    """What the docstring or the comment above says."""
    part: int = 0
    """0: all of the definition that is in no chunk of its own. Of a definition cut into parts: 1 for the one with its
    head, 2 … for the others."""
    names: tuple[Name, ...] = ()
    """All that is defined on the chunk's lines, in their order. Of a definition that is cut into parts or whose members
    are chunks of their own, each name is in the chunk that has its line."""
