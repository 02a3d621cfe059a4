"""What is suspicious about scores once the predictions are known: another softmax, another order of the classes, shifted labels."""

from lastlayer.evaluation.suspicions.find import find_suspicions

__all__ = ["find_suspicions"]
