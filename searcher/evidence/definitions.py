"""Definitions: which chunks in scope define a name that was asked for."""

from __future__ import annotations

import re
import sqlite3

from kuberian.store import chunks
from kuberian.store.fulltext import Defined, defined, term
from kuberian.words import word_set, words
from searcher.evidence.lexical import positions
from searcher.question import Question
from searcher.scope import Scope

TYPE, CALLED, VALUE, OFFERED = 1.0, 0.7, 0.4, 0.35
# What a definition is worth by its kind: who asks for a name means the type before a function, that before a field, and
# all of them before a place that only offers the name again.
_WORTH = {
    **dict.fromkeys(
        word_set(
            """
            alias class data enum extension interface module namespace newtype object protocol record struct trait
            type typedef union
            """
        ),
        TYPE,
    ),
    **dict.fromkeys(word_set("component constructor function macro method procedure rule target test"), CALLED),
    "export": OFFERED,
}
# A function or value inside of something else is less likely meant by its name alone,
INSIDE = 0.7
# a name with its scope more,
QUALIFIED = 1.5
# and one in other capitals less.
OTHER_CASE = 0.3

# Chunks that are looked at for one name. A name that more chunks have says little.
_MOST = 1000


def defining(connection: sqlite3.Connection, question: Question, scope: Scope) -> dict[int, float]:
    """Return the chunks, by position, that define an identifier of the question, and how surely: 0.3 to 1.5."""
    found: dict[int, float] = {}
    for identifier in question.identifiers:
        asked = [part for part in re.split(r"\W+", identifier) if part]
        if not asked:
            continue
        at = positions(connection, f"{{symbol}} : {term(words(asked[-1])[0])}", scope)[:_MOST]
        for position, names in zip(at.tolist(), chunks.names(connection, scope.chunks[at]), strict=True):
            sure = max((_sureness(asked, name) for name in defined(names)), default=0.0)
            if sure:
                found[position] = max(sure, found.get(position, 0.0))
    return found


def _sureness(asked: list[str], found: Defined) -> float:
    """Tell how surely a definition is the one that is asked for, by the parts of its qualified name."""
    if found.name.lower() != asked[-1].lower():
        return 0.0
    scoped = [part for part in re.split(r"\W+", found.symbol) if part]
    end = scoped[-len(asked) :]
    worth = _WORTH.get(found.kind, VALUE)
    if len(asked) > 1 and [part.lower() for part in end] == [part.lower() for part in asked]:
        worth = QUALIFIED
    elif len(scoped) > 1 and worth < TYPE:
        worth *= INSIDE
    return worth if end[-len(asked) :] == asked[-len(end) :] else worth * OTHER_CASE
