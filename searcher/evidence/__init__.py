"""What speaks for a chunk or a file: its words, its meaning, the names that it defines."""
