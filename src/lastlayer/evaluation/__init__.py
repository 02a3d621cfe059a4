"""An evaluation: the scores of any trained model and the true labels, and whether its probabilities can be trusted."""

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.evaluate import evaluate_scores
from lastlayer.evaluation.result import Evaluation

__all__ = ["Evaluation", "EvaluationError", "evaluate_scores"]
