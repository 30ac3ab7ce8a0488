"""From a git repository to chunks, passages and embeddings in the home."""

from indexer.explain import Explanation, dry_run, explain
from indexer.report import IndexReport, Progress
from indexer.run import index
from indexer.several import index_several

__all__ = ["Explanation", "IndexReport", "Progress", "dry_run", "explain", "index", "index_several"]
