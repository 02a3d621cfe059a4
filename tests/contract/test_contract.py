"""Every mapping passes every check of the contract, on every array library."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lastlayer as ll
from lastlayer.checks.backend import NUMPY
from lastlayer.checks.check_mapping import CHECKS, load_check

#: Parameter values other than the defaults: the ends of a range, and values with a separate algorithm.
VARIANTS = (
    "taylor:order=6",
    "taylor:order=18",
    "entmax:alpha=1",
    "entmax:alpha=1.3",
    "entmax:alpha=2",
    "entmax:alpha=3",
)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_mapping_keeps_the_contract(name, check, backend, note_execution):
    load_check(check)(ll.MAPPINGS[name], backend)
    note_execution(name, backend.name)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_keep_the_contract(name, check):
    load_check(check)(ll.resolve_mapping(name), NUMPY)


@pytest.mark.parametrize("check", ["probabilities", "log_probabilities", "label_losses", "label_gradients"])
def test_portable_softmax_keeps_one_ulp_in_float32(check, backend):
    """The record's bound is that of the kernels. The formulas, which serve records other than the built-in one, are better."""
    record = ll.MAPPINGS["softmax"]
    formulas = replace(
        record, evaluate=lambda *a, **k: record.evaluate(*a, **k), budget=replace(record.budget, float32=1)
    )
    load_check(check)(formulas, backend)


def test_entmax_takes_one_alpha_per_row():
    scores = np.random.default_rng(5).normal(size=(6, 4)) * 2
    alphas = np.array([1.0, 1.2, 1.5, 2.0, 3.0, 5.0])
    together = ll.entmax(scores, alpha=alphas)
    for row, alpha, p in zip(scores, alphas, together, strict=True):
        np.testing.assert_allclose(p, ll.entmax(row, alpha=float(alpha)), rtol=0, atol=4e-16)
    with pytest.raises(ValueError, match=r"alpha has the entry 0\.5"):
        ll.entmax(scores, alpha=np.full(6, 0.5))


def test_every_mapping_ran_on_every_backend(never_executed):
    """The last test of this file, so that it sees what ran before."""
    assert never_executed == set()
