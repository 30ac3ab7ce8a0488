"""What is embedded: the passage of a chunk, the passage of a path, and the passage of a file's outline.

They are separate, so that the same bytes are embedded once, whatever their file is called and wherever it is. Ranking
adds up their similarities to a question: a path is worth as much there as inside the passage, or more (the table in
docs/chunking.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

from kuberian.words import parts, words

# More than the encoder's 256 tokens. It bounds the time to tokenize a line without an end.
MAX_CHARS = 2400


class Described(Protocol):
    """What a passage says of a chunk besides its code. A `Chunk` has it as cut, a `StoredChunk` as stored."""

    @property
    def kind(self) -> str:
        """Its kind: function, class, section …"""

    @property
    def symbol(self) -> str | None:
        """Its scope and name."""

    @property
    def scope(self) -> str | None:
        """The name of the definition that it is in."""

    @property
    def part(self) -> int:
        """The number of the part, if a definition was cut: 1, 2, …; 0 if it is whole."""


def passage(chunk: Described, code: str) -> str:
    """Return the text to embed for a chunk with the lines `code`: its kind, its scope and name, then the code.

    It depends on the file's content alone, and not on its path, so that nothing is embedded again for a renamed file.
    """
    head = []
    if chunk.symbol and (chunk.scope or chunk.part > 1):
        head.append(f"{chunk.kind} {chunk.symbol}")
    return "\n".join([*head, code])[:MAX_CHARS]


def path_passage(path: str) -> str:
    """Return the text to embed for a path: its words, compound ones whole and in parts, without the extension.

    >>> path_passage("src/authGuard/login_form.test.ts")
    'src authguard auth guard login_form login form test'
    """
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    terms = []
    for word in words(f"{folder}/{stem}"):
        terms.append(word.lower())
        pieces = parts(word)
        if len(pieces) > 1:
            terms += map(str.lower, pieces)
    return " ".join(terms)[:MAX_CHARS]


def outline_passage(names: Iterable[str]) -> str:
    """Return the text to embed for a file's outline: the names that it defines, each once, in the file's order.

    >>> outline_passage(["Session", "get", "post", "get"])
    'Session get post'
    """
    return " ".join(dict.fromkeys(names))[:MAX_CHARS]


def path_key(path: str) -> bytes:
    """Return the hash of the passage of a path."""
    return passage_hash(path_passage(path))


def passage_hash(text: str) -> bytes:
    """Return the hash of a passage: 16 bytes of BLAKE2b."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
