"""Sparsemax and 1.5-entmax: their threshold, probabilities and logarithms, and the Fenchel–Young loss."""
