"""Mappings and losses as plain aten operations, for ONNX exporters and exported programs, which do not have our operators.

Softmax, its logarithm and logsumexp become torch's operators, which every runtime knows and fuses. Every other mapping becomes
its record's formulas in float64, rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat.torch
import torch

from lastlayer.backends.portable import portable_evaluate, portable_loss
from lastlayer.backends.torch.operators.arguments import is_soft, problem_of
from lastlayer.backends.torch.operators.loss import ARGUMENTS
from lastlayer.backends.torch.records import key_of, record_of
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

Tensor = torch.Tensor


class _PlainNamespace:
    """The array-API namespace of torch with functions that ONNX has not replaced.

    Its exporters write log1p as log(1 + x) and expm1 as exp(x) − 1, which are 0 for small x, and know no stable sort.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(array_api_compat.torch, name)

    @staticmethod
    def sort(x: Tensor, axis: int, descending: bool) -> Tensor:
        """x sorted along an axis."""
        return torch.sort(x, dim=axis, descending=descending).values

    @staticmethod
    def log1p(x: Tensor) -> Tensor:
        """log(u)·x/(u − 1) with u = 1 + x rounded (Higham 2002, section 1.14.1)."""
        u = 1.0 + x
        rounded = u - 1.0
        is_exact = rounded == x
        ratio = x / torch.where(rounded == 0.0, 1.0, rounded)
        return torch.where(is_exact, torch.log(u), torch.where(rounded == 0.0, x, torch.log(u) * ratio))

    @staticmethod
    def expm1(x: Tensor) -> Tensor:
        """(u − 1)·x/log(u) with u = e^x rounded (Higham 2002, section 1.14.1)."""
        u = torch.exp(x)
        logarithm = torch.log(u)
        is_untransformed = torch.isinf(logarithm)
        safe = torch.where(is_untransformed | (logarithm == 0.0), 1.0, logarithm)
        return torch.where(is_untransformed, u - 1.0, torch.where(u == 1.0, x, (u - 1.0) * (x / safe)))


_PLAIN = _PlainNamespace()
_OPERATORS_OF_TORCH: dict[str, Callable[..., Tensor]] = {
    "probabilities": torch.softmax,
    "log_probabilities": torch.log_softmax,
    "log_partition": torch.logsumexp,
}


def plain_evaluate(mapping: ProbabilityMapping, scores: Tensor, quantity: str) -> Tensor:
    """A quantity of every row by aten operations alone."""
    if key_of(mapping) == "softmax":
        return _OPERATORS_OF_TORCH[quantity](scores, -1)
    result: Tensor = portable_evaluate(mapping, scores, quantity, xp=_PLAIN)
    return result


def plain_loss(
    mapping: ProbabilityMapping,
    scores: Tensor,
    targets: Tensor,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
) -> tuple[Any, Tensor | None]:
    """The loss, reduced, and its gradient if asked for, by aten operations alone."""
    return portable_loss(mapping, scores, targets, is_soft, options, with_gradient, xp=_PLAIN)


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Our operators in aten operations, for `ExportedProgram.run_decompositions`.

    An exported program then runs, compiles and converts without lastlayer; `torch.onnx.export` of a module needs no table. Softmax
    becomes torch's operators with their accuracy; every other mapping is computed in float64.

    >>> table = {**torch.export.default_decompositions(), **decompositions()}  # program.run_decompositions(table)
    >>> sorted(map(str, decompositions()))
    ['lastlayer.evaluate.default', 'lastlayer.loss.default']
    """
    return {torch.ops.lastlayer.evaluate.default: _evaluate, torch.ops.lastlayer.loss.default: _loss}


def _evaluate(scores: Tensor, parameter: Tensor | None, mapping: str, quantity: str) -> Tensor:
    return plain_evaluate(record_of(mapping, parameter), scores, quantity)


def _loss(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    given = ARGUMENTS.record(*arguments)
    mapping, targets, options = problem_of(given)
    value, gradient = plain_loss(mapping, given.scores, targets, is_soft(targets), options, given.with_gradient)
    total, denominator = value if isinstance(value, tuple) else (value, given.scores.new_empty(0))
    return total, denominator, given.scores.new_empty(0) if gradient is None else gradient
