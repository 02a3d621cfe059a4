"""The adapters of benchmarks/suites tell a wrong value from a documented difference."""

from __future__ import annotations

from types import SimpleNamespace

import entmax_tests
import optax_tests
import pytest
import scipy_tests
import torch
import torch_samples
from verdict import REFUSALS, NotApplicableError, Rule, Suite, documented_rows

import lastlayer as ll


def refuse(error: Exception):
    raise error


def test_every_rule_names_a_row_of_the_page():
    rows = documented_rows()
    assert len(rows) > 20
    rules = [*REFUSALS, *torch_samples.RULES, *scipy_tests.RULES, *entmax_tests.RULES, *optax_tests.RULES]
    for rule in rules:
        assert rule.kind == "n.a." or any(row.startswith(rule.reason) for row in rows), rule
    assert rules


@pytest.mark.parametrize(
    ("work", "kind"),
    [
        (lambda: None, "equal"),
        (lambda: "soft targets", "difference"),
        (lambda: refuse(NotApplicableError("several class axes")), "n.a."),
        (lambda: ll.loss([[1.0, 2.0]], [[0.5, 0.7]]), "difference"),
        (lambda: ll.loss([[1.0, 2.0]], [0], weight=[-1.0, 1.0]), "difference"),
        (lambda: refuse(AssertionError("Tensor-likes are not close!")), "WRONG VALUE"),
        (lambda: refuse(RuntimeError("crash")), "WRONG VALUE"),
    ],
)
def test_verdicts(work, kind):
    suite = Suite("one")
    suite.trial("sample", work)
    assert [found for found, _ in suite.counts] == [kind]
    assert bool(suite.wrong) == (kind == "WRONG VALUE")


def test_a_difference_without_a_row_is_wrong():
    suite = Suite("one")
    suite.judge("ValueError: odd", (Rule("odd", "difference", "a row that no page has"),), "sample")
    assert len(suite.wrong) == 1
    assert "not a row of docs/deviations.md" in suite.wrong[0]


@pytest.mark.parametrize(
    ("adapter", "is_right"), [(None, True), (lambda x, dim: ll.softmax(1.001 * x, axis=dim), False)]
)
def test_samples_of_torch(adapter, is_right, monkeypatch):
    """With lastlayer in torch's place a sample is equal; an adapter that is off by 1e-3 is a wrong value."""
    if adapter is not None:
        monkeypatch.setitem(torch_samples.OPERATORS, "softmax", adapter)
    x = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    sample = SimpleNamespace(input=x, args=(1,), kwargs={})
    info = SimpleNamespace(name="softmax", op=torch.softmax)
    suite = Suite("one")
    suite.trial("sample", lambda: torch_samples._compare(info, sample, torch.float64, True))
    assert (not suite.wrong) == is_right
