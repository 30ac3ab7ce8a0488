"""Is a file read, and as what: by its path, its attributes, its bytes."""
