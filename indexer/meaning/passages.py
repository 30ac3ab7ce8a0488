"""What is embedded: the passage of a chunk, the passage of a path, and the passage of a file's outline.

They are apart so that the same bytes are embedded once, wherever they lie and whatever their file is called. Their
similarities to a question are added up: what a path says is worth as much as in the passage itself, or more (the table
in docs/chunking.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

from kuberian.words import parts, words

# More than the encoder's 256 tokens hold; bounds what one endless line costs to tokenize.
MAX_CHARS = 2400


class Described(Protocol):
    """What a passage says of a chunk besides its code: a `Chunk` as it was cut, or as it is stored."""

    @property
    def kind(self) -> str:
        """What it is: function, class, section …"""

    @property
    def symbol(self) -> str | None:
        """Its scope and name."""

    @property
    def scope(self) -> str | None:
        """The name of what it is in."""

    @property
    def part(self) -> int:
        """Which part of a definition that was cut: 1, 2, …; 0 where it is whole."""


def passage(chunk: Described, code: str) -> str:
    """Return the text that is embedded for a chunk with the lines `code`: what it is, where it belongs, then the code.

    A function of the file's content alone, without its path, so that renaming a file embeds nothing again.
    """
    head = []
    if chunk.symbol and (chunk.scope or chunk.part > 1):
        head.append(f"{chunk.kind} {chunk.symbol}")
    return "\n".join([*head, code])[:MAX_CHARS]


def path_passage(path: str) -> str:
    """Return the text that is embedded for a path: its words, compound ones whole and in parts, without the extension.

    >>> path_passage("src/authGuard/login_form.test.ts")
    'src authguard auth guard login_form login form test'
    """
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    found = []
    for word in words(f"{folder}/{stem}"):
        found.append(word.lower())
        pieces = parts(word)
        if len(pieces) > 1:
            found += map(str.lower, pieces)
    return " ".join(found)[:MAX_CHARS]


def outline_passage(names: Iterable[str]) -> str:
    """Return the text that is embedded for a file's outline: what it defines, each name once, in the file's order.

    >>> outline_passage(["Session", "get", "post", "get"])
    'Session get post'
    """
    return " ".join(dict.fromkeys(names))[:MAX_CHARS]


def path_key(path: str) -> bytes:
    """Return the key of the passage of a path."""
    return passage_hash(path_passage(path))


def passage_hash(text: str) -> bytes:
    """Return the key of a passage: 16 bytes of BLAKE2b."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
