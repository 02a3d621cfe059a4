"""A learned scale or temperature has a gradient from the rows that count alone, whatever is in the others."""

from __future__ import annotations

import itertools

import pytest
import torch

from lastlayer.torch import SparseTargets, TeacherTargets, linear_loss, linear_statistics

ROWS, FEATURES, CLASSES = 4, 5, 7
COUNTED = slice(0, 3)
LABELS = torch.tensor([1, 6, 0, -100])
ONCE = torch.tensor([1.0, 2.0, 0.5, 0.0])
ANGULAR = {"normalize": True, "margin": ("angular", 0.4)}


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sparse(rows):
    return SparseTargets(torch.arange(2).expand(ROWS, 2)[rows], torch.full((ROWS, 2), 0.4)[rows])


def teacher(rows):
    return TeacherTargets(drawn(ROWS, FEATURES, seed=3)[rows], drawn(CLASSES, FEATURES, seed=4))


def loss(reduction, targets=None, **fixed):
    def of(input, weight, rows, **options):
        given = {"sample_weight": ONCE[rows]} if targets else {}
        goal = targets(rows) if targets else LABELS[rows]
        return linear_loss(input, weight, goal, reduction=reduction, **given, **fixed, **options).sum()

    return of


def weighted(input, weight, rows, **options):
    return linear_loss(input, weight, LABELS[rows].clamp(min=0), sample_weight=ONCE[rows], **options)


def statistics(input, weight, rows, **options):
    found = linear_statistics(input, weight, LABELS[rows], **options)
    return found.log_prob.sum() + found.entropy.sum() + found.logsumexp.sum()


ENTRANCES = {
    "mean": loss("mean"),
    "none": loss("none"),
    "weighted": weighted,
    "statistics": statistics,
    "sparse": loss("mean", sparse),
    "teacher": loss("mean", teacher),
    "teacher, rows": loss("none", teacher),
}


def learned(kind):
    """Name, options and tensor of a factor that is learned."""
    if kind == "scale":
        return "scale", {"normalize": True}, torch.tensor(3.0, dtype=torch.float64)
    if kind == "scale with margin":
        return "scale", ANGULAR, torch.tensor(3.0, dtype=torch.float64)
    options = ANGULAR if "margin" in kind else {}
    return "temperature", options, torch.full((ROWS,) if "rows" in kind else (), 1.5, dtype=torch.float64)


KINDS = ("scale", "scale with margin", "temperature", "temperature of rows", "temperature of rows with margin")


def gradients(entrance, kind, input, rows, wrap=lambda f: f, **group):
    name, options, factor = learned(kind)
    factor = factor[rows] if factor.ndim else factor
    leaves = [x.clone().requires_grad_() for x in (input[rows], drawn(CLASSES, FEATURES, seed=1), factor)]

    @wrap
    def value(input, weight, factor):
        return ENTRANCES[entrance](input, weight, rows, **{name: factor}, **options, **group)

    return torch.autograd.grad(value(*leaves), leaves)


def cases():
    for entrance, kind in itertools.product(ENTRANCES, KINDS):
        if "margin" not in kind or entrance in ("mean", "none", "weighted"):
            yield entrance, kind


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize(("entrance", "kind"), list(cases()))
def test_a_broken_row_that_does_not_count(entrance, kind, broken, group):
    input = drawn(ROWS, FEATURES)
    input[3, 2] = broken
    in_input, in_weight, in_factor = gradients(entrance, kind, input, slice(None), group=group)
    of_input, of_weight, of_factor = gradients(entrance, kind, input, COUNTED)
    assert not in_input[3].any()
    torch.testing.assert_close(in_input[COUNTED], of_input)
    torch.testing.assert_close(in_weight, of_weight)
    torch.testing.assert_close(in_factor[COUNTED] if in_factor.ndim else in_factor, of_factor)
    assert not in_factor.ndim or in_factor[3] == 0


@pytest.mark.parametrize(
    ("entrance", "kind"),
    [("mean", "scale with margin"), ("mean", "temperature of rows"), ("statistics", "temperature")],
)
def test_the_same_when_compiled(entrance, kind):
    input = drawn(ROWS, FEATURES)
    input[3, 2] = float("nan")
    expected = gradients(entrance, kind, input, slice(None))
    found = gradients(entrance, kind, input, slice(None), torch.compile(fullgraph=True, backend="aot_eager"))
    assert expected[2].isfinite().all()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives(kind):
    name, options, factor = learned(kind)

    def value(input, weight, factor):
        return linear_loss(input, weight, LABELS, **{name: factor}, **options)

    leaves = [x.requires_grad_() for x in (drawn(ROWS, FEATURES), drawn(CLASSES, FEATURES, seed=1), factor)]
    assert torch.autograd.gradgradcheck(value, leaves)


@pytest.mark.parametrize("options", [{"normalize": True}, {}], ids=["scale", "temperature"])
def test_a_factor_that_cannot_be_read_and_is_not_positive(options):
    compiled = torch.compile(linear_loss, fullgraph=True, backend="aot_eager")
    for factor in (-2.0, 0.0):
        given = drawn(ROWS, FEATURES), drawn(CLASSES, FEATURES, seed=1), LABELS
        name = "scale" if options else "temperature"
        assert compiled(*given, **{name: torch.tensor(factor)}, **options).isnan()
