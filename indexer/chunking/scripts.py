"""Scripts in a page: what they define is found with the grammar of their own language."""

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
    """`page` with what the scripts in it define, as parts of the definitions of kind "script"."""
    rows: dict[str, dict[int, int]] = {}  # language -> row -> index of the script that it is in
    for index, d in enumerate(page.definitions):
        if d.kind == "script" and (content := _content(d, lines)):
            language, first = content
            rows.setdefault(language, {}).update(dict.fromkeys(range(first, d.end), index))
    inner = [found for language, inside in rows.items() if (found := _outline(language, inside, page, lines))]
    return _merged(page, inner) if inner else page


def _content(script: Definition, lines: list[str]) -> tuple[str, int] | None:
    """The language of a script, and the row where its content begins."""
    first = script.line
    while first < script.end and ">" not in lines[first]:
        first += 1
    if first + 1 >= script.end:
        return None
    tag = " ".join(lines[script.line : first + 1])
    said = _LANGUAGE.search(tag) or _TYPE.search(tag)
    language = _LANGUAGES.get(said[1].lower() if said else "")
    return (language, first + 1) if language else None


def _outline(language: str, inside: dict[int, int], page: Outline, lines: list[str]) -> Outline | None:
    """The outline of all scripts of one language, as one file in which everything else is blank."""
    grammar = load(language)
    if grammar is None:
        return None
    kept = [line if row in inside else "" for row, line in enumerate(lines)]
    found = outline("\n".join(kept), kept, grammar)
    if found is None:
        return None
    scripts = []
    script = next(iter(inside.values()))
    for d in found.definitions:
        script = inside.get(d.line, script)
        end = min(d.end, page.definitions[script].end - 1)  # what is never closed would go on in the next script
        scripts.append(replace(d, end=end, parent=d.parent if d.parent >= 0 else -1 - script))
    return replace(found, definitions=tuple(scripts))


def _merged(page: Outline, scripts: list[Outline]) -> Outline:
    """The definitions of the page and of its scripts in document order; in scripts, parent -1 - i is the page's i."""
    outlines = [page, *scripts]
    places: dict[tuple[int, int], int] = {}  # where each begins, but never above what it is in
    for which, found in enumerate(outlines):
        for index, d in enumerate(found.definitions):
            outer = (which, d.parent) if d.parent >= 0 else (0, -1 - d.parent)
            places[which, index] = max(d.start, places[outer] if which or d.parent >= 0 else 0)
    order = sorted(places, key=lambda one: (places[one], one))
    new = {one: position for position, one in enumerate(order)}
    definitions = []
    for which, index in order:
        d = outlines[which].definitions[index]
        if d.parent >= 0:
            parent = new[which, d.parent]
        else:
            parent = new[0, -1 - d.parent] if which else -1
        definitions.append(replace(d, parent=parent))
    borders = dict(page.borders)
    for found in scripts:
        borders.update((row, depth + 1) for row, depth in found.borders.items())
    members = page.members + tuple(member for found in scripts for member in found.members)
    return Outline(tuple(definitions), borders, members)
