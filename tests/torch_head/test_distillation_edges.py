"""Distillation where rounding, memory, or an infinite loss could spoil a gradient or hide a mistake."""

from __future__ import annotations

import mpmath
import pytest
import torch

from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch import SparseTargets, TeacherTargets, linear_loss
from lastlayer.torch.linear.arguments import prepare_head
from lastlayer.torch.linear.distillation.goals import SparseGoal
from lastlayer.torch.linear.distillation.preparation import _print_of_floats
from lastlayer.torch.linear.distillation.rows import buffers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("divergence", ["forward", "reverse", "js"])
@pytest.mark.parametrize("gap", [3.0, 30.0, 80.0])
def test_slopes_of_a_confident_student(divergence, dtype, gap):
    """The slope of the likeliest class is minus the sum of the others, however small they are."""
    weight = torch.tensor([[gap], [0.0], [1.0]], dtype=dtype, requires_grad=True)
    teacher = TeacherTargets(torch.ones(1, 1, dtype=dtype), weight.detach().flip(0) / 4, divergence=divergence)
    linear_loss(torch.ones(1, 1, dtype=dtype), weight, teacher, scores_dtype=torch.float32).backward()
    exact = _exact_slopes(divergence, (gap, 0.0, 1.0), (0.25, 0.0, gap / 4))
    for slope, true in zip(weight.grad[:, 0].tolist(), exact, strict=True):
        assert abs(slope - true) <= max(8 * torch.finfo(dtype).eps * abs(true), 1e-38)


def _exact_slopes(kind, student, target):
    with mpmath.workdps(80):
        p, y = ([mpmath.exp(x) for x in row] for row in (student, target))
        p, y = ([x / mpmath.fsum(row) for x in row] for row in (p, y))
        if kind == "forward":
            return [float(a - b) for a, b in zip(p, y, strict=True)]
        to = y if kind == "reverse" else [(a + b) / 2 for a, b in zip(p, y, strict=True)]
        c = [mpmath.log(a / b) * (1 if kind == "reverse" else 0.5) for a, b in zip(p, to, strict=True)]
        mean = mpmath.fsum(a * b for a, b in zip(p, c, strict=True))
        return [float(a * (b - mean)) for a, b in zip(p, c, strict=True)]


@pytest.mark.parametrize("mapping", ["softmax", "softmax_plus_one"])
def test_an_infinite_loss_leaves_the_other_rows_alone(mapping):
    generator = torch.Generator().manual_seed(0)
    input, weight, taught = (torch.randn(n, 3, generator=generator) for n in (4, 5, 5))
    # As one more feature, so that a single row has the score of −inf.
    one_more = torch.zeros(4, 1)
    one_more[1] = 1.0
    teacher_input = torch.cat([input, one_more], 1)
    teacher_weight = torch.cat([taught, torch.tensor([[0.0], [0.0], [-3e38], [0.0], [0.0]])], 1)
    found = []
    for rows in (slice(None), [0, 2, 3]):
        leaf = weight.clone().requires_grad_()
        targets = TeacherTargets(teacher_input[rows] * 10, teacher_weight, divergence="reverse")
        losses = linear_loss(input[rows], leaf, targets, mapping=mapping, reduction="none")
        losses.sum().backward()
        found.append((losses.detach(), leaf.grad))
    (losses, grad), (some, exact) = found
    assert losses[1] == float("inf")
    torch.testing.assert_close(losses[[0, 2, 3]], some)
    torch.testing.assert_close(grad, exact)


def test_fingerprints_know_the_place_of_a_number():
    rows = torch.rand(3, 4)
    for other in (rows.flip(1), rows.flip(0), rows[:, [1, 0, 2, 3]], rows + 1e-7):
        assert _print_of_floats(rows) != _print_of_floats(other)
    assert _print_of_floats(rows) == _print_of_floats(rows.clone())
    # In several parts.
    many = torch.rand(1100, 1000)
    assert _print_of_floats(many) != _print_of_floats(torch.cat([many[-1:], many[1:-1], many[:1]]))


def test_mistakes_are_found_in_every_part_of_long_targets():
    indices = torch.arange(64).expand(9000, 64).clone()
    y = torch.full((9000, 64), 1 / 64)
    input, weight = torch.ones(9000, 1), torch.ones(65, 1)
    indices[8000, 5] = 65
    with pytest.raises(IndexError, match=r"index 65 at position \(8000, 5\)"):
        linear_loss(input, weight, SparseTargets(indices, y))
    indices[8000, 5] = 6
    with pytest.raises(ValueError, match="row 8000 of the sparse targets names class 6 twice"):
        linear_loss(input, weight, SparseTargets(indices, y))
    indices[8000] = -100
    goal = SparseGoal(indices, y, True, -100)
    assert goal.is_padding().nonzero().tolist() == [[8000]]


def test_many_named_classes_count_in_the_memory():
    def found(classes, k):
        head = prepare_head(torch.ones(2, 1), torch.ones(classes, 1), None)
        goal = SparseGoal(torch.zeros(2, k, dtype=torch.int64), torch.zeros(2, k), True, -100)
        return buffers(resolve_mapping("softmax"), goal, head, True)

    assert found(32_000, 32) == 1
    assert found(1024, 256) == 5
