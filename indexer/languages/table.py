"""All that is known of each language, in one table, and which language a file is in.

A new language is a row in indexer/*_rows*.py, and a fixture in tests/chunks. A row says
how files of the language are recognised, which wheel holds its grammar, and which syntax nodes define what. The cutting
itself (indexer/chunking/chunks.py) knows no language.
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


# Characters in which a C++ header's first class is found, below a long licence too.
HEAD = 16_384


def detect(path: str, text: str = "") -> str | None:
    """The language of a file as results name it, by its name, its extension, or the interpreter in its first line.

    `text`: its content, of which the beginning is looked at. None: text of no known language.
    """
    head = text[:HEAD]
    name = path.rsplit("/", 1)[-1].lower()
    found = _BY_FILENAME.get(name)
    if found is None and name.startswith(("dockerfile.", "containerfile.")):
        found = "dockerfile"
    if found is None and "." in name:
        found = _by_extension(name)
    if found == "c" and name.endswith(".h") and _CPP_HEADER.search(head):
        return "cpp"
    if found is None and head.startswith("#!"):
        found = _by_shebang(head.split("\n", 1)[0])
    return found


@lru_cache(maxsize=4096)
def _by_extension(name: str) -> str | None:
    """The language of the longest known extension: `a.blade.php` may differ from `a.php`."""
    parts = name.split(".")
    for start in range(1, len(parts)):
        if found := _BY_EXTENSION.get(".".join(parts[start:])):
            return found
    return None


def _by_shebang(line: str) -> str | None:
    match = _SHEBANG.match(line)
    if not match:
        return None
    command, argument = match.groups()
    if command == "env" and argument:
        command = argument.rsplit("/", 1)[-1]
    return _BY_SHEBANG.get(command) or _BY_SHEBANG.get(re.sub(r"[\d.]+$", "", command))
