"""Pairs of a question and the code that answers it, mined from public repositories with Kuberian's own indexer.

    python -m training.mine OUT.jsonl.xz --mirrors DIR [--limit N] [--seconds S] OWNER/NAME…

DIR holds bare clones as DIR/owner+name/repo. Each line of OUT is one file: its path and its outline as they are
embedded, the sentence that its head comment says, and its definitions with the passage as it is indexed, the passage
without comments, and the first sentence of the documentation. Tests, examples, vendored and generated files are left
out, and so are configuration and prose, but for some documents with their headings.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import re
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.blanking import blank
from benchmarks.sentences import first_sentence
from indexer.chunking.chunk import Chunk
from indexer.chunking.cutting import CutFile, cut_file
from indexer.languages.table import BY_NAME
from indexer.meaning.passages import outline_passage, passage, path_passage
from indexer.source.verdict import Selection, Verdicts
from kuberian.errors import KuberianError
from kuberian.git.repository import Repository
from kuberian.store.texts import lines_of, slice_lines
from kuberian.words import parts

LEAST_BYTES, MOST_BYTES = 200, 200_000
# Documents to take of a repository, and definitions without documentation of a file.
DOCUMENTS = 60
UNDOCUMENTED = 4
# A sentence that a repository says more often than this is a formula.
REPEATS = 3
MOST_CHARACTERS = 1200
LEAST_CHARACTERS = 60

# A sentence to ask with: its words, and the share of its characters that are letters and blanks.
LEAST_WORDS, MOST_WORDS, LEAST_PLAIN = 3, 45, 0.82
# What speaks of the text, of rights or of tools, and not of the code.
_NO_QUESTION = re.compile(
    r"licen[cs]e|copyright|all rights|todo|fixme|xxx|generated|eslint|noinspection|spdx|@internal|deprecated|see also"
    r"|http|inheritdoc|nolint|istanbul|prettier|rubocop:|source file|open source|part of the \w+ (?:project|package)"
    r"|this file|type:|pragma",
    re.IGNORECASE,
)

_ASIDE = frozenset({"test", "vendored", "generated", "benchmark", "compatibility", "example"})
_NO_SOURCE = re.compile(
    r"(?:^|/)(?:third.?party|deps|external|node_modules|_vendor|fixtures?|testdata|locales?|i18n|translations)(?:/|$)"
    r"|\.(?:json|ya?ml|toml|svg|html|css|xml|lock|csv|po|txt|ipynb)$"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("repositories", nargs="+")
    parser.add_argument("--mirrors", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=4000, help="documented definitions to take of a repository")
    parser.add_argument("--seconds", type=float, default=30, help="processor time for a repository")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with lzma.open(arguments.out, "wt", preset=3) as out:
        for name in arguments.repositories:
            started, pairs = time.process_time(), 0
            try:
                for file in files(arguments.mirrors / name.replace("/", "+") / "repo", name, arguments.seconds):
                    out.write(json.dumps(file, ensure_ascii=False) + "\n")
                    pairs += sum("question" in chunk for chunk in file["chunks"])
                    if pairs >= arguments.limit:
                        break
            except KuberianError as error:
                print(f"{name}: {error}", flush=True)
                continue
            print(f"{name}: {pairs} pairs in {time.process_time() - started:.0f} s", flush=True)


def files(folder: Path, name: str, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the files of a bare clone with what can be learnt from them, in an order that is random but the same."""
    repository = Repository(folder)
    verdicts = Verdicts(repository, repository.resolve("HEAD"), Selection(MOST_BYTES))
    wanted = [file for file in verdicts.files if file.skipped is None and not _NO_SOURCE.search(file.path)]
    random.Random(name).shuffle(wanted)
    said: Counter[str] = Counter()
    documents = 0
    until = time.process_time() + seconds
    try:
        for file in wanted:
            if time.process_time() > until:
                return
            verdict = verdicts.of(file)
            labels = set(verdict.labels.split())
            if verdict.skipped or labels & _ASIDE or verdict.size < LEAST_BYTES:
                continue
            is_document = "documentation" in labels
            if is_document and documents >= DOCUMENTS:
                continue
            content = repository.read(file)
            if content is None:
                continue
            cut = cut_file(file.path, content[0], verdict.reading)
            if cut.skipped or not cut.chunks or cut.language not in BY_NAME:
                continue
            found = list(_sections(cut) if is_document else _definitions(cut, said))
            if not found:
                continue
            documents += is_document
            yield record(name, file.path, cut, None if is_document else head_sentence(cut.text), found)
    finally:
        repository.close()


