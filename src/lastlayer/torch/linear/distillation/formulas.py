"""Distillation losses and slopes by the formulas of the record, in float64: every mapping, whole rows or slices."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from lastlayer.losses import LossOptions, partition_penalty
from lastlayer.mappings import Point, ProbabilityMapping
from lastlayer.torch.linear.blocks import Block, of_rows
from lastlayer.torch.linear.distillation.divergences import (
    Distribution,
    difference,
    divergence_terms,
    slope_in_p,
)
from lastlayer.torch.linear.distillation.goals import SparseGoal
from lastlayer.torch.linear.distillation.problem import Problem

Tensor = torch.Tensor

#: Scores that the formulas work on at one time, on one process. They hold a few dozen numbers per score.
_CHUNK = 2**17


class Dense(NamedTuple):
    """Targets of some rows for this process's classes."""

    #: log y, (n, K).
    log: Tensor
    #: The classes that the rest is made of, (n, K); None if it has none of the classes.
    is_rest: Tensor | None
    #: log y of the rest, (n,); None without a rest.
    log_rest: Tensor | None


def formula_rows(
    problem: Problem, options: LossOptions, block: Block, teacher: Tensor | None, with_gradient: bool
) -> Tensor:
    """The losses (n,) of whole rows, float64. With a gradient, the slopes of this process's classes replace its scores."""
    rows = block.scores.shape[0]
    if not problem.is_alone:
        return _rows(problem, options, block, teacher, with_gradient)
    height = max(1, _CHUNK // max(1, problem.call.size))
    losses = [block.scores.new_zeros(0, dtype=torch.float64)]
    for start in range(0, rows, height):
        some = slice(start, min(start + height, rows))
        part = part_of(block, some)
        losses.append(_rows(problem, options, part, None if teacher is None else teacher[some], with_gradient))
    return torch.cat(losses)


def part_of(block: Block, some: slice) -> Block:
    """Some rows of a block, with a view of their scores."""
    place = block.place
    if isinstance(place, slice):
        inside: slice | Tensor = slice(place.start + some.start, place.start + some.stop)
    else:
        inside = place[some]
    return Block(inside, block.input[some], block.scores[some])


def _rows(problem: Problem, options: LossOptions, block: Block, teacher: Tensor | None, with_gradient: bool) -> Tensor:
    call, xp = problem.call, problem.namespace
    record = of_rows(problem.record, block.place)
    raw = call.columns(block.scores, 1.0)
    point = record.at(call.options.activation(raw, xp), xp)
    target = _dense(problem, record, block.place, teacher)
    is_bregman = record.family == "regularized" and problem.divergence == "forward"
    found = _fenchel_young if is_bregman else _divergence
    losses, slopes = found(problem.divergence, point, target, _has_spare(record), xp, with_gradient)
    weight, is_counted = problem.weights(block.place, options)
    if penalty := partition_penalty(point.log_partition, options):
        losses = losses + penalty[0]
        if slopes is not None:
            slopes = slopes + penalty[1][:, None] * point.partition_gradient()
    if slopes is not None:
        slopes = call.options.activation.pull_back(raw, weight[:, None] * slopes, xp)
        block.scores.copy_(torch.where(is_counted[:, None], slopes, 0.0)[:, : call.size])
    return torch.where(is_counted, weight * losses, 0.0)


def _has_spare(record: ProbabilityMapping) -> bool:
    """Whether the denominator has an extra 1: an outcome of probability e^(−Z) that no class has."""
    return record.family == "normalized" and "sums_to_one" not in record.laws


def _dense(problem: Problem, record: ProbabilityMapping, place: slice | Tensor, teacher: Tensor | None) -> Dense:
    call, goal, xp = problem.call, problem.goal, problem.namespace
    if not isinstance(goal, SparseGoal):
        assert teacher is not None
        point = record.at(goal.activation(call.columns(teacher, 1.0), xp), xp)
        return Dense(point.log_probabilities(), None, -point.log_partition() if _has_spare(record) else None)
    logs = goal.logs(place, call.classes)
    local = local_indices(problem, place)
    dense = logs.new_full((logs.shape[0], call.size + 1), -float("inf")).scatter_(1, local, logs[:, :-1])
    is_rest = torch.ones_like(dense, dtype=torch.bool).scatter_(1, local, False)
    width = max(1, call.size)
    return Dense(dense[:, :width], is_rest[:, :width], logs[:, -1])


def local_indices(problem: Problem, place: slice | Tensor) -> Tensor:
    """The place of each named class among this process's classes, (n, k); one beyond them for padding and for others' classes."""
    goal, call = problem.goal, problem.call
    assert isinstance(goal, SparseGoal)
    index = goal.indices_of(place)
    local = index - call.offset
    return torch.where((index != goal.ignore_index) & (local >= 0) & (local < call.size), local, call.size)


def _fenchel_young(
    kind: str, point: Point, target: Dense, has_spare: bool, xp: Any, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Ω*(x) + Ω(y) − ⟨x, y⟩ and p − y."""
    y = torch.exp(target.log)
    losses = point.losses(y)
    # Rounding may leave a negative sum of terms that are zero.
    return torch.where(losses < 0, 0.0, losses), point.loss_gradient(y) if with_gradient else None


def _divergence(
    kind: str, point: Point, target: Dense, has_spare: bool, xp: Any, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    student = Distribution(point.probabilities(), point.log_probabilities())
    named = Distribution.of_logs(target.log)
    terms = divergence_terms(kind, student, named)
    if target.is_rest is not None:
        terms = torch.where(target.is_rest, 0.0, terms)
    losses = xp.sum(terms, axis=-1)
    rest = None
    spare = -point.log_partition() if has_spare else None
    if target.log_rest is not None:
        log_rest = _log_of_rest(student.log, target.is_rest, spare, xp)
        rest = (Distribution.of_logs(log_rest), Distribution.of_logs(target.log_rest))
        losses = losses + divergence_terms(kind, *rest)
    if not with_gradient:
        return losses, None
    if kind == "forward":
        return losses, _forward_slopes(point, student, named, target.is_rest, rest, spare)
    c = slope_in_p(kind, student, named)
    if rest is not None:
        of_rest = slope_in_p(kind, *rest)[:, None]
        if target.is_rest is not None:
            c = torch.where(target.is_rest, of_rest, c)
        # All outcomes sum to one: a constant changes nothing, and this one leaves no slope for the spare outcome.
        c = c - of_rest if has_spare else c
    # An infinite reverse KL has no gradient: 0, so that other rows keep theirs.
    return losses, point.vjp(torch.where((losses == float("inf"))[:, None], 0.0, c))


def _forward_slopes(
    point: Point,
    student: Distribution,
    named: Distribution,
    is_rest: Tensor | None,
    rest: tuple[Distribution, Distribution] | None,
    spare: Tensor | None,
) -> Tensor:
    """By log_vjp of v = p − y, which is p times the slope in p. What is due to the rest is shared as its probability is."""
    v = difference(student, named)
    if rest is None:
        return point.log_vjp(v)
    gap, log_rest = difference(*rest), rest[0].log
    if is_rest is not None:
        share = torch.where(student.p == 0, 0.0, torch.exp(student.log - log_rest[:, None]))
        v = torch.where(is_rest, share * gap[:, None], v)
    slopes = point.log_vjp(v)
    if spare is None:
        return slopes
    of_spare = torch.where(spare == -float("inf"), 0.0, gap * torch.exp(spare - log_rest))
    return slopes - of_spare[:, None] * point.partition_gradient()


def _log_of_rest(log_p: Tensor, is_rest: Tensor | None, spare: Tensor | None, xp: Any) -> Tensor:
    """log of the sum of the probabilities that the rest is made of, which may underflow itself."""
    if is_rest is None:
        assert spare is not None
        return spare
    inside = torch.where(is_rest, log_p, -float("inf"))
    largest = xp.max(inside, axis=-1)
    if spare is not None:
        largest = torch.maximum(largest, spare)
    anchor = torch.where(largest == -float("inf"), 0.0, largest)
    total = xp.sum(torch.exp(inside - anchor[:, None]), axis=-1)
    if spare is not None:
        total = total + torch.exp(spare - anchor)
    return torch.log(total) + anchor
