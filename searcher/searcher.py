"""The searcher: one object that the command line, the servers, the tests and the benchmarks ask."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from kuberian.errors import CheckpointError, EngineError, RepositoryError, UsageError
from kuberian.model.encoder import Encoder
from kuberian.store import blobs, chunks, models
from kuberian.store.arrays import Floats
from kuberian.store.home import Home
from kuberian.store.meta import State
from kuberian.store.models import Model
from kuberian.store.texts import slice_lines
from kuberian.store.vectors import Vectors
from searcher.evidence.features import Candidates, candidates
from searcher.evidence.lexical import files_with
from searcher.evidence.stems import Stemmer
from searcher.freshness import Lines, WorkingFiles
from searcher.memory import Memory
from searcher.question import Question, ask
from searcher.ranking import Ranked, Weights, fitted, rank
from searcher.readers import Reader, Readers
from searcher.results import Result, SearchResults
from searcher.scope import TEXT, Filters, Scope, ScopeKey, chosen_snapshots, scope

# More results than anyone reads: ranking has put hundreds of chunks in order by then.
MOST_RESULTS = 200

# A word that more files have than this share tells nothing about one of them, nor does a word that no file has.
COMMON_SHARE = 0.2

# Below this cosine, and with no word in common, a chunk has nothing to do with the question.
MIN_COSINE = 0.25


@dataclass(frozen=True, slots=True)
class View:
    """What one question is answered from: one state of the home, through the connection of one thread.

    `vectors` are by model.
    """

    connection: sqlite3.Connection
    stemmer: Stemmer
    scope: Scope
    vectors: dict[int, Vectors]


class Searcher:
    """Answers questions from a home. Use it from any number of threads.

    The threads share the model, the vectors and the scopes; each question has a connection of its own. Every new index
    run is seen, and so is a home that is deleted, made anew or replaced. `weights` are for ranking (default: the ones
    that come with the program). Raises HomeError if there is no home, or it is damaged or newer than this program.
    """

    def __init__(self, home: str | os.PathLike[str] | None = None, weights: Weights | None = None) -> None:
        self._home = Home.at(home)
        self._weights = weights or fitted()
        self._readers = self._home.asked(lambda: Readers(self._home))
        self._memory = Memory(self._home)
        self._stems: dict[str, tuple[str, ...]] = {}
        self._encoders: dict[tuple[str | None, str, str], Encoder] = {}
        self._loading = threading.Lock()

    def __enter__(self) -> Searcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._readers.close()

    def search(
        self,
        question: str,
        k: int = 10,
        repository: str | None = None,
        language: str | None = None,
        path: str | None = None,
        at: str | None = None,
        platform: str | None = None,
    ) -> SearchResults:
        """Answer a question with the `k` best chunks, best first.

        `repository` is a name or a folder, `language` one or more languages (commas between), `path` one or more
        gitignore-style globs, `at` an indexed tag, branch or commit instead of the working tree ("*": all of them).
        They narrow down what is searched before the best are chosen. `platform` is the operating system of who asks, as
        `sys.platform` names it (default: Linux): files for other systems rank lower. A smaller `k` gives the first
        results of a larger one.

        Raises UsageError for a question or option that makes no sense, RepositoryError for a repository or revision
        that is not indexed, HomeError where the home is damaged or gone.
        """
        parsed = ask(question, platform)
        if not 1 <= k <= MOST_RESULTS:
            raise UsageError(f"-k must be from 1 to {MOST_RESULTS}, not {k}")
        filters = Filters(repository, language, path, at)
        return self._home.asked(lambda: self._search(parsed, k, filters))

    def candidates(
        self,
        question: str,
        repository: str | None = None,
        language: str | None = None,
        path: str | None = None,
        at: str | None = None,
    ) -> tuple[Candidates, Scope]:
        """Return the candidates of a question with their features, to fit weights to. Raises what `search` raises."""
        with self._readers.lend() as reader, reader.one_state() as state:
            view = self._view(reader, state, Filters(repository, language, path, at))
            return self._candidates(view, ask(question)), view.scope

    def lines(self, chunk_ids: Iterable[int]) -> list[tuple[int, int]]:
        """Return the first and last line of some chunks, in the order of their ids."""
        with self._readers.lend() as reader:
            return chunks.lines(reader.connection, chunk_ids)

    def embed(self, view: View, text: str) -> dict[int, Floats]:
        """Return the vector [dimension] of a text under each model of a view, by model."""
        return {model_id: self._encoder(view, model_id).encode([text])[0] for model_id in view.scope.models}

    def _search(self, question: Question, k: int, filters: Filters) -> SearchResults:
        with self._readers.lend() as reader:
            answer = self._answer(reader, question, k, filters)
            if self._home.may_write() or not reader.is_of_the_past():
                return answer
        with self._readers.lend() as reader:  # it may have been written while it was read
            return self._answer(reader, question, k, filters)

    def _answer(self, reader: Reader, question: Question, k: int, filters: Filters) -> SearchResults:
        with reader.one_state() as state:
            view = self._view(reader, state, filters)
            choice = self._candidates(view, question)
            results: list[Result] = []
            if choice.found or choice.best_cosine >= MIN_COSINE:
                files = WorkingFiles()
                for ranked in rank(choice, self._weights):
                    if len(results) == k:
                        break
                    result = _result(len(results) + 1, ranked, view, files)
                    if result is not None:
                        results.append(result)
            if not results:
                _find_folders(view.scope)
        return SearchResults(question.text, view.scope.coverage, tuple(results), len(view.scope.blobs))

    def _view(self, reader: Reader, state: State, filters: Filters) -> View:
        connection = reader.connection
        kept = self._memory.at(state)
        chosen = chosen_snapshots(connection, filters)
        key = ScopeKey(tuple(snapshot.id for snapshot in chosen), filters.language, filters.path)
        searched = kept.scope(state, key, lambda: scope(connection, chosen, filters))
        vectors = kept.vectors(connection, searched.models)
        return View(connection, Stemmer(connection, self._stems), searched, vectors)

    def _candidates(self, view: View, question: Question) -> Candidates:
        repositories = view.scope.repositories
        shorter = question
        if len(repositories) == 1 and len(view.scope.chunks):
            files = len(view.scope.blobs)
            shorter = question.without_name(
                repositories[0],
                lambda word: not 0 < files_with(view.connection, word, view.scope) <= COMMON_SHARE * files,
            )
        embedded = self.embed(view, shorter.text)
        return candidates(view.connection, view.stemmer, view.vectors, shorter, embedded, view.scope)

    def _encoder(self, view: View, model_id: int) -> Encoder:
        model = models.get(view.connection, model_id)
        key = (model.path, model.fingerprint, model.precision)
        with self._loading:
            if key not in self._encoders:
                self._encoders[key] = _question_encoder(model)
            return self._encoders[key]


def _find_folders(scope: Scope) -> None:
    """Raise RepositoryError if nothing is found because the folder of a repository is gone."""
    searched = {place.snapshot.root: place.snapshot for places in scope.places for place in places}
    gone = [root for root, snapshot in searched.items() if snapshot.revision is None and not root.is_dir()]
    if gone:
        raise RepositoryError(
            f"{gone[0]} is gone, which was indexed: index it where it is now, or run `kuberian forget {gone[0]}`"
        )


def _result(rank: int, ranked: Ranked, view: View, files: WorkingFiles) -> Result | None:
    """Return the result at the first place of the file that still exists, or None if all of them are gone."""
    file = int(view.scope.file_of[ranked.position])
    text = blobs.text(view.connection, int(view.scope.blobs[file]))
    head = chunks.head(view.connection, int(view.scope.chunks[ranked.position]))
    indexed = text.lines[head.start_line - 1 : head.end_line]
    for place in view.scope.places[file]:
        if place.snapshot.revision is None:
            now = files.locate(place.snapshot.root / place.path, text.encoding, indexed, head.start_line)
        else:
            now = Lines(head.start_line, head.end_line, stale=False)
        if now is not None:
            return Result(
                rank=rank,
                repository=place.snapshot.repository,
                root=str(place.snapshot.root),
                revision=place.snapshot.revision,
                path=place.path,
                start_line=now.start_line,
                end_line=now.end_line,
                language=text.language or TEXT,
                labels=tuple(sorted(place.labels)),
                kind=head.kind,
                symbol=head.symbol,
                signature=head.signature,
                score=round(ranked.score, 4),
                text=slice_lines(text.lines, head.start_line, head.end_line),
                stale=now.stale,
                why=dict(ranked.why),
            )
    return None


def _question_encoder(model: Model) -> Encoder:
    """Return an encoder for questions: int8 if the chunks are int8 and this machine has it, else float32.

    int8 embeds a question in a fifth of the time, and its cosine to float32 is 0.999 (docs/encoder.md). In float32, MKL
    is ready first: it need not make kernels for the question's length. Raises CheckpointError if the checkpoint is no
    longer the one that the model was made from.
    """
    encoder = _fastest_encoder(model)
    if encoder.fingerprint != model.fingerprint:
        raise CheckpointError(
            f"the checkpoint {model.path or encoder.name} is not the one that was indexed with: "
            "run `kuberian index` again to embed with it"
        )
    return encoder


def _fastest_encoder(model: Model) -> Encoder:
    if model.precision == "int8":
        with suppress(EngineError):
            return Encoder(model.path, model.precision)
    try:
        return Encoder(model.path, "float32", engine="mkl")
    except EngineError:
        return Encoder(model.path, "float32")
