"""From the bytes of a file to its text, or the reason why it is not worth indexing.

Nothing here raises, and nothing here is slow on a large file: guesses look at a piece of bounded size.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass

from indexer.source.noise import reason_to_skip, skip_by_name
from kuberian.words import word_set

# Larger files are data or bundles far more often than code that somebody wrote.
MAX_BYTES = 1_000_000

# Bytes that encoding guesses and magic numbers look at; charset-normalizer needs some 20 ms for as much.
_HEAD = 4096

# Characters. Formatters wrap near 100; the longest hand-written lines (prose, tables, URLs) stay below this.
_LONG_LINE = 2000

# Characters. Below it, one long line is a small data file, which costs one chunk and may answer a question.
_MIN_MINIFIED = 4096

# Extensions of languages that minifiers write. In any other a long line is data: an icon, a plot, a table.
_MINIFIABLE = word_set("css geojson htm html js json jsonl jsx mjs cjs less scss svg ts tsx xhtml xml")

# What minified code has every few characters, and an image in base64, a font or a path of a drawing has not.
_CODE_SIGNS = re.compile(r"[(){};<>]")

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x7fELF")
_CONTROL = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}) + b"\x7f"
_NON_ASCII = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Text:
    """A file that was decoded. Its line ends are as in the bytes: nothing is normalised."""

    text: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out, and why: "binary", "oversized", "generated", "minified", "lock file", "empty", …"""

    reason: str


def read_text(
    path: str, data: bytes, max_bytes: int = MAX_BYTES, by_hand: bool = False, encoding: str | None = None
) -> Text | Skipped:
    """Decode the bytes of the file at `path` (relative to the repository), or say why the file is left out.

    `by_hand` says that the file is not generated, whatever its name or its first lines suggest. `encoding` is tried
    first on bytes without a byte order mark.

    UTF-8 is read with or without a byte order mark, UTF-16 and UTF-32 with one. Other bytes with a NUL are binary. All
    others are in one of the old encodings: charset-normalizer guesses it from a bounded piece, else it is Latin-1,
    which fits all bytes.
    """
    if reason := skip_by_name(path, by_hand):
        return Skipped(reason)
    if len(data) > max_bytes:
        return Skipped("oversized")
    decoded = _decode(data, encoding)
    if decoded is None:
        return Skipped("binary")
    if not decoded.text or decoded.text.isspace():
        return Skipped("empty")
    if reason := reason_to_skip(decoded.text, by_hand):
        return Skipped(reason)
    if _is_minified(path, decoded.text):
        return Skipped("minified")
    return decoded


def _decode(data: bytes, said: str | None = None) -> Text | None:
    """Return the text of `data`, perhaps in the encoding that it is `said` to be in; None if it is binary."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data.decode(encoding, errors="replace")
            return None if _is_garbled(text) else Text(text, encoding)
    if said is not None:
        with suppress(UnicodeError):
            text = data.decode(said)
            if "\0" not in text:
                return Text(text, said)
    if b"\0" in data or data.startswith(_MAGIC):
        return None
    head = data[:_HEAD]
    if len(head) - len(head.translate(None, _CONTROL)) > len(head) // 10:
        return None
    try:
        return Text(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return _decode_legacy(data)


def _is_garbled(text: str) -> bool:
    """Tell whether a text with a byte order mark is none after all: it holds NULs, or more than a tenth is errors."""
    return "\0" in text or text.count("\ufffd") > len(text) // 10


def _decode_legacy(data: bytes) -> Text:
    """Decode text that is not valid UTF-8 throughout."""
    text = data.decode("utf-8", errors="replace")
    errors = text.count("\ufffd")
    others = len(text) - errors - len(data.translate(None, bytes(range(128, 256))))
    if others > 4 * errors:  # UTF-8 with a few damaged bytes: a guess would turn every good character into noise
        return Text(text, "utf-8")
    encoding = _guess_encoding(data)
    return Text(data.decode(encoding, errors="replace"), encoding)


def _guess_encoding(data: bytes) -> str:
    """Guess the encoding from a piece of `data` around its first byte that is not ASCII."""
    from charset_normalizer import from_bytes  # 40 ms to import, and hardly a repository needs it

    first = _NON_ASCII.search(data)
    start = max(0, first.start() - _HEAD // 2) if first else 0
    best = from_bytes(data[start : start + _HEAD]).best()
    if best is None or best.encoding in ("ascii", "utf_8"):
        return "latin-1"
    try:
        data[start : start + _HEAD].decode(best.encoding)
    except (UnicodeDecodeError, LookupError):
        return "latin-1"
    return best.encoding


def _is_minified(path: str, text: str) -> bool:
    """Tell whether a text is code or data that no person writes or reads, in lines that have no end.

    One long line is no sign of that where a person wrote the others.
    """
    if len(text) < _MIN_MINIFIED:
        return False
    lines = text.split("\n")
    long = [line for line in lines if len(line) > _LONG_LINE]
    rest = sum(len(line.strip()) for line in lines if len(line) <= _LONG_LINE)
    if not long or not rest:
        return bool(long)
    if path.rpartition(".")[2].lower() not in _MINIFIABLE:
        return False
    return sum(len(line) for line in long if not _is_embedded(line)) > rest


def _is_embedded(line: str) -> bool:
    """Tell whether most of a line is one piece of data, as in `ICON = "iVBORw0K…"`."""
    return 2 * max(map(len, _CODE_SIGNS.split(line))) > len(line)
