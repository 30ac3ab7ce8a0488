"""From a git repository to chunks, passages and embeddings in the home."""

from indexer.report import IndexReport, Progress
from indexer.run import index

__all__ = ["IndexReport", "Progress", "index"]
