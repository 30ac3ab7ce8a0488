"""The verdict on a file: is it read, and as what? By its path, its attributes, its bytes."""
