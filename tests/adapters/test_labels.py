"""Labels keep their value: every integer dtype, in every library, at every entrance; nothing wraps around."""

from __future__ import annotations

import itertools

import jax
import numpy as np
import pytest
import torch
from domains import inside
from libraries import JAX, JAX_X64, LIBRARIES, NUMPY, STRICT, TORCH, names

import lastlayer as ll
from lastlayer.functions.scores import prepare
from lastlayer.functions.targets import prepare_targets
from lastlayer.losses import LossOptions

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
ENTRANCES = {
    "loss": lambda x, y, **options: ll.loss(x, y, **options),
    "cross_entropy": lambda x, y, **options: ll.cross_entropy(x, y, **options),
    "loss_and_grad": lambda x, y, **options: ll.loss_and_grad(x, y, **options)[0],
}
CLASSES = 300
SCORES = np.random.default_rng(0).normal(size=(4, CLASSES)).astype(np.float32)


def labels_of(dtype: str) -> np.ndarray:
    """The largest label that the dtype and the classes have, the one that wraps around to −100, and two more."""
    info = np.iinfo(dtype)
    wrapping = 2**info.bits - 100
    largest = min(int(info.max), CLASSES - 1)
    return np.array([largest, wrapping if wrapping < min(int(info.max), CLASSES) else 100, 0, 3], dtype=dtype)


def table(library):
    return [dtype for dtype in DTYPES if dtype not in library.lacks]


@pytest.mark.parametrize("library", [NUMPY, TORCH, STRICT], ids=names([NUMPY, TORCH, STRICT]))
def test_every_integer_dtype_keeps_its_values(library):
    mappings = ("softmax", "sparsemax") if library is STRICT else ll.MAPPINGS
    walked = 0
    with library.context():
        for mapping, dtype in itertools.product(mappings, table(library)):
            scores = inside(mapping, SCORES)
            given = labels_of(dtype)
            truth = ll.loss(scores, given.astype(np.int64), mapping=mapping, reduction="none")
            for name, call in ENTRANCES.items():
                if name == "cross_entropy" and mapping != "softmax":
                    continue
                options = {} if name == "cross_entropy" else {"mapping": mapping}
                got = call(library.make(scores), library.make(given), reduction="none", **options)
                np.testing.assert_allclose(library.back(got), truth, rtol=2e-5, err_msg=f"{mapping} {dtype} {name}")
                walked += 1
    assert walked == len(DTYPES) * (2 * len(mappings) + 1)


def labels_at(library, scores, labels, ignore_index):
    """The labels as they go to a mapping's loss."""
    found = prepare_targets(labels, prepare(scores, -1), LossOptions(ignore_index=ignore_index))[0]
    assert str(found.dtype) == ("int64" if library is JAX_X64 else "int32")
    return found


@pytest.mark.parametrize("is_traced", [False, True])
@pytest.mark.parametrize("library", [JAX, JAX_X64], ids=names([JAX, JAX_X64]))
def test_jax_labels_keep_their_values_eager_and_traced(library, is_traced):
    # One compilation of a loss with 300 classes takes seconds, and the labels are read before it.
    call = jax.jit(labels_at, static_argnums=(0, 3)) if is_traced else labels_at
    with library.context():
        scores = library.make(SCORES)
        for dtype in table(library):
            given = labels_of(dtype)
            np.testing.assert_array_equal(call(library, scores, library.make(given), -100), given)
            if is_traced and np.iinfo(dtype).max >= CLASSES:
                given[2] = np.iinfo(dtype).max
                for ignore_index in (-100, -1, -2):
                    found = np.asarray(call(library, scores, library.make(given), ignore_index))
                    np.testing.assert_array_equal(found[[0, 1, 3]], given[[0, 1, 3]])
                    assert found[2] != ignore_index
                    assert not 0 <= found[2] < CLASSES


