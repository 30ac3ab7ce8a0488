"""What is kept in a home: one SQLite file that is the truth, and FAISS files that can be rebuilt from it."""
