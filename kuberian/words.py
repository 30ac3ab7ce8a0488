"""Words for full-text search: an identifier is kept whole and also split at camelCase, snake_case and digits.

The indexer writes these words and the searcher looks them up, so both take them from here. If `searchable` changes,
every full-text row changes: raise `WORDS_VERSION`, and the next index run writes the rows again.
"""

from __future__ import annotations

import re
from functools import lru_cache

WORDS_VERSION = 2

# SQLite's tokenizer for all full-text tables: Unicode words without accents, `_` as part of a word, English stems.
TOKENIZER = "porter unicode61 remove_diacritics 2 tokenchars '_'"

# Letters of scripts that are written without spaces between the words: Thai and Lao, Burmese, Khmer, Japanese, Chinese,
# and Korean, whose particles follow without a space.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
_UNSPACED_RUN = re.compile(rf"[{_UNSPACED}]+")
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
    """Return the words of a text in order, identifiers whole. A run without spaces between its words is one of them."""
    return _WORD.findall(text)


def is_run(word: str) -> bool:
    """Tell whether a word is a run of letters of a script that is written without spaces."""
    return _UNSPACED_RUN.fullmatch(word) is not None


def pairs(run: str) -> list[str]:
    """Return the pairs of neighbouring letters of a run, in order; a run of one letter is its own pair.

    A word in the run is found by its pairs, whatever stands around it: what search engines do with Chinese, Japanese
    and Korean where there is no dictionary (Lucene's CJKAnalyzer).

    >>> pairs("管理员")
    ['管理', '理员']
    """
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def searchable(text: str) -> str:
    """Return the text and what else it is found by: the parts of compound identifiers, and the pairs of runs.

    The parts of an identifier come as often as the identifier does. After the pairs comes the last letter of the run,
    so that every letter begins one of the tokens.
    """
    found = text + "\n" + "".join(map(_parts_of_compound, words(text)))
    if text.isascii():
        return found
    runs = (run for run in _UNSPACED_RUN.findall(text) if len(run) > 1)
    return found + "".join(" ".join([*pairs(run), run[-1]]) + "\n" for run in runs)
