"""From a git repository to chunks, passages and embeddings in the home."""
