"""Softmax: probabilities and their logarithms, cross-entropy, and long rows split over several programs."""
