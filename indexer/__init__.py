"""From a git repository to chunks, passages and embeddings in the home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kuberian.lazy import lazily

if TYPE_CHECKING:
    from indexer.explanation import Explanation, dry_run, explain
    from indexer.report import IndexReport, Progress
    from indexer.run import index
    from indexer.several import index_several

__all__ = ["Explanation", "IndexReport", "Progress", "dry_run", "explain", "index", "index_several"]

# A run without changes needs no grammar, and a worker no git.
__getattr__ = lazily(
    __name__,
    {
        "Explanation": "explanation",
        "IndexReport": "report",
        "Progress": "report",
        "dry_run": "explanation",
        "explain": "explanation",
        "index": "run",
        "index_several": "several",
    },
)
