"""Questions about functions: the first sentence of a documentation comment asks, the function below it answers.

    python -m benchmarks.functions DIR [--mirrors DIR] [--anew]     # makes DIR/repos and DIR/queries.json
    python -m benchmarks.quality --data DIR

The projects are those of `benchmarks.corpus`, up to 40 functions of each (evenly spaced). All comments of their code
are blanked in the checkout that is indexed, so nothing but the code answers. --mirrors is a folder with bare clones as
owner+name/repo; without it they are cloned from GitHub. Projects that are there already are not made again.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.checkout import DECLARATIONS, SourceFile, check_out
from benchmarks.corpus import PROJECTS, Project, bare_clone
from benchmarks.sentences import question
from indexer.chunking.outline import Definition

PER_PROJECT = 40
_CALLED = frozenset({"function", "method", "constructor", "macro"})
# Languages whose files count as a project's own.
_FAMILIES = {"typescript": ("typescript", "tsx"), "cpp": ("cpp", "c"), "c": ("c", "cpp")}
# Languages with a declaration in one file and the definition in another.
_WITH_HEADERS = ("c", "cpp")
# Languages in which a method may be declared in one type and defined in others. What shows that it has a body: a brace,
# or an equals sign before its expression.
_WITH_INTERFACES = ("csharp", "dart", "java", "kotlin", "php", "rust", "scala", "swift", "tsx", "typescript")
_BODY = re.compile(r"[{=]")
# Languages in which a function is often several definitions, one for each sort of arguments.
_WITH_CLAUSES = ("elixir",)
# Names that somebody may look for: no operators, and not the one that every program has.
NAME = re.compile(r"(?!main$)[^\W\d]\w*[!?=']?")


@dataclass(frozen=True, slots=True)
class Place:
    """A definition in a checkout. Lines count from 1; `line` is its own, below decorators."""

    path: str
    kind: str
    name: str
    symbol: str
    start_line: int
    line: int
    end_line: int
    is_declaration: bool
    # Whether it is a method without a body, which other types have to define.
    is_abstract: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the places that are right: overloads, clauses, what implements an abstract method."""

    sentence: str
    places: tuple[Place, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mirrors", type=Path)
    parser.add_argument("--anew", action="store_true")
    arguments = parser.parse_args()
    queries: list[dict[str, Any]] = []
    for project in PROJECTS:
        made = arguments.folder / "projects" / f"{project.folder}.json"
        if arguments.anew or not made.exists() or json.loads(made.read_text())["project"] != asdict(project):
            make(project, arguments.mirrors, arguments.folder, made)
        questions = json.loads(made.read_text())["questions"]
        queries += [as_query(project, number, asked) for number, asked in enumerate(questions)]
    (arguments.folder / "queries.json").write_text(json.dumps(queries, indent=1))
    for made_of_them in ("names.json", "unanswerable.json"):
        (arguments.folder / made_of_them).unlink(missing_ok=True)
    counts = Counter((query["language"], query["part"]) for query in queries)
    for language in sorted({language for language, _ in counts}):
        print(f"{language:<12} fit {counts[language, 'fit']:>4}  judge {counts[language, 'judge']:>4}")
    print(f"{len(queries)} questions")


def make(project: Project, mirrors: Path | None, folder: Path, made: Path) -> None:
    """Make a project's checkout, and write its questions and all that it defines into the file `made`."""
    clone = bare_clone(project, mirrors, folder / "clones")
    files = [file for file in check_out(project, clone, folder / "repos" / project.folder) if is_own(project, file)]
    defined = {file.path: list(places(file)) for file in files}
    found = unambiguous(asked(files, defined))
    by_name = defaultdict(list)
    for defines in defined.values():
        for place in defines:
            by_name[place.name].append(place)
    chosen = [with_implementations(one, by_name) for one in spread(found, PER_PROJECT)]
    made.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "project": asdict(project),
        "questions": [asdict(question) for question in chosen],
        "definitions": [asdict(place) for defines in defined.values() for place in defines],
    }
    made.write_text(json.dumps(content))
    print(f"{project.name}: {len(chosen)} of {len(found)} functions in {len(files)} files", flush=True)


def is_own(project: Project, file: SourceFile) -> bool:
    """Tell whether a file is in the project's language, and no test, example or the like."""
    return file.is_asked_for and file.language in _FAMILIES.get(project.language, (project.language,))


def places(file: SourceFile) -> Iterator[Place]:
    """Yield all that a file defines, members of classes and enums included."""
    outline = file.outline()
    lines = file.text.split("\n")
    for d in outline.definitions:
        declares = DECLARATIONS in file.labels or is_declaration(d, lines, file.language)
        abstract = is_abstract(d, lines, file.language)
        for row in (d.line, *d.again):
            start = d.start if row == d.line else row
            yield Place(file.path, d.kind, d.name, d.symbol, start + 1, row + 1, d.end + 1, declares, abstract)
    for member in outline.members:
        row = member.row + 1
        declares = DECLARATIONS in file.labels
        yield Place(file.path, member.kind, member.name, member.symbol, row, row, row, declares, False)


