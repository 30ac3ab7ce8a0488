"""The second phase of a run: passages and their embeddings."""
