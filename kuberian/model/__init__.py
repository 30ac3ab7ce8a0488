"""The encoder: texts to unit vectors, through a BERT in NumPy on the fastest engine that the machine has."""
