"""What a file is cut into: chunks, and the names that are defined in them."""

from __future__ import annotations

from dataclasses import dataclass

# It grows when chunks or passages change, so that stored blobs are cut again.
CHUNKER_VERSION = 14


@dataclass(frozen=True, slots=True)
class Name:
    """Something that is defined in a chunk: its own definition, one inside of it, a field, a member of an enum."""

    # Line of the definition itself, from 1: below its decorators and comments. If there are several equations or
    # overloads, each has a name of its own.
    line: int
    kind: str
    # As it is written where it is defined: "serve".
    name: str
    # Scope and name: "Server.Handler.serve".
    symbol: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines of a file that belong together. Lines count from 1, both ends included; only a line feed ends a line."""

    start_line: int
    end_line: int
    # function, method, class, …; "code" for lines that define nothing or several things, "text" without a grammar.
    kind: str
    # Scope and name: "Server.Handler.serve".
    symbol: str | None
    # One line.
    signature: str | None
    # The definition around it: "Server.Handler".
    scope: str | None
    # The text of the docstring or of the comment above.
    doc: str | None
    # 0: all of the definition that is in no chunk of its own. If a definition is cut into parts: 1 for the part with
    # its head, 2 … for the others.
    part: int = 0
    # All that is defined on the chunk's lines, in their order. If a definition is cut into parts, or its members are
    # chunks of their own, each name is in the chunk that has its line.
    names: tuple[Name, ...] = ()
