"""Every mapping's answer for one vector of scores, and the claims judged on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lastlayer.comparison.claims import Claim, judge
from lastlayer.comparison.question import Question
from lastlayer.functions import (
    DomainError,
    log_probabilities,
    loss,
    loss_and_grad,
    probabilities,
)
from lastlayer.mappings import ProbabilityMapping
from lastlayer.words.numbers import short, tuple_of

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One mapping's answer. Where it has none, `error` says why and the quantities are None."""

    name: str
    family: str
    error: str | None = None
    #: p (K,) and log p (K,) of the scores that reach the mapping.
    probabilities: Vector | None = None
    log_probabilities: Vector | None = None
    #: The loss of each class if it were the true one, (K,).
    losses: Vector | None = None
    #: Gradient of the true class's loss in the scores as given, so through the activation; None without a label.
    gradient: Vector | None = None
    #: −Σ p log p over the given classes, in nats.
    entropy: float | None = None
    #: How many classes have a probability above zero; one too small for a float64 counts, an exact zero does not.
    support: int | None = None

    @property
    def defined(self) -> bool:
        """Whether the mapping has probabilities for these scores."""
        return self.error is None


@dataclass(frozen=True, eq=False)
class Answers:
    """What was asked, the scores that reach the mappings, one row per mapping, and the claims."""

    question: Question
    reached: Vector
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]

    @classmethod
    def of(cls, question: Question) -> Self:
        """Evaluate every mapping of the question on its scores, and judge the claims."""
        # A tiny temperature may send scores to infinity, which the mappings have limits for.
        with np.errstate(over="ignore"):
            reached = np.asarray(question.activation(question.scores, np))
            rows = tuple(_row(mapping, question, reached) for mapping in question.mappings)
            return cls(question, reached, rows, judge(question, reached))


def _row(mapping: ProbabilityMapping, question: Question, reached: Vector) -> Row:
    try:
        p = probabilities(reached, mapping=mapping)
    except DomainError:
        error = f"{mapping.label} needs {mapping.domain.description}; {_shown(reached)}."
        return Row(mapping.label, mapping.family, error=error)
    if np.isnan(p).any():
        error = f"{mapping.label} has no limit here: {_shown(reached)}. Its limits: {mapping.limits}."
        return Row(mapping.label, mapping.family, error=error)
    log_p = log_probabilities(reached, mapping=mapping)
    return Row(
        mapping.label,
        mapping.family,
        probabilities=p,
        log_probabilities=log_p,
        losses=_losses(mapping, question, reached, log_p),
        gradient=_gradient(mapping, question),
        entropy=entropy(p, log_p),
        support=int(np.sum(log_p > -np.inf)),
    )


def _shown(scores: Vector) -> str:
    """The scores, or of many the smallest, which is what a domain minds."""
    if len(scores) <= 4:
        return f"the scores are {tuple_of(scores)}"
    smallest = int(np.argmin(scores))
    return f"the smallest score is x{smallest} = {short(float(scores[smallest]))}"


def _losses(mapping: ProbabilityMapping, question: Question, reached: Vector, log_p: Vector) -> Vector:
    """The loss of each class as the true one.

    The log loss is −log p. A Fenchel–Young loss is Ω*(x) + Ω(y) − x_y, and Ω is the same for every class: what a class loses more
    than the largest score's is the distance between the two scores. Both terms are positive, so nothing cancels.
    """
    if mapping.family == "normalized":
        return 0.0 - log_p
    top = int(np.argmax(reached))
    if np.isfinite(reached).all():
        return _loss(mapping, question, [top]) + (reached[top] - reached)
    return _loss(mapping, question, range(len(reached)))


def _loss(mapping: ProbabilityMapping, question: Question, labels: Sequence[int]) -> Vector:
    """The losses of these classes as the true one, one row of scores per class."""
    losses: Vector = loss(
        np.broadcast_to(question.scores, (len(labels), len(question.scores))),
        np.array(labels),
        mapping=mapping,
        softcap=question.activation.softcap,
        temperature=question.activation.temperature,
        reduction="none",
    )
    return losses


def _gradient(mapping: ProbabilityMapping, question: Question) -> Vector | None:
    if question.label is None:
        return None
    _, gradient = loss_and_grad(
        question.scores[None, :],
        np.array([question.label]),
        mapping=mapping,
        softcap=question.activation.softcap,
        temperature=question.activation.temperature,
        reduction="sum",
    )
    row: Vector = gradient[0]
    return row


def entropy(p: Vector, log_p: Vector) -> float:
    """−Σ p log p in nats, 0·log 0 = 0."""
    positive = p > 0
    return float(-np.sum(p[positive] * log_p[positive])) + 0.0