def is_declaration(definition: Definition, lines: Sequence[str], language: str | None) -> bool:
    """Tell whether it only says that there is such a function, as a header in C does."""
    if language not in _WITH_HEADERS or definition.kind not in _CALLED - {"macro"}:
        return False
    text = "\n".join(lines[definition.line : definition.end + 1]).rstrip()
    return text.endswith(";") and "{" not in text


def is_abstract(definition: Definition, lines: Sequence[str], language: str | None) -> bool:
    """Tell whether it is a method without a body, as interfaces have."""
    if language not in _WITH_INTERFACES or definition.kind not in ("function", "method"):
        return False
    return not any(_BODY.search(line) for line in lines[definition.line : definition.end + 1])


def asked(files: Iterable[SourceFile], defined: dict[str, list[Place]]) -> Iterator[Asked]:
    """Yield the questions of a project: one for each function with a sentence that asks."""
    bodies = defaultdict(list)
    for defines in defined.values():
        for body in defines:
            if not body.is_declaration:
                bodies[body.symbol].append(body)
    for file in files:
        if DECLARATIONS in file.labels:
            continue
        at = {(place.line, place.symbol): place for place in defined[file.path]}
        documented = file.documented()
        for d in documented:
            place = at.get((d.line + 1, d.symbol))  # where the code is read in another way without comments: None
            if place is None or d.kind not in _CALLED or is_aside(d, documented, file.language):
                continue
            sentence = question(d.doc, d.name) if d.doc else None
            right = right_places(place, d, file, defined[file.path], bodies[d.symbol]) if sentence else []
            if sentence and len({(other.path, other.symbol) for other in right}) == 1:
                yield Asked(sentence, tuple(right))


def right_places(
    place: Place, definition: Definition, file: SourceFile, beside: Iterable[Place], bodies: list[Place]
) -> list[Place]:
    """Return what answers for a documented definition: itself, all its clauses, or of a declaration what it declares.

    `beside` is what its file defines, `bodies` all definitions of the same symbol. None answers for a comment that is
    about one of several clauses.
    """
    if file.language in _WITH_CLAUSES:
        found = [other for other in beside if other.symbol == place.symbol and other.kind == place.kind]
        return found if len(found) == 1 or is_of_all_clauses(definition, file) else []
    if file.language in _WITH_HEADERS and place.is_declaration:
        return bodies or [place]
    return [place]


def is_aside(definition: Definition, all_: Sequence[Definition], language: str | None) -> bool:
    """Tell whether a function is not what a comment speaks of: a test among the code, or C that was parsed wrongly."""
    scopes = (definition.scope or "").lower().split(".")
    is_test = "tests" in scopes or "test" in scopes or definition.name.lower().startswith("test_")
    if is_test or not NAME.fullmatch(definition.name):
        return True
    if language not in _WITH_HEADERS:
        return False
    if definition.kind == "macro":  # a macro without parameters is a constant
        return not re.search(rf"\b{re.escape(definition.name)}\(", definition.signature or "")
    is_local = definition.parent >= 0 and all_[definition.parent].kind in _CALLED
    return is_local or not definition.name.isidentifier()


def is_of_all_clauses(definition: Definition, file: SourceFile) -> bool:
    """Tell whether what is said above a clause is the function's documentation, not a comment on the clause."""
    return any("@doc" in line for line in file.original.split("\n")[definition.start : definition.line])


def unambiguous(found: Iterable[Asked]) -> list[Asked]:
    """Return the questions that one function answers; overloads with the same sentence are one question."""
    by_sentence: dict[str, list[Asked]] = defaultdict(list)
    for one in found:
        by_sentence[one.sentence.lower()].append(one)
    kept: dict[tuple[Place, ...], Asked] = {}  # of clauses with several sentences, the first asks
    for same in by_sentence.values():
        right = tuple(dict.fromkeys(place for one in same for place in one.places))
        if len({(place.path, place.symbol) for place in right}) == 1:
            kept.setdefault(right, replace(same[0], places=right))
    return sorted(kept.values(), key=lambda one: (one.places[0].path, one.places[0].line))


def with_implementations(one: Asked, by_name: Mapping[str, Sequence[Place]]) -> Asked:
    """Return a question about an abstract method with all methods that may implement it as right answers, too."""
    first = one.places[0]
    if not first.is_abstract:
        return one
    found = [place for place in by_name[first.name] if place.kind in _CALLED and not place.is_abstract]
    return replace(one, places=(*one.places, *found))


def spread(found: Sequence[Asked], most: int) -> list[Asked]:
    """Return up to `most` questions, evenly spaced."""
    step = max(len(found) / most, 1.0)
    return [found[int(number * step)] for number in range(min(len(found), most))]


def as_query(project: Project, number: int, asked: dict[str, Any]) -> dict[str, Any]:
    """Return a question in the form that `benchmarks.retrieval` reads, with the function that is asked for."""
    first = asked["places"][0]
    return {
        "id": f"{project.name}/{number}",
        "repo": project.folder,
        "language": project.language,
        "part": project.part,
        "category": "function",
        "root": None,
        "query": asked["sentence"],
        "targets": [
            {"path": place["path"], "start_line": place["line"], "end_line": place["line"]} for place in asked["places"]
        ],
        **{field: first[field] for field in ("path", "name", "symbol", "kind", "line", "end_line")},
    }


if __name__ == "__main__":
    main()
