"""Names under which files usually hold scores, probabilities and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lastlayer.calibration.score_rows import Kind

#: Name of an array, in lower case → what its numbers are; None where the name does not decide between scores and probabilities.
SCORES: dict[str, Kind | None] = {
    "scores": None,
    "logits": "scores",
    "log_probs": "scores",
    "logprobs": "scores",
    "log_probabilities": "scores",
    "decision_function": "scores",
    "probabilities": "probabilities",
    "probability": "probabilities",
    "probs": "probabilities",
    "prob": "probabilities",
    "proba": "probabilities",
    "predict_proba": "probabilities",
    "y_prob": "probabilities",
    "y_proba": "probabilities",
    "y_score": None,
    "preds": None,
    "predictions": None,
    "outputs": None,
    "output": None,
    "arr_0": None,
}
#: Names of labels, in lower case.
LABELS = ("labels", "label", "y", "y_true", "targets", "target", "true_label", "ground_truth", "class", "arr_1")
#: Arrays that a message names.
_SHOWN = 12


def kind_of_name(name: str) -> Kind | None:
    """What a name says that the numbers are, if it says so."""
    return SCORES.get(name.lower())


def is_label_name(name: str) -> bool:
    """Whether labels usually have this name."""
    return name.strip().lower() in LABELS


def quoted(names: Iterable[str]) -> str:
    """Names for a message: 'a', 'b', ….

    >>> quoted(["a", "b"]), quoted([])
    ("'a', 'b'", 'nothing')
    """
    known: Sequence[str] = list(names)
    text = ", ".join(map(repr, known[:_SHOWN]))
    return (f"{text}, … ({len(known)} in all)" if len(known) > _SHOWN else text) or "nothing"
