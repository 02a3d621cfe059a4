"""The score side of heads for many classes: unit rows with a scale, a margin at the label, and the logarithm of a class prior."""

from lastlayer.torch.linear.margins.at_labels import LabelScores
from lastlayer.torch.linear.margins.scoring import Scoring, read_scoring

__all__ = ["LabelScores", "Scoring", "read_scoring"]
