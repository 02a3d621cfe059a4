"""One vector of scores under every mapping, and what the usual answer about softmax claims of it. Prints nothing."""

from lastlayer.comparison.answers import Answers, Row
from lastlayer.comparison.card import Card, card
from lastlayer.comparison.claims import Claim
from lastlayer.comparison.compare import Comparison, compare
from lastlayer.comparison.question import Question

__all__ = ["Answers", "Card", "Claim", "Comparison", "Question", "Row", "card", "compare"]
