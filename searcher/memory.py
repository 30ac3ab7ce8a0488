"""What answers share: scopes and vectors, kept within bounds, and forgotten when the index changes."""

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
from searcher.scope import Scope, ScopeKey

# How long new embeddings of a running index run may stay unseen.
FRESH_SECONDS = 5.0

# Bytes of scopes to keep. A repository of 4,000 files and 30,000 chunks takes some 15 MB.
MOST_BYTES = 1 << 28


class Kept:
    """The scopes and vectors of one state of a home, for any number of threads.

    Once the scopes take more than `most_bytes`, the least recently used ones go first.
    """

    def __init__(self, home: HomeFolder, most_bytes: int) -> None:
        self._home, self._most_bytes = home, most_bytes
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._scopes: OrderedDict[ScopeKey, tuple[State, Scope]] = OrderedDict()  # each with the state that it shows
        self._vectors: dict[int, Vectors] = {}

    def scope(self, state: State, key: ScopeKey, make: Callable[[], Scope]) -> Scope:
        """Return the scope of a key for an answer from `state`, made if it is not kept."""
        if (kept := self._kept_scope(state, key)) is not None:
            return kept
        with self._making:  # of two threads with the same key one makes the scope, and the other waits for it
            if (kept := self._kept_scope(state, key)) is not None:
                return kept
            made = make()
            with self._lock:
                self._scopes[key] = state, made
                while len(self._scopes) > 1 and self._bytes() > self._most_bytes:
                    self._scopes.popitem(last=False)
            return made

    def vectors(self, connection: sqlite3.Connection, model_ids: tuple[int, ...]) -> dict[int, Vectors]:
        """Return the vectors of some models, by model."""
        if not self._vectors.keys() >= set(model_ids):
            with self._making:
                for model_id in model_ids:
                    if model_id not in self._vectors:
                        dimension = models.get(connection, model_id).dimension
                        self._vectors[model_id] = Vectors(connection, self._home, model_id, dimension)
        return {model_id: self._vectors[model_id] for model_id in model_ids}

    def _bytes(self) -> int:
        return sum(scope.size for _, scope in self._scopes.values())

    def _kept_scope(self, state: State, key: ScopeKey) -> Scope | None:
        with self._lock:
            shown, scope = self._scopes.get(key, (None, None))
            if shown is None or not state.has_all_of(shown):  # an answer from before cannot look up newer embeddings
                return None
            self._scopes.move_to_end(key)
            return scope


class Memory:
    """What is kept of the newest state of a home, for any number of threads."""

    def __init__(self, home: HomeFolder, most_bytes: int = MOST_BYTES) -> None:
        self._home, self._most_bytes = home, most_bytes
        self._lock = threading.Lock()
        self._state: State | None = None
        self._since = 0.0
        self._kept = Kept(home, most_bytes)

    def at(self, state: State) -> Kept:
        """Return what is kept of a state of the home, or of one shortly before.

        Use the same object for all of an answer: another thread may move on to another state meanwhile.

        An index run commits embeddings every other second. To read all chunks of a large repository again for each
        commit would cost more than the questions do. So during a run an older state may serve for `FRESH_SECONDS`, if
        only embeddings are new. Without a run, or when a snapshot has changed, nothing older is used.
        """
        with self._lock:
            if state != self._state and not self._may_serve(state):
                self._kept = Kept(self._home, self._most_bytes)
                self._state, self._since = state, time.monotonic()
            return self._kept

    def _may_serve(self, state: State) -> bool:
        """Tell whether the state that is kept may still serve in the place of this newer one."""
        return (
            self._state is not None
            and state.has_all_of(self._state)
            and time.monotonic() - self._since < FRESH_SECONDS
            and self._home.is_being_written()
        )
