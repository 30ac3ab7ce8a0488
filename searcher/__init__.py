"""From a question to ranked chunks."""

from searcher.history import History, when
from searcher.results import Result, SearchResults
from searcher.searcher import Searcher

__all__ = ["History", "Result", "SearchResults", "Searcher", "when"]
