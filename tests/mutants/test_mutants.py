"""The contract must reject mappings with typical mistakes. A check that rejects no mutant is not a check."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lastlayer as ll
from lastlayer.checks.check_mapping import CHECKS, load_check


def mutant(name, **methods):
    """The mapping with some methods of its point replaced: each value is original class → new method."""
    record = ll.MAPPINGS[name]

    def evaluate(scores, xp, **parameters):
        point = record.evaluate(scores, xp, **parameters)
        original = type(point)

        class Mutated(original):
            pass

        for method, wrong in methods.items():
            setattr(Mutated, method, wrong(original))
        point.__class__ = Mutated
        return point

    return replace(record, evaluate=evaluate)


def probabilities_by(change):
    return lambda original: lambda self: change(original.probabilities(self))


def logarithm_by(change):
    return lambda original: lambda self: change(original.probabilities(self), original.log_probabilities(self))


def gradient_by(change):
    return lambda original: lambda self, y: change(self, original.loss_gradient(self, y), y)


def swap_two(p):
    if p.shape[-1] < 2:
        return p
    p = p.copy()
    p[..., [0, 1]] = p[..., [1, 0]]
    return p


MUTANTS = {
    "returns 1/K": {"probabilities": probabilities_by(lambda p: p * 0 + 1 / p.shape[-1])},
    "swaps two classes": {"probabilities": probabilities_by(swap_two)},
    "off by 1e-3": {"probabilities": probabilities_by(lambda p: p * (1 - 1e-3) + 1e-3 / p.shape[-1])},
    "off by 4 eps of the largest": {
        "probabilities": probabilities_by(lambda p: p + 4 * 2.0**-52 * p.max(axis=-1, keepdims=True, initial=0))
    },
    "swallows NaN": {"probabilities": probabilities_by(np.nan_to_num)},
    "drops the target's gradient": {"loss_gradient": gradient_by(lambda self, g, y: np.where(y > 0, 0.0, g))},
    "drops the others' gradient": {"loss_gradient": gradient_by(lambda self, g, y: np.where(y > 0, g, 0.0))},
    "flips the gradient": {"loss_gradient": gradient_by(lambda self, g, y: -g)},
    "vjp without its mean": {"vjp": lambda original: lambda self, v: self.partition_gradient() * v},
    "log vjp is the vjp": {"log_vjp": lambda original: lambda self, v: original.vjp(self, v)},
    "log p from p": {"log_probabilities": lambda original: lambda self: np.log(original.probabilities(self) + 1e-12)},
    "log p is 0 off the support": {"log_probabilities": logarithm_by(lambda p, logs: np.where(p == 0, 0.0, logs))},
    "log p is -1000 off the support": {"log_probabilities": logarithm_by(lambda p, logs: np.where(p == 0, -1e3, logs))},
    "log p of a small p is cut off": {"log_probabilities": logarithm_by(lambda p, logs: np.maximum(logs, -9.0))},
    "log p is -inf for a small p": {
        "log_probabilities": logarithm_by(lambda p, logs: np.where(p < 1e-4, -np.inf, logs))
    },
    "log p is off by one for a small p": {"log_probabilities": logarithm_by(lambda p, logs: logs - (p < 1e-3))},
    "log p swallows NaN": {
        "log_probabilities": logarithm_by(lambda p, logs: np.nan_to_num(logs, nan=0.0, neginf=-np.inf))
    },
    "Z one too large": {"log_partition": lambda original: lambda self: original.log_partition(self) + 1},
    "partition gradient one percent off": {
        "partition_gradient": lambda original: lambda self: original.partition_gradient(self) * 1.01
    },
    "soft gradient forgets targets 0": {
        "loss_gradient": gradient_by(lambda self, g, y: np.where((y == 0) & (y.max(-1, keepdims=True) < 1), 0.0, g))
    },
    "loss one percent off": {"losses": lambda original: lambda self, y: original.losses(self, y) * 1.01},
    "loss without its tail": {"losses": lambda original: lambda self, y: np.minimum(original.losses(self, y), 5.0)},
}


def is_rejected(mapping) -> bool:
    for check in CHECKS:
        try:
            load_check(check)(mapping)
        except AssertionError:
            return True
    return False


@pytest.mark.parametrize("name", ["softmax", "ratio", "sparsemax"])
def test_unchanged_mapping_is_not_rejected(name):
    """The control: without a mutation the mapping passes, so a mutant fails because of its mutation."""
    assert not is_rejected(mutant(name, probabilities=probabilities_by(lambda p: p)))


@pytest.mark.parametrize("what", MUTANTS)
@pytest.mark.parametrize("name", ["softmax", "ratio", "sparsemax"])
def test_mutant_is_rejected(name, what):
    assert is_rejected(mutant(name, **MUTANTS[what])), f"a {name} that {what} passes the contract"


def naive_softmax(original):
    def probabilities(self):
        shifted = np.exp(self.scores - self.scores.max(axis=-1, keepdims=True))
        return shifted / shifted.sum(axis=-1, keepdims=True)

    return probabilities


ACCURACY_MUTANTS = {
    "rounds x - max": {"probabilities": naive_softmax},
    "takes log of 1 + others": {
        "log_probabilities": lambda original: lambda self: np.log(original.probabilities(self))
    },
    "has p - 1 for the target's gradient": {
        "loss_gradient": lambda original: lambda self, y: original.probabilities(self) - y
    },
    "sums without care": {
        "log_partition": lambda original: lambda self: np.log(np.exp(self.scores).sum(axis=-1)),
    },
}


@pytest.mark.parametrize("what", ACCURACY_MUTANTS)
def test_textbook_softmax_is_rejected(what):
    assert is_rejected(mutant("softmax", **ACCURACY_MUTANTS[what])), f"a softmax that {what} passes the contract"


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("ratio", "shift_invariant"),
        ("ratio", "full_support"),
        ("softmax", "scale_invariant"),
        ("spherical", "order_preserving"),
        ("sparsemax", "full_support"),
        ("softmax_plus_one", "sums_to_one"),
        ("stablemax", "convex_loss"),
        ("taylor", "order_preserving"),
    ],
)
def test_false_law_is_rejected(name, law):
    record = ll.MAPPINGS[name]
    assert law not in record.laws
    with pytest.raises(AssertionError, match=law):
        load_check("laws")(replace(record, laws=frozenset({law})))


def test_too_tight_budget_is_rejected():
    record = ll.MAPPINGS["softmax"]
    with pytest.raises(AssertionError, match="ULP"):
        load_check("probabilities")(replace(record, budget=replace(record.budget, float64=0.4)))


@pytest.mark.parametrize("name", ["softmax", "sparsemax", "entmax"])
def test_wrong_tangent_is_rejected(name):
    assert is_rejected(replace(ll.MAPPINGS[name], tangent=lambda p, xp, **parameters: p * p))


def test_wrong_domain_is_rejected():
    everything = replace(ll.MAPPINGS["ratio"].domain, is_valid=None)
    assert is_rejected(replace(ll.MAPPINGS["ratio"], domain=everything))


def test_check_mapping_accepts_names_and_says_what_it_found():
    ll.check_mapping("ratio")
    with pytest.raises(AssertionError, match="the truth is"):
        ll.check_mapping(mutant("softmax", **MUTANTS["returns 1/K"]))
