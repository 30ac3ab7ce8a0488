"""From a question to ranked chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kuberian.lazy import lazily

if TYPE_CHECKING:
    from searcher.history import History, when
    from searcher.results import Result, SearchResults
    from searcher.searcher import Searcher

__all__ = ["History", "Result", "SearchResults", "Searcher", "when"]

# git looks at the working tree while NumPy is loaded.
__getattr__ = lazily(
    __name__,
    {
        "History": "history",
        "Result": "results",
        "SearchResults": "results",
        "Searcher": "searcher",
        "when": "history",
    },
)
