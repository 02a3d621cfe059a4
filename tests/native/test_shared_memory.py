"""`out` may share memory with anything a kernel reads: results are those of separate arrays."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from served import has_kernel

import lastlayer as ll

ROWS, CLASSES = 40, 12
DTYPES = (np.float32, np.float64)
#: Where an input begins in the memory of `out`, in bytes: at its first byte, one number on, one row on, near its end.
PLACES = ("start", "one on", "row on", "end")
FRAMEWORKS = ("numpy", "torch")


def placed(out: np.ndarray, values: np.ndarray, place: str) -> np.ndarray:
    """The values in the memory of `out`, in its own layout's order of bytes, or None where they do not fit there."""
    memory = out.reshape(-1).view(np.uint8) if out.flags.c_contiguous else out.T.reshape(-1).view(np.uint8)
    rest = memory.size - values.nbytes
    wanted = {"start": 0, "one on": values.itemsize, "row on": CLASSES * values.itemsize, "end": rest}[place]
    begin = min(wanted, rest) // values.itemsize * values.itemsize
    view = memory[begin : begin + values.nbytes].view(values.dtype).reshape(values.shape)
    view[...] = values
    return view


def inputs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Everything that a loss reads besides the scores, in each dtype that kernels read without a copy."""
    soft = rng.dirichlet(np.ones(CLASSES), size=ROWS - 2)
    return {
        "labels": rng.integers(0, CLASSES, ROWS),
        "soft float32": soft.astype(np.float32),
        "soft float64": soft,
        "sample_weight": rng.random(ROWS) + 0.5,
        "weight": rng.random(CLASSES) + 0.5,
        "alpha": rng.uniform(1.1, 3.0, ROWS),
    }


def computed(framework: str, out: np.ndarray, scores: np.ndarray, given: dict[str, Any], mapping: Any) -> Any:
    """Loss and gradient with `out` of either framework on the same memory."""
    if framework == "torch":
        given = {name: torch.from_numpy(value) for name, value in given.items()}
        x, place = torch.from_numpy(scores), torch.from_numpy(out)
    else:
        x, place = scores, out
    targets = given.pop("targets")
    value, gradient = ll.loss_and_grad(
        x, targets, mapping=mapping, out=place, reduction="none", on_domain="nan", **given
    )
    assert gradient is place
    return np.asarray(value), out


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("what", list(inputs(np.random.default_rng(0))))
def test_a_loss_whose_out_lies_on_what_it_reads(what, framework):
    for place, dtype, is_by_columns, name, is_over_scores in itertools.product(
        PLACES, DTYPES, (False, True), ll.MAPPINGS, (False, True)
    ):
        if what == "alpha" and name != "entmax":
            continue
        # Without a kernel the formulas serve it, and torch's exponential is not NumPy's to the bit.
        if framework == "torch" and not has_kernel(name):
            continue
        rng = np.random.default_rng(5)
        given = inputs(rng)
        soft = what.startswith("soft")
        rows = ROWS - 2 if soft else ROWS
        scores = np.asarray(np.abs(rng.normal(size=(rows, CLASSES))) + 0.1, dtype, order="F" if is_by_columns else "C")
        if given[what].nbytes > scores.nbytes:
            continue
        mapping = ll.MAPPINGS[name]
        arguments = {"targets": given[what] if soft else given["labels"]}
        if what in ("sample_weight", "weight"):
            arguments[what] = given[what]
        if what == "alpha":
            mapping = mapping.replace(alpha=given["alpha"])
        out = scores if is_over_scores else np.empty_like(scores)
        shared = placed(out, given[what], place)
        where = f"{what} at the {place} of out, {name}, {np.dtype(dtype)}, {is_by_columns=}, {is_over_scores=}"
        apart = scores.copy(order="K")
        expected = computed("numpy", np.empty_like(apart), apart, dict(arguments), mapping)
        if what == "alpha":
            mapping = mapping.replace(alpha=shared)
        else:
            arguments["targets" if soft or what == "labels" else what] = shared
        if framework == "torch" and what == "alpha":
            mapping = mapping.replace(alpha=torch.from_numpy(shared))
        with np.errstate(all="ignore"):
            got = computed(framework, out, scores, arguments, mapping)
        np.testing.assert_array_equal(got[0], expected[0], err_msg=where)
        np.testing.assert_array_equal(got[1], expected[1], err_msg=where)


@pytest.mark.parametrize("place", PLACES)
def test_probabilities_whose_out_lies_on_the_parameters_of_rows(place):
    rng = np.random.default_rng(6)
    scores, alpha = rng.normal(size=(ROWS, CLASSES)), rng.uniform(1.1, 3.0, ROWS)
    expected = ll.entmax(scores, alpha=alpha)
    out = np.empty_like(scores)
    assert ll.entmax(scores, alpha=placed(out, alpha, place), out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_a_result_in_place_stays_in_place():
    """The linear head computes in place: nothing is copied if only the scores are shared."""
    scores = np.random.default_rng(7).normal(size=(ROWS, CLASSES))
    before = scores.copy()
    labels = np.arange(ROWS) % CLASSES
    arrays: list[Any] = []
    import lastlayer.backends.native as native

    made = native.new_array
    native.new_array = lambda *told: arrays.append(told) or made(*told)
    try:
        assert ll.loss_and_grad(scores, labels, out=scores)[1] is scores
        place = torch.from_numpy(scores)
        assert ll.loss_and_grad(place, torch.from_numpy(labels), out=place)[1] is place
    finally:
        native.new_array = made
    assert not arrays
    assert not np.array_equal(scores, before)
