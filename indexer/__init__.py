"""From a git repository to chunks, passages and embeddings in the home."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.explanation import Explanation, dry_run, explain
    from indexer.report import IndexReport, Progress
    from indexer.run import index
    from indexer.several import index_several

__all__ = ["Explanation", "IndexReport", "Progress", "dry_run", "explain", "index", "index_several"]

_MODULES = {
    "Explanation": "explanation",
    "IndexReport": "report",
    "Progress": "report",
    "dry_run": "explanation",
    "explain": "explanation",
    "index": "run",
    "index_several": "several",
}


def __getattr__(name: str) -> Any:
    """Import only the module that has the name: a run without changes needs no grammar, a worker no git."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
