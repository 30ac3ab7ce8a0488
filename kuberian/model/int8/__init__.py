"""Eight-bit weights: ranges from texts, rounding, and the file that keeps them."""
