"""What callers hold: masked arrays are refused, and subclasses, memmaps and columns are read as the plain arrays in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow
import pytest
from libraries import NUMPY, STRICT, TORCH
from served import has_kernel

import lastlayer as ll
from lastlayer.backends import EXTENSION

SCORES = np.random.default_rng(7).normal(size=(6, 4))
LABELS = np.array([0, 1, 2, 3, 0, 1])
SOFT = ll.softmax(SCORES[::-1])
WEIGHT, ROW_WEIGHT = np.array([1.0, 2.0, 0.5, 1.5]), np.linspace(0.5, 1.5, 6)

#: Every function with every mapping: what to call with scores.
SCORE_CALLS = {
    # A mapping may have a function of its own name, and need not.
    **{name: getattr(ll, name) for name in (*ll.MAPPINGS, "log_softmax", "logsumexp") if hasattr(ll, name)},
    **{f"probabilities {m}": lambda x, m=m: ll.probabilities(x, mapping=m, on_domain="nan") for m in ll.MAPPINGS},
    **{f"log {m}": lambda x, m=m: ll.log_probabilities(x, mapping=m, on_domain="nan") for m in ll.MAPPINGS},
    **{f"loss {m}": lambda x, m=m: ll.loss(x, LABELS, mapping=m, on_domain="nan") for m in ll.MAPPINGS},
    **{f"grad {m}": lambda x, m=m: ll.loss_and_grad(x, LABELS, mapping=m, on_domain="nan")[1] for m in ll.MAPPINGS},
    "cross_entropy": lambda x: ll.cross_entropy(x, LABELS),
}
#: Every other array argument: its value, and a call with it.
OTHER_CALLS = {
    "labels": (LABELS, lambda x, y: ll.loss_and_grad(x, y)[1]),
    "soft targets": (SOFT, lambda x, y: ll.loss_and_grad(x, y)[1]),
    "weight": (WEIGHT, lambda x, w: ll.loss_and_grad(x, LABELS, weight=w)[1]),
    "sample_weight": (ROW_WEIGHT, lambda x, w: ll.loss_and_grad(x, LABELS, sample_weight=w)[1]),
    "alpha": (ROW_WEIGHT + 1.0, lambda x, a: ll.entmax(x, a)),
}


def masked(array, where):
    mask = np.zeros(array.shape, dtype=bool)
    mask.reshape(-1)[where] = True
    return np.ma.array(array, mask=mask)


@pytest.mark.parametrize("name", SCORE_CALLS)
def test_a_mask_on_scores_is_refused(name):
    scores = np.abs(SCORES) + 0.1
    for given in (masked(scores, [5]), [*scores[:2], masked(scores[2], [1]), *scores[3:]]):
        with pytest.raises(TypeError, match=r"scores.*filled\(-np.inf\)"):
            SCORE_CALLS[name](given)
    nothing_masked = np.ma.array(scores)
    got = SCORE_CALLS[name](nothing_masked)
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got, SCORE_CALLS[name](scores))


@pytest.mark.parametrize("library", [NUMPY, TORCH, STRICT], ids=lambda library: library.name)
@pytest.mark.parametrize("name", OTHER_CALLS)
def test_a_mask_on_any_other_argument_is_refused(name, library):
    value, call = OTHER_CALLS[name]
    scores = library.make(SCORES)
    with pytest.raises(TypeError, match="masked entries"):
        call(scores, masked(value, [1]))
    got = library.back(call(scores, np.ma.array(value)))
    np.testing.assert_array_equal(got, library.back(call(scores, value)))


def test_a_masked_out_is_refused():
    with pytest.raises(TypeError, match="out is a masked array"):
        ll.softmax(SCORES, out=np.ma.array(np.empty_like(SCORES)))


def memmap_of(path, array):
    held = np.memmap(path, dtype=array.dtype, mode="w+", shape=array.shape)
    held[...] = array
    return held


def subclasses(array, tmp_path):
    yield memmap_of(tmp_path / "numbers", array)
    yield array.view(type("Mine", (np.ndarray,), {}))
    yield array.view(np.recarray)
    if array.ndim == 2:
        yield array.view(np.matrix)
        yield pd.DataFrame(array)
        yield pyarrow.table({str(k): column for k, column in enumerate(array.T)})
        yield pd.DataFrame(array).convert_dtypes()
    else:
        yield pd.Series(array)
        yield pd.Series(array).convert_dtypes()
        yield pd.Series(array, dtype=f"{pyarrow.from_numpy_dtype(array.dtype)}[pyarrow]")
        yield pd.Index(array)
        yield pyarrow.array(array)
        yield pyarrow.chunked_array([array[:2], array[2:]])


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", [*SCORE_CALLS, *OTHER_CALLS])
def test_what_holds_a_plain_array_is_read_as_one(name, tmp_path, monkeypatch):
    if name in SCORE_CALLS:
        value, call = np.abs(SCORES) + 0.1, SCORE_CALLS[name]
    else:
        value, call = OTHER_CALLS[name][0], lambda y: OTHER_CALLS[name][1](SCORES, y)
    expected, walked = call(value), 0
    if EXTENSION is not None:
        # They stay on the kernels, which are fast and need no more memory than the result.
        def leave(*arguments):
            raise AssertionError("left the kernels")

        monkeypatch.setattr("lastlayer.backends.portable.row_losses", leave)
        monkeypatch.setattr(ll.ProbabilityMapping, "at", leave)
        if (mapping := name.split()[-1]) in ll.MAPPINGS and not has_kernel(mapping):
            monkeypatch.undo()
    for given in subclasses(value, tmp_path):
        if name == "alpha" and not hasattr(given, "shape"):
            continue
        got = call(given)
        assert type(got) is np.ndarray
        np.testing.assert_array_equal(got, expected)
        walked += 1
    assert walked >= (6 if name == "alpha" else 7)


def test_results_are_written_into_a_memmap(tmp_path):
    held = memmap_of(tmp_path / "numbers", SCORES)
    assert ll.softmax(held, out=held) is held
    np.testing.assert_array_equal(np.asarray(held), ll.softmax(SCORES))
    held[...] = SCORES
    assert ll.loss_and_grad(SCORES, LABELS, out=held)[1] is held
    np.testing.assert_array_equal(np.asarray(held), ll.loss_and_grad(SCORES, LABELS)[1])


@pytest.mark.parametrize("name", ["scores", *(name for name in OTHER_CALLS if name != "alpha")])
def test_missing_values_of_columns_are_refused(name):
    value, call = (SCORES[:, 0], lambda x, y: ll.softmax(y)) if name == "scores" else OTHER_CALLS[name]
    holed = [None if place == (3,) + (0,) * (value.ndim - 1) else x.item() for place, x in np.ndenumerate(value)]
    kind = "Int64" if name == "labels" else "Float64"
    if value.ndim == 2:
        columns = {str(k): holed[k :: value.shape[1]] for k in range(value.shape[1])}
        given = [pd.DataFrame(columns, dtype=kind), pyarrow.table(columns)]
    else:
        given = [pd.Series(holed, dtype=kind), pyarrow.array(holed), pyarrow.chunked_array([holed])]
    for column in given:
        with pytest.raises(ValueError, match=r"missing value .* at position 3"):
            call(SCORES, column)


def test_nan_is_a_number_like_any_other():
    column = pd.Series([1.0, np.nan, 2.0])
    assert np.isnan(ll.softmax(column)).all()
