"""The comment above a definition, and the text of comments and documentation strings without their marks."""

from __future__ import annotations

import re
from textwrap import dedent

from indexer.languages.language import Language

_MAX_DOC = 1000
_MAX_COMMENT_ROWS = 200


def comment_above(lines: list[str], row: int, language: Language) -> int:
    """Return the first row of the comment right above `row`; `row` itself if there is none. Rows count from 0."""
    lowest = max(0, row - _MAX_COMMENT_ROWS)
    first = row
    if row > 1 and not lines[row - 1].strip() and language.block_comment:
        # a documentation comment may stand apart; any other one that stands apart may speak of something else
        begin = _block_begin(lines, row - 2, lowest, language)
        if begin is None or not lines[begin].lstrip().startswith("/**"):
            return row
        first = begin
    while first > lowest:
        above = lines[first - 1].strip()
        if above.startswith(language.line_comment) and above:
            first -= 1
            continue
        begin = _block_begin(lines, first - 1, lowest, language)
        if begin is None:
            break
        first = begin
    return first


def _block_begin(lines: list[str], row: int, lowest: int, language: Language) -> int | None:
    """Return the first row of the block comment that ends on `row`; None without one, or if code is on its lines."""
    if language.block_comment is None:
        return None
    opening, closing = language.block_comment
    if not lines[row].rstrip().endswith(closing):
        return None
    for first in range(row, lowest - 1, -1):
        if opening in lines[first]:
            return first if lines[first].lstrip().startswith(opening) else None
    return None


def clean_comment(rows: list[str], language: Language) -> str | None:
    """Return the text of a comment without its marks; None if nothing is left."""
    kept = []
    for row in rows:
        line = row.strip()
        for mark in (*(language.block_comment or ()), *language.line_comment):
            line = line.removeprefix(mark).removesuffix(mark if language.block_comment else "")
        kept.append(line.lstrip("*/!-#;=~|'% \t").rstrip("*/-#;=~ \t"))
    return "\n".join(kept).strip()[:_MAX_DOC] or None


def clean_string(text: str) -> str | None:
    """Return the text of a documentation string without its quotes and its indentation; None if nothing is left."""
    text = re.sub(r"^[A-Za-z@~]{0,3}(\"\"\"|'''|\"|')", "", text.strip())
    text = re.sub(r"(\"\"\"|'''|\"|')$", "", text)
    first, _, rest = text.partition("\n")
    return f"{first.strip()}\n{dedent(rest)}".strip()[:_MAX_DOC] or None
