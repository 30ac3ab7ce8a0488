"""Eight-bit weights: what they must know of activations, how they are rounded, and the file that keeps them."""
