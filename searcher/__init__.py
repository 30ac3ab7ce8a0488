"""From a question to ranked chunks."""

from searcher.results import Result, SearchResults
from searcher.searcher import Searcher

__all__ = ["Result", "SearchResults", "Searcher"]
