"""The reference answer: the same two files as assignment/, with the same signatures."""
