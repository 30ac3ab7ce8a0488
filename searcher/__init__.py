"""From a question to ranked chunks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searcher.history import History, when
    from searcher.results import Result, SearchResults
    from searcher.searcher import Searcher

__all__ = ["History", "Result", "SearchResults", "Searcher", "when"]

_MODULES = {
    "History": "history",
    "Result": "results",
    "SearchResults": "results",
    "Searcher": "searcher",
    "when": "history",
}


def __getattr__(name: str) -> Any:
    """Import only the module that has the name: git looks at the working tree while NumPy is loaded."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
