"""Scripts in a page: the grammar of their own language finds their definitions."""

from __future__ import annotations

import re
from dataclasses import replace

from indexer.chunking.grammar import load
from indexer.chunking.outline import Definition, Outline, outline

_TYPE = re.compile(r"\btype\s*=\s*[\"']?([\w/+.-]+)")
_LANGUAGE = re.compile(r"\blang\s*=\s*[\"']?(\w+)")
_LANGUAGES = {
    **dict.fromkeys(("", "js", "javascript", "jsx", "module", "text/javascript", "text/babel"), "javascript"),
    **dict.fromkeys(("application/javascript",), "javascript"),
    **dict.fromkeys(("ts", "typescript"), "typescript"),
    "tsx": "tsx",
}


def with_scripts(page: Outline, lines: list[str]) -> Outline:
    """Return `page` with the definitions of its scripts, each inside of its definition of kind "script"."""
    languages: dict[str, dict[int, int]] = {}  # language -> row -> index of the script around that row
    for index, d in enumerate(page.definitions):
        if d.kind == "script" and (content := _content(d, lines)):
            language, first = content
            languages.setdefault(language, {}).update(dict.fromkeys(range(first, d.end), index))
    outlines = [_outline(language, script_of, page, lines) for language, script_of in languages.items()]
    inner = [scripts for scripts in outlines if scripts]
    return _merge(page, inner) if inner else page


def _content(script: Definition, lines: list[str]) -> tuple[str, int] | None:
    """Return the language of a script and the row where its content begins; None if it has no content or no grammar."""
    first = script.line
    while first < script.end and ">" not in lines[first]:
        first += 1
    if first + 1 >= script.end:
        return None
    tag = " ".join(lines[script.line : first + 1])
    attribute = _LANGUAGE.search(tag) or _TYPE.search(tag)
    language = _LANGUAGES.get(attribute[1].lower() if attribute else "")
    return (language, first + 1) if language else None


def _outline(language: str, script_of: dict[int, int], page: Outline, lines: list[str]) -> Outline | None:
    """Return the outline of all scripts of one language. They are parsed as one file, with all other lines blank."""
    grammar = load(language)
    if grammar is None:
        return None
    kept = [line if row in script_of else "" for row, line in enumerate(lines)]
    scripts = outline("\n".join(kept), kept, grammar)
    if scripts is None:
        return None
    definitions = []
    script = next(iter(script_of.values()))
    for d in scripts.definitions:
        script = script_of.get(d.line, script)
        end = min(d.end, page.definitions[script].end - 1)  # an unclosed definition would go on in the next script
        definitions.append(replace(d, end=end, parent=d.parent if d.parent >= 0 else -1 - script))
    return replace(scripts, definitions=tuple(definitions))


def _merge(page: Outline, scripts: list[Outline]) -> Outline:
    """Return one outline of the page and its scripts, with the definitions in document order.

    In the outlines of scripts, a parent below 0 is a definition of the page: -1 - i for its index i.
    """
    outlines = [page, *scripts]
    # (number of the outline, index in it) -> row where the definition begins, but never above its parent
    rows: dict[tuple[int, int], int] = {}
    for number, outline_ in enumerate(outlines):
        for index, d in enumerate(outline_.definitions):
            outer = (number, d.parent) if d.parent >= 0 else (0, -1 - d.parent)
            rows[number, index] = max(d.start, rows[outer] if number or d.parent >= 0 else 0)
    order = sorted(rows, key=lambda place: (rows[place], place))
    positions = {place: position for position, place in enumerate(order)}
    definitions = []
    for number, index in order:
        d = outlines[number].definitions[index]
        if d.parent >= 0:
            parent = positions[number, d.parent]
        else:
            parent = positions[0, -1 - d.parent] if number else -1
        definitions.append(replace(d, parent=parent))
    borders = dict(page.borders)
    for script in scripts:
        borders.update((row, depth + 1) for row, depth in script.borders.items())
    members = page.members + tuple(member for script in scripts for member in script.members)
    return Outline(tuple(definitions), borders, members)
