"""A project as it is asked about: its files at one commit, without their comments, and what they define.

It measures nothing: `benchmarks.functions` and `benchmarks.names` make their questions of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.blanking import blank
from benchmarks.corpus import Project
from indexer.chunking.grammar import load
from indexer.chunking.outline import Definition, Outline, outline
from indexer.languages.table import detect
from indexer.run import MAX_BYTES
from indexer.source.contents import Skipped, read_text
from indexer.source.verdict import Selection, Verdict, Verdicts
from kuberian.git.repository import MissingObjectError, Repository
from tests.sdists import commit_all

# Files with these labels are indexed, but neither asked for nor right.
_BESIDE = {"test", "example", "documentation", "vendored", "generated", "benchmark"}
DECLARATIONS = "declaration"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a project, with its text in two forms. `labels` are those of `indexer.source.noise`."""

    path: str
    language: str | None
    labels: frozenset[str]
    original: str
    text: str  # as it is indexed, without comments

    @property
    def is_asked_for(self) -> bool:
        """Whether questions may be about this file."""
        return not self.labels & _BESIDE

    def documented(self) -> tuple[Definition, ...]:
        """Return the definitions of the original, with their documentation."""
        return _outline(self.original, self.language).definitions

    def outline(self) -> Outline:
        """Return the outline of the text without comments."""
        return _outline(self.text, self.language)


def check_out(project: Project, clone: Path, root: Path) -> list[SourceFile]:
    """Write the files of a project, without comments, into a new repository with one commit. Return them."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    files = list(read(project, clone))
    for file in files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.text.encode("utf-8", "replace"))
    commit_all(root, f"{root.name} at {project.commit}, without comments")
    return files


def read(project: Project, clone: Path) -> Iterator[SourceFile]:
    """Yield the files of a project that are indexed, except those whose comments cannot be told from their code."""
    left_out = re.compile(project.without or r"(?!)")
    repository = Repository(clone)
    try:
        verdicts = Verdicts(repository, project.commit, Selection(MAX_BYTES))
        for file in verdicts.files:
            verdict = verdicts.of(file)
            if verdict.skipped or left_out.search(file.path):
                continue
            try:
                content = repository.read(file)
            except MissingObjectError:
                continue
            read_file = _source(file.path, content[0], verdict) if content else None
            if read_file:
                yield read_file
    finally:
        repository.close()


def _source(path: str, data: bytes, verdict: Verdict) -> SourceFile | None:
    content = read_text(path, data, by_hand=verdict.reading.by_hand)
    if isinstance(content, Skipped):
        return None
    language = verdict.reading.language or detect(path, content.text)
    text = blank(content.text, language) if language and load(language) else content.text
    labels = frozenset(verdict.labels.split())
    return None if text is None else SourceFile(path, language, labels, content.text, text)


def _outline(text: str, language: str | None) -> Outline:
    grammar = load(language) if language else None
    return (outline(text, text.split("\n"), grammar) if grammar else None) or Outline((), {})