@pytest.mark.parametrize("library", LIBRARIES, ids=names(LIBRARIES))
def test_what_wraps_round_to_another_label_is_out_of_range(library):
    """(dtype, label, ignore_index): in the dtype's own arithmetic each label is the ignored one, or the last class."""
    cases = [
        ("int8", -1, 255),
        ("int8", -1, 2**16 - 1),
        ("uint16", 2**16 - 100, -100),
        ("int16", -1, 2**16 - 1),
        ("uint32", 2**32 - 100, -100),
        ("uint32", 2**31 + 5, -100),
        ("int32", -1, 2**31 - 1),
        ("uint64", 2**64 - 100, -100),
        ("uint64", 2**64 - 1, -1),
        ("uint64", 2**63, -(2**63)),
        ("int64", 2**32, -100),
        ("int64", 2**40 + 1, -100),
    ]
    with library.context():
        for (dtype, label, ignore_index), call in itertools.product(cases, ENTRANCES.values()):
            if dtype in library.lacks:
                continue
            given = np.array([0, 1, label, 2], dtype=dtype)
            with pytest.raises(IndexError, match=f"label {label} at position 2"):
                call(library.make(SCORES), library.make(given), ignore_index=ignore_index)
            # Plain NumPy labels go with every library.
            with pytest.raises(IndexError, match=f"label {label} at position 2"):
                call(library.make(SCORES), given, ignore_index=ignore_index)


@pytest.mark.parametrize("library", [NUMPY, TORCH, STRICT], ids=names([NUMPY, TORCH, STRICT]))
def test_an_ignored_label_is_compared_by_value(library):
    truth = ll.loss(SCORES, [0, 1, -1, 2], ignore_index=-1, reduction="none")
    with library.context():
        for dtype in table(library):
            ignored = 255 if dtype.startswith("u") else -1
            given = np.array([0, 1, ignored, 2], dtype=dtype)
            got = ll.loss(library.make(SCORES), library.make(given), ignore_index=ignored, reduction="none")
            np.testing.assert_allclose(library.back(got), truth, rtol=1e-6)


@pytest.mark.parametrize("library", LIBRARIES, ids=names(LIBRARIES))
@pytest.mark.parametrize("labels", [[0, 2**70, 1, 1], [0, 2**63, 1, 1], [0, -(2**63) - 1, 1, -1]])
def test_python_integers_beyond_64_bits_are_named(library, labels):
    with library.context(), pytest.raises(IndexError, match=f"label {labels[1]} at position 1"):
        ll.loss(library.make(SCORES), labels)


def traced_by_torch():
    compiled = torch.compile(lambda x, y: ll.loss(x, y, reduction="none"), backend="eager", fullgraph=True)
    yield "compile", compiled
    yield "vmap", torch.func.vmap(lambda x, y: ll.loss(x, y, reduction="none"))
    yield "grad", lambda x, y: torch.func.grad(lambda x: ll.loss(x, y, reduction="sum"))(x).sum(-1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_traced_torch_labels(dtype):
    given = labels_of(dtype)
    bad = given.copy()
    bad[2] = np.iinfo(dtype).max if np.iinfo(dtype).max >= CLASSES else given[2]
    scores, expected = TORCH.make(SCORES), ll.loss(SCORES, given.astype(np.int64), reduction="none")
    for name, call in traced_by_torch():
        got = call(scores, TORCH.make(given)).numpy()
        np.testing.assert_allclose(got, 0 * expected if name == "grad" else expected, rtol=1e-6, atol=1e-6)
        if name != "grad" and bad[2] != given[2]:
            got = call(scores, TORCH.make(bad)).numpy()
            assert np.isnan(got[2])
            assert np.isfinite(np.delete(got, 2)).all()


def test_labels_of_torch_have_the_second_derivative_of_int64():
    scores, direction = TORCH.make(SCORES.astype(np.float64)), TORCH.make(SCORES[::-1].astype(np.float64))

    def curvature(labels):
        slope = torch.func.grad(lambda x: ll.loss(x, TORCH.make(labels), reduction="sum"))
        return torch.func.grad(lambda x: (slope(x) * direction).sum())(scores)

    for dtype in DTYPES:
        expected = curvature(labels_of(dtype).astype(np.int64))
        assert torch.equal(curvature(labels_of(dtype)), expected)
        assert expected.abs().sum(1).min() > 1e-3
