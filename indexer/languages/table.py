"""The language table, and the language of a file.

The rows are in the modules *_rows*.py beside this one. The cutting (indexer/chunking/chunks.py) knows no language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from indexer.languages import grammar_rows, grammar_rows_data, grammar_rows_more, line_rows, text_rows
from indexer.languages.language import Language

TABLE: tuple[Language, ...] = (
    *grammar_rows.ROWS,
    *grammar_rows_more.ROWS,
    *grammar_rows_data.ROWS,
    *line_rows.ROWS,
    *text_rows.ROWS,
)
BY_NAME: Mapping[str, Language] = {row.name: row for row in TABLE}
_BY_EXTENSION = {extension: row.name for row in TABLE for extension in row.extensions}
_BY_FILENAME = {name.lower(): row.name for row in TABLE for name in row.filenames}
_BY_SHEBANG = {command: row.name for row in TABLE for command in row.shebangs}

_SHEBANG = re.compile(r"#!\s*(?:\S*/)?([^/\s]+)(?:[ \t]+(?:-\S+[ \t]+|\w+=\S+[ \t]+)*(\S+))?")
_CPP_HEADER = re.compile(
    r"^\s*(?:class|namespace|template|using|public:|private:|protected:)\b|\bstd::|::", re.MULTILINE
)

# Characters at the beginning of a file that are read. A C++ header's first class is in them, below a long licence too.
_HEAD = 16_384


def detect(path: str, text: str = "") -> str | None:
    """Return the language of a file, as results name it; None for text of no known language.

    The full name decides first, then the longest known extension, then the interpreter in the first line. `text` is the
    file's content; only its beginning is read.
    """
    head = text[:_HEAD]
    name = path.rsplit("/", 1)[-1].lower()
    language = _BY_FILENAME.get(name)
    if language is None and name.startswith(("dockerfile.", "containerfile.")):
        language = "dockerfile"
    if language is None and "." in name:
        language = _by_extension(name)
    if language == "c" and name.endswith(".h") and _CPP_HEADER.search(head):
        return "cpp"
    if language is None and head.startswith("#!"):
        language = _by_shebang(head.split("\n", 1)[0])
    return language


@lru_cache(maxsize=4096)
def _by_extension(name: str) -> str | None:
    """Return the language of the longest known extension: `a.blade.php` may differ from `a.php`."""
    parts = name.split(".")
    for start in range(1, len(parts)):
        if language := _BY_EXTENSION.get(".".join(parts[start:])):
            return language
    return None


def _by_shebang(line: str) -> str | None:
    """Return the language of the interpreter in a line that begins with "#!"; None if it is not known."""
    match = _SHEBANG.match(line)
    if not match:
        return None
    command, argument = match.groups()
    if command == "env" and argument:
        command = argument.rsplit("/", 1)[-1]
    return _BY_SHEBANG.get(command) or _BY_SHEBANG.get(re.sub(r"[\d.]+$", "", command))
