"""What answers share: large, never changed once made, kept within bounds, and forgotten when the index changes."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from kuberian.store import models
from kuberian.store.folder import HomeFolder
from kuberian.store.meta import State
from kuberian.store.vectors import Vectors
from searcher.scope import Filters, Scope

# How long new embeddings of a running index run may stay unseen.
FRESH_SECONDS = 5.0

# Bytes of scopes that are kept: some 15 MB for a repository of 4,000 files and 30,000 chunks.
MOST_BYTES = 1 << 28


class Memory:
    """The scopes and vectors of one state of a home, for any number of threads.

    Of the scopes those that were asked least recently go first, once all of them take more than `most_bytes`.
    """

    def __init__(self, home: HomeFolder, most_bytes: int = MOST_BYTES) -> None:
        self._home, self._most_bytes = home, most_bytes
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._state: State | None = None
        self._read_at = 0.0
        self._scopes: OrderedDict[Filters, Scope] = OrderedDict()
        self._vectors: dict[int, Vectors] = {}

    def scope(self, state: State, filters: Filters, make: Callable[[], Scope]) -> Scope:
        """Return the scope of some filters in a state of the home, made if it is not known."""
        self._be_at(state)
        with self._lock:
            if (known := self._scopes.get(filters)) is not None:
                self._scopes.move_to_end(filters)
                return known
        with self._making:  # two threads that ask the same wait for one of them
            with self._lock:
                if (known := self._scopes.get(filters)) is not None:
                    return known
                at = self._state
            made = make()
            with self._lock:
                if at == self._state:
                    self._scopes[filters] = made
                    while len(self._scopes) > 1 and sum(kept.size for kept in self._scopes.values()) > self._most_bytes:
                        self._scopes.popitem(last=False)
            return made

    def vectors(self, connection: sqlite3.Connection, model_ids: tuple[int, ...]) -> dict[int, Vectors]:
        """Return the vectors of some models."""
        found: dict[int, Vectors] = {}
        for model_id in model_ids:
            with self._lock:
                at, known = self._state, self._vectors.get(model_id)
            if known is None:
                dimension = models.get(connection, model_id).dimension
                known = Vectors(connection, self._home, model_id, dimension)
                with self._lock:
                    if at == self._state:
                        self._vectors[model_id] = known
            found[model_id] = known
        return found

    def _be_at(self, state: State) -> None:
        """Forget what was of another state, unless it may serve a moment longer.

        An index run commits embeddings every other second. To read all chunks of a large repository anew for each would
        cost more than the questions. Without a run, and when a snapshot changed, what is known never lasts.
        """
        with self._lock:
            if state == self._state:
                return
            if (
                self._state is not None
                and state.snapshots == self._state.snapshots
                and time.monotonic() - self._read_at < FRESH_SECONDS
                and self._home.is_being_written()
            ):
                return
            self._scopes.clear()
            self._vectors.clear()
            self._state, self._read_at = state, time.monotonic()
