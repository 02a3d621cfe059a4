"""Mappings and losses outside of Python: as plain aten operations in exported programs and ONNX files."""

from __future__ import annotations

import io
import itertools
import math

import numpy as np
import pytest
import torch
from domains import takes_both_signs
from torch.utils._python_dispatch import TorchDispatchMode

import lastlayer as ll
from lastlayer.backends.torch.export import _PlainNamespace
from lastlayer.backends.torch.operators import flatten
from lastlayer.losses import LossOptions
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch import CrossEntropyLoss, LogProbabilities, Probabilities, decompositions

#: Every mapping, and entmax where other formulas serve it.
NAMES = (*ll.MAPPINGS, "taylor:order=6", "entmax:alpha=1.0", "entmax:alpha=1.3", "entmax:alpha=2.0")
QUANTITIES = {"probabilities": Probabilities, "log_probabilities": LogProbabilities}


def scores(name, rows=6):
    x = 4 * torch.randn(rows, 7, generator=torch.Generator().manual_seed(0))
    # A confident row, whose log-probability is nearly 0, a row of ties and a row of small differences.
    x[0, 3], x[1], x[2] = 30.0, 1.0, x[2] * 1e-3
    return x if name is None or takes_both_signs(name) else x.abs()


def assert_close(got, want, name):
    """Equal within 2 ULP; torch's and ONNX's softmax within 4 eps of the largest entry of a row, as they promise."""
    got, want = (np.asarray(x) for x in (got, want))
    assert got.dtype == want.dtype == np.float32
    if name == "softmax":
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=4 * np.finfo(np.float32).eps)
    else:
        np.testing.assert_array_max_ulp(got, want, maxulp=2)


class OnlyAten(TorchDispatchMode):
    """Fails at an operator that is not torch's."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function.namespace in ("aten", "prims"), function
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("quantity", [*QUANTITIES, "log_partition"])
@pytest.mark.parametrize("name", NAMES)
def test_every_mapping_of_aten_operations(name, quantity):
    x = scores(name)
    with OnlyAten():
        got = decompositions()[torch.ops.lastlayer.evaluate.default](x, None, name, quantity)
    assert_close(got, torch.ops.lastlayer.evaluate(x, None, name, quantity), name)


def test_a_wrong_formula_is_seen():
    with pytest.raises(AssertionError):
        assert_close(torch.softmax(scores(None) * (1 + 1e-4), -1), ll.softmax(scores(None)), "softmax")


LABELS = torch.tensor([0, 6, -100, 3, 2, 1])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "parts"])
@pytest.mark.parametrize("weight", [None, torch.linspace(0.5, 2.0, 7)], ids=["", "weight"])
@pytest.mark.parametrize("name", NAMES)
def test_every_loss_of_aten_operations(name, weight, reduction):
    arguments = *flatten(resolve_mapping(name), LABELS, LossOptions(weight=weight, reduction=reduction)), True
    x = scores(name)
    with OnlyAten():
        got = decompositions()[torch.ops.lastlayer.loss.default](x, *arguments)
    for ours, want in zip(got, torch.ops.lastlayer.loss(x, *arguments), strict=True):
        assert (ours.dtype, ours.shape) == (want.dtype, want.shape)
        # Losses are infinite where the label's probability is zero.
        torch.testing.assert_close(ours, want, rtol=1e-6, atol=1e-12)


# A warning of typing_extensions within torch.export.
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_exported_program():
    program = torch.export.export(Probabilities("hardmax"), (scores(None),))
    assert any("lastlayer" in str(node.target) for node in program.graph.nodes)
    program = program.run_decompositions({**torch.export.default_decompositions(), **decompositions()})
    assert not any("lastlayer" in str(node.target) for node in program.graph.nodes)
    assert_close(program.module()(scores(None)), ll.hardmax(scores(None)), "hardmax")


@pytest.mark.parametrize("function", ["log1p", "expm1"])
def test_functions_that_onnx_has_not(function):
    """Within a few ULP of float64 where 1 + x and e^x − 1 would lose every digit, and at the edges."""
    sizes = np.concatenate([np.logspace(-320, 2, 400), [0.0, 0.5, 1.0]])
    x = np.concatenate([sizes, -sizes[sizes < 1], [math.inf, -1.0, math.nan]])
    x = np.append(x, -math.inf if function == "expm1" else 1e300)
    with np.errstate(divide="ignore"):
        want = getattr(np, function)(x)
    got = getattr(_PlainNamespace(), function)(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    np.testing.assert_array_equal(got[~np.isfinite(got)], want[~np.isfinite(want)])
    is_normal = np.isfinite(want) & (np.abs(want) > 1e-300)
    np.testing.assert_array_max_ulp(got[is_normal], want[is_normal], maxulp=5)
    assert np.all(np.abs(got[np.abs(x) < 1e-300]) <= 1e-300)


class Several(torch.nn.Module):
    """Several mappings of the same scores, since an export takes seconds whatever is in it."""

    def __init__(self, names):
        super().__init__()
        self.parts = torch.nn.ModuleList(cls(name) for name in names for cls in QUANTITIES.values())

    def forward(self, x):
        return tuple(part(x if takes_both_signs(part.mapping) else x.abs()) for part in self.parts)


def assert_all_are_close(names, got, rows=6):
    for result, (name, quantity) in zip(got, itertools.product(names, QUANTITIES), strict=True):
        want = getattr(ll, quantity)(scores(name, rows), mapping=name)
        assert_close(result, want, name)


def onnx_session(module, arguments, **options):
    pytest.importorskip("onnx", reason="pip install onnx")
    onnxruntime = pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
    file = io.BytesIO()
    if options["dynamo"]:
        torch.onnx.export(module, arguments, dynamo=True, verbose=False, **options["also"]).save(file)
    else:
        torch.onnx.export(module, arguments, file, dynamo=False, **options["also"])
    return onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])


def run(session, *arguments):
    names = [given.name for given in session.get_inputs()]
    return session.run(None, {name: x.numpy() for name, x in zip(names, arguments, strict=True)})


# Torch says that this exporter is deprecated, and the tracer that shapes are constants; the batch size below is none.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning", "ignore::UserWarning")
def test_onnx_by_torchscript():
    names = ("softmax", "ratio", "hardmax")
    also = {"input_names": ["x"], "dynamic_axes": {"x": {0: "rows"}}, "opset_version": 17}
    session = onnx_session(Several(names), (scores(None),), dynamo=False, also=also)
    assert_all_are_close(names, run(session, scores(None)))
    assert_all_are_close(names, run(session, scores(None, rows=9)), rows=9)


@pytest.mark.filterwarnings("ignore")
def test_onnx_by_dynamo():
    pytest.importorskip("onnxscript", reason="pip install onnxscript")
    names = ("softmax", "ratio", "hardmax")
    also = {"dynamic_shapes": ({0: torch.export.Dim("rows")},)}
    session = onnx_session(Several(names), (scores(None),), dynamo=True, also=also)
    assert_all_are_close(names, run(session, scores(None)))
    assert_all_are_close(names, run(session, scores(None, rows=9)), rows=9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning", "ignore::UserWarning")
def test_onnx_of_a_loss():
    also = {"input_names": ["x", "y"], "opset_version": 17}
    session = onnx_session(CrossEntropyLoss(), (scores(None), LABELS), dynamo=False, also=also)
    (got,) = run(session, scores(None), LABELS)
    np.testing.assert_array_max_ulp(got, ll.cross_entropy(scores(None), LABELS).numpy(), maxulp=2)
