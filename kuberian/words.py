"""Words for full-text search: an identifier is kept whole and also split at camelCase, snake_case and digits.

The indexer writes these words and the searcher looks them up, so both take them from here. If `searchable` changes,
every full-text row changes: raise `WORDS_VERSION`, and the next index run writes the rows again.
"""

from __future__ import annotations

import re
from functools import lru_cache

WORDS_VERSION = 1

# SQLite's tokenizer for all full-text tables: Unicode words without accents, `_` as part of a word, English stems.
TOKENIZER = "porter unicode61 remove_diacritics 2 tokenchars '_'"

_WORD = re.compile(r"\w+")
# Capitals, up to the one that begins a word (HTTP|Server); a word with or without a capital; a number.
_PART = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|\d+")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, which has spaces and line ends between them."""
    return frozenset(text.split())


@lru_cache(maxsize=65536)
def parts(identifier: str) -> tuple[str, ...]:
    """Return the parts of an identifier in order, as written: `parseHTTPUrl_v2` -> parse, HTTP, Url, v, 2."""
    return tuple(_PART.findall(identifier))


@lru_cache(maxsize=65536)
def _parts_of_compound(identifier: str) -> str:
    pieces = parts(identifier)
    return " ".join(pieces) + " " if len(pieces) > 1 else ""


def words(text: str) -> list[str]:
    """Return the words of a text in order, identifiers whole."""
    return _WORD.findall(text)


def searchable(text: str) -> str:
    """Return the text and, after it, the parts of each compound identifier, as often as the identifier occurs."""
    return text + "\n" + "".join(map(_parts_of_compound, words(text)))
