"""The searcher: one object that the command line, the servers, the tests and the benchmarks ask."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt

from kuberian.errors import CheckpointError, EngineError, HomeError, UsageError
from kuberian.model.encoder import Encoder
from kuberian.store.home import FileState, Home, database_errors
from kuberian.store.texts import inflate, lines_of, slice_lines
from kuberian.store.vectors import Vectors
from searcher.evidence.features import Candidates, candidates
from searcher.evidence.stems import Stemmer
from searcher.freshness import Lines, WorkingFiles
from searcher.question import Question, ask
from searcher.ranking import Ranked, Weights, fitted, rank
from searcher.results import Result, SearchResults
from searcher.scope import Filters, Scope, scope

# How long new embeddings of a running index run may stay unseen.
FRESH_SECONDS = 5.0

# How often a question is asked again because the home was replaced while it was answered.
ANSWERS_REPLACED = 2

# More results than anyone reads; ranking has seen hundreds of chunks by then.
MOST_RESULTS = 200

# Below this cosine, and with no word in common, a chunk has nothing to do with the question.
MIN_COSINE = 0.25


class Searcher:
    """Answers questions from a home. Keeps the model and the vectors between questions; sees every new index run.

    `weights` are other ones to rank with than those that come with the program. Raises HomeError if there is no home,
    or it is damaged or newer than this program. Use it from one thread.
    """

    def __init__(self, home: str | os.PathLike[str] | None = None, weights: Weights | None = None) -> None:
        self._home = Home.at(home)
        self._weights = weights or fitted()
        self._encoders: dict[_Model, Encoder] = {}
        self._open()

    def _open(self) -> None:
        file = self._home.state()  # before it is opened: if it is replaced meanwhile, the next look finds out
        self._file: FileState | None = None
        self._connection = self._home.reader()
        self._file = file
        self._stemmer = Stemmer(self._connection)
        self._seen: object = None  # the state of the database that what follows was read from
        self._seen_chunks: object = None
        self._seen_at = 0.0
        self._scopes: dict[Filters, Scope] = {}
        self._vectors: dict[int, Vectors] = {}

    def __enter__(self) -> Searcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def search(
        self,
        question: str,
        k: int = 10,
        repository: str | None = None,
        language: str | None = None,
        path: str | None = None,
        at: str | None = None,
    ) -> SearchResults:
        """Answer a question with the `k` best chunks, best first.

        `repository` is a name or a folder, `language` one or more languages (commas between), `path` one or more
        gitignore-style globs, `at` an indexed tag, branch or commit instead of the working tree ("*": all of them).
        They narrow down what is searched, before the best are chosen. The results for a smaller `k` are the first ones
        of a larger.

        Raises UsageError for a question or option that makes no sense, RepositoryError for a repository or revision
        that is not indexed, HomeError where the home is damaged.
        """
        asked = ask(question)
        if not 1 <= k <= MOST_RESULTS:
            raise UsageError(f"-k must be from 1 to {MOST_RESULTS}, not {k}")
        filters = Filters(repository, language, path, at)
        for _ in range(ANSWERS_REPLACED):
            try:
                with self._one_state():
                    found = self._answer(asked, k, filters)
            except (sqlite3.DatabaseError, HomeError):
                if not self._was_replaced():
                    raise
            else:
                if self._home.may_write() or not self._was_replaced():
                    return found
        with self._one_state():
            return self._answer(asked, k, filters)

    def _was_replaced(self) -> bool:
        """Tell whether the home's database is another file than the one that is open, or was written over.

        What an index run does to it SQLite tells us, while it shows in the file too, when the log is taken over. Where
        the home may not be written SQLite may have been told that nobody else writes: then any difference counts.
        """
        now, then = self._home.state(), self._file
        if now is None or then is None or not now.is_same_file(then):
            return True
        if self._home.may_write():
            same = (now.size, now.mtime_ns) == (then.size, then.mtime_ns)
            return not same and not self._home.is_being_written()
        return now != then

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        """See one state of the database for a whole answer, of the one that is there now."""
        if self._was_replaced():
            self.close()
            self._open()
        with database_errors(self._home):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")  # keeps the temporary tables

    def candidates(
        self,
        question: str,
        repository: str | None = None,
        language: str | None = None,
        path: str | None = None,
        at: str | None = None,
    ) -> tuple[Candidates, Scope]:
        """Return what ranking would choose from, with its features: what weights are fitted to. Raises as `search`."""
        with self._one_state():
            found = self._scope(Filters(repository, language, path, at))
            return self._candidates(ask(question), found), found

    def lines(self, chunk_ids: Iterable[int]) -> list[tuple[int, int]]:
        """Return the first and last line of some chunks, in the order of their ids."""
        ids = ",".join(str(int(chunk_id)) for chunk_id in chunk_ids)
        rows = self._connection.execute(f"SELECT start_line, end_line FROM chunks WHERE id IN ({ids}) ORDER BY id")
        return [(start, end) for start, end in rows]

    def _candidates(self, question: Question, found: Scope) -> Candidates:
        about = question.about(found.repositories[0]) if len(found.repositories) == 1 else question
        embedded = {model_id: self._embed(model_id, about.text) for model_id in found.models}
        return candidates(self._connection, self._stemmer, self._vectors, about, embedded, found)

    def _answer(self, question: Question, k: int, filters: Filters) -> SearchResults:
        found = self._scope(filters)
        chosen = self._candidates(question, found)
        if not chosen.found and chosen.best_cosine < MIN_COSINE:
            return SearchResults(question.text, found.coverage, ())
        results: list[Result] = []
        files = WorkingFiles()
        for ranked in rank(chosen, self._weights):
            if len(results) == k:
                break
            result = self._result(len(results) + 1, ranked, found, files)
            if result is not None:
                results.append(result)
        return SearchResults(question.text, found.coverage, tuple(results))

    def _scope(self, filters: Filters) -> Scope:
        """Return the scope, from the last question if it was asked of the same chunks and nothing was indexed since."""
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._seen and not self._lasts():
            self._scopes.clear()
            self._vectors.clear()
            self._seen = version
            self._seen_chunks = self._chunks_now()
            self._seen_at = time.monotonic()
        if filters not in self._scopes:
            self._scopes.clear()  # one is enough: whoever asks again mostly asks the same chunks
            self._scopes[filters] = scope(self._connection, filters)
        found = self._scopes[filters]
        for model_id in found.models:
            if model_id not in self._vectors:
                dimension = _model(self._connection, model_id).dimension
                self._vectors[model_id] = Vectors(self._connection, self._home, model_id, dimension)
        return found

    def _lasts(self) -> bool:
        """Tell whether what was read before may serve a moment longer, though the database has changed.

        An index run commits embeddings every other second, and reading all of a large repository's chunks anew for each
        would cost more than the questions. Without one running, and when chunks came or went, it never lasts.
        """
        return (
            self._home.is_being_written()
            and time.monotonic() - self._seen_at < FRESH_SECONDS
            and self._chunks_now() == self._seen_chunks
        )

    def _chunks_now(self) -> tuple[object, ...]:
        snapshots = self._connection.execute("SELECT id, model_id, indexed_at FROM snapshots ORDER BY id").fetchall()
        counts = self._connection.execute(
            "SELECT (SELECT max(id) FROM chunks), (SELECT count(*) FROM blobs)"
        ).fetchone()
        return (*snapshots, counts)

    def _embed(self, model_id: int, text: str) -> npt.NDArray[np.float32]:
        model = _model(self._connection, model_id)
        if model not in self._encoders:
            encoder = _question_encoder(model.path, model.precision)
            if encoder.fingerprint != model.fingerprint:
                raise CheckpointError(
                    f"the checkpoint {model.path or encoder.name} is not the one that was indexed with: "
                    "run `kuberian index` again to embed with it"
                )
            self._encoders[model] = encoder
        return self._encoders[model].encode([text])[0]

    def _result(self, rank: int, ranked: Ranked, found: Scope, files: WorkingFiles) -> Result | None:
        """Return the result for the first of a file's places that still exists, or None if they are all gone."""
        file = int(found.file_of[ranked.position])
        language, encoding, content = self._connection.execute(
            "SELECT language, encoding, content FROM blobs WHERE id = ?", (int(found.blobs[file]),)
        ).fetchone()
        start, end, kind, symbol, signature = self._connection.execute(
            "SELECT start_line, end_line, kind, symbol, signature FROM chunks WHERE id = ?",
            (int(found.chunks[ranked.position]),),
        ).fetchone()
        lines = lines_of(inflate(content))
        for place in found.places[file]:
            if place.snapshot.revision is None:
                now = files.locate(place.snapshot.root / place.path, encoding, lines[start - 1 : end], start)
            else:
                now = Lines(start, end, stale=False)
            if now is not None:
                return Result(
                    rank=rank,
                    repository=place.snapshot.repository,
                    root=str(place.snapshot.root),
                    revision=place.snapshot.revision,
                    path=place.path,
                    start_line=now.start_line,
                    end_line=now.end_line,
                    language=language or "text",
                    labels=tuple(sorted(place.labels)),
                    kind=kind,
                    symbol=symbol,
                    signature=signature,
                    score=round(ranked.score, 4),
                    text=slice_lines(lines, start, end),
                    stale=now.stale,
                    why=dict(ranked.why),
                )
        return None


def _question_encoder(checkpoint: str | None, precision: str) -> Encoder:
    """Return an encoder for questions: in the precision of the chunks, if that is int8 and this machine has it.

    int8 embeds a question in a fifth of the time, and its cosine to float32 is 0.999 (docs/encoder.md). Of float32
    MKL's is ready soonest: it needs no kernels made for the question's length first.
    """
    if precision == "int8":
        with suppress(EngineError):
            return Encoder(checkpoint, precision)
    try:
        return Encoder(checkpoint, "float32", engine="mkl")
    except EngineError:
        return Encoder(checkpoint, "float32")


@dataclass(frozen=True, slots=True)
class _Model:
    path: str | None  # the checkpoint's folder; None: the bundled one
    dimension: int
    fingerprint: str
    precision: str


def _model(connection: sqlite3.Connection, model_id: int) -> _Model:
    query = "SELECT path, dimension, fingerprint, precision FROM models WHERE id = ?"
    return _Model(*connection.execute(query, (model_id,)).fetchone())