def record(repository: str, path: str, cut: CutFile, head: str | None, chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a line of a mined file: what a file is called, what it defines, and what there is to learn from it."""
    names = (item.name for chunk in cut.chunks for item in chunk.names if item.kind != "export")
    return {
        "repository": repository,
        "language": cut.language,
        "path": path_passage(path),
        "outline": outline_passage(names)[:MOST_CHARACTERS],
        "head": head,
        "chunks": chunks,
    }


def _sections(cut: CutFile) -> Iterator[dict[str, Any]]:
    """Yield the sections of a document whose headings have two words or more."""
    lines = lines_of(cut.text)
    for chunk in cut.chunks[:30]:
        heading = (chunk.symbol or "").rpartition(" > ")[2]
        if len(heading.split()) >= 2:
            text = passage(chunk, slice_lines(lines, chunk.start_line, chunk.end_line))[:MOST_CHARACTERS]
            if len(text) >= 2 * LEAST_CHARACTERS:
                yield {"name": heading[:120], "leaf": "", "full": text}


def _definitions(cut: CutFile, said: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield a file's definitions: those whose documentation says a sentence, and some of the others."""
    lines = lines_of(cut.text)
    bare = lines_of(blank(cut.text, cut.language or "") or cut.text)
    undocumented = 0
    for chunk in cut.chunks:
        leaf = re.split(r"[.:#/\s]+", chunk.symbol)[-1] if chunk.symbol else ""
        if not leaf or chunk.part > 1:
            continue
        code = slice_lines(lines, chunk.start_line, chunk.end_line)
        full = passage(chunk, code)[:MOST_CHARACTERS]
        without = passage_without_blank_lines(chunk, bare)
        if len(without) < LEAST_CHARACTERS:
            continue
        question = asked(chunk.doc, leaf) if chunk.doc else None
        if question and said[question.lower()] < REPEATS:
            said[question.lower()] += 1
            yield {"question": question, "name": spoken(leaf), "leaf": leaf, "full": full, "bare": without}
        elif len(leaf) > 4 and undocumented < UNDOCUMENTED and len(full) > 2 * LEAST_CHARACTERS:
            undocumented += 1
            yield {"name": spoken(leaf), "leaf": leaf, "full": full}


def passage_without_blank_lines(chunk: Chunk, bare: list[str]) -> str:
    """Return the passage of a chunk from the lines of its file without comments."""
    code = "\n".join(line for line in bare[chunk.start_line - 1 : chunk.end_line] if line.strip())
    return passage(chunk, code)[:MOST_CHARACTERS]


def asked(documentation: str, name: str) -> str | None:
    """Return the first sentence of a documentation if it could be a question: plain words about code."""
    sentence = first_sentence(documentation, name)
    if not sentence or not LEAST_WORDS <= len(sentence.split()) <= MOST_WORDS or _NO_QUESTION.search(sentence):
        return None
    plain = sum((character.isalpha() and character.isascii()) or character == " " for character in sentence)
    return sentence if plain >= LEAST_PLAIN * len(sentence) else None


def head_sentence(text: str) -> str | None:
    """Return the first sentence of the comment or docstring that a file begins with, past its licence."""
    match = re.match(
        r'\s*(?:#![^\n]*\n)?(?:\s*(?:[rRuU]?"""|\'\'\')(.*?)(?:"""|\'\'\')'
        r"|\s*/\*+(.*?)\*/|((?:\s*(?://+!?|#+|--+|;+|%+)[^\n]*\n)+))",
        text[:3000],
        re.DOTALL,
    )
    if match is None:
        return None
    comment = "\n".join(
        re.sub(r"^[ \t]*[*/!#;%-]+ ?", "", line) for line in (match[1] or match[2] or match[3] or "").split("\n")
    )
    for paragraph in re.split(r"\n\s*\n", comment):
        if found := asked(paragraph, ""):
            return found
    return None


def spoken(name: str) -> str:
    """Return a name in words: "parse http headers" for parseHttpHeaders."""
    return " ".join(part.lower() for part in parts(name))


if __name__ == "__main__":
    main()
