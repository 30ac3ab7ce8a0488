"""Questions for names: a definition is asked for by its name, by its name in words, and by its name misspelt.

    python -m benchmarks.names DIR      # after benchmarks.functions; makes DIR/names.json
    python -m benchmarks.quality --data DIR

Of each project of `benchmarks.corpus` up to 13 names, by turns of each kind that it defines. Each definition of that
name is right, wherever it is; a declaration only where there is no definition.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.corpus import PROJECTS, Project
from benchmarks.functions import NAME
from kuberian.words import parts, word_set

PER_PROJECT = 13
_KINDS = word_set(
    """
    function method class struct union interface trait protocol enum type object mixin module constant variable field
    property macro
    """
)
# A name of more definitions is no question for one of them.
_MOST_DEFINITIONS = 8
_SHORTEST, _SHORTEST_MISSPELT = 3, 5
BY_NAME, IN_WORDS, MISSPELT = "name", "words", "misspelt"
ASKINGS = (BY_NAME, IN_WORDS, MISSPELT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    queries = write(arguments.folder)
    kinds = Counter((query["kind"], query["asking"]) for query in queries)
    for kind in sorted(_KINDS):
        print(f"{kind:<10}" + "  ".join(f"{asking} {kinds[kind, asking]:>4}" for asking in ASKINGS))
    print(f"{len(queries)} questions")


def write(folder: Path) -> list[dict[str, Any]]:
    """Write the questions of all projects that are in `folder`, and return them."""
    queries: list[dict[str, Any]] = []
    for project in PROJECTS:
        made = folder / "projects" / f"{project.folder}.json"
        if made.exists():
            queries += questions(project, json.loads(made.read_text())["definitions"])
    (folder / "names.json").write_text(json.dumps(queries, indent=1))
    return queries


def questions(project: Project, definitions: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the questions for some names of a project."""
    by_name = defaultdict(list)
    for place in definitions:
        if place["kind"] in _KINDS:
            by_name[place["name"]].append(place)
    names = sample(by_name, Random(project.name))
    for number, name in enumerate(names):
        right = [place for place in by_name[name] if not place["is_declaration"]] or by_name[name]
        for asking, query in asked(name, by_name.keys()):
            yield {
                "id": f"{project.name}/{number}/{asking}",
                "repo": project.folder,
                "language": project.language,
                "part": project.part,
                "kind": right[0]["kind"],
                "name": name,
                "asking": asking,
                "query": query,
                "targets": [
                    {field: place[field] for field in ("path", "symbol", "start_line", "line", "end_line")}
                    for place in right
                ],
            }


def sample(by_name: dict[str, list[dict[str, Any]]], random: Random) -> list[str]:
    """Return some names: by turns one of each kind."""
    by_kind = defaultdict(list)
    for name, found in by_name.items():
        if NAME.fullmatch(name) and len(name) >= _SHORTEST and len(found) <= _MOST_DEFINITIONS:
            by_kind[found[0]["kind"]].append(name)
    for names in by_kind.values():
        random.shuffle(names)
    turns = zip_longest(*(by_kind[kind] for kind in sorted(by_kind)))
    return [name for turn in turns for name in turn if name is not None][:PER_PROJECT]


def asked(name: str, known: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield the ways to ask for a name, and the questions. `known` are the project's names: no misspelling is one."""
    yield BY_NAME, name
    if said := in_words(name):
        yield IN_WORDS, said
    if len(name) >= _SHORTEST_MISSPELT and (wrong := misspelt(name)) not in known:
        yield MISSPELT, wrong


def in_words(name: str) -> str | None:
    """Return a name of several words as somebody says it; None for a name of one word.

    >>> in_words("parseHTTPHeaders")
    'parse http headers'
    """
    words = [part.lower() for part in parts(name)]
    return " ".join(words) if sum(word.isalpha() for word in words) > 1 else None


def misspelt(name: str) -> str:
    """Return a name with two letters swapped, or one letter dropped or doubled: always the same for the same name."""
    random = Random(name)
    ways = [name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(1, len(name) - 1)]
    ways += [name[:at] + name[at + 1 :] for at in range(1, len(name))]
    ways += [name[:at] + name[at] + name[at:] for at in range(1, len(name))]
    others = [way for way in ways if way != name and parts(way) != parts(name)]
    return random.choice(others)


if __name__ == "__main__":
    main()
